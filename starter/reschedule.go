package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) rescheduleCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "reschedule TASK --at TIME", Short: "change the start time of a scheduled task", Args: oneTask,
		Example: "  shardlift reschedule shop-to-ddm --at 2026-12-02T02:00:00Z\n  shardlift reschedule shop-to-ddm --at now",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if at == "" {
				return fault.Usage.New("--at", "is missing: a time, or now")
			}
			when, err := startTime(at)
			if err != nil {
				return err
			}
			what := "starts now"
			if when != nil {
				what = "scheduled for " + moment(when)
			}
			return command(ctx, a, args[0], what, func(c *api.ClientWithResponses) (*api.RescheduleTaskResponse, error) {
				return c.RescheduleTaskWithResponse(ctx, args[0], &api.RescheduleTaskParams{IdempotencyKey: a.idempotencyKey()}, api.StartCommand{At: when})
			})
		}),
	}
	cmd.Flags().StringVar(&at, "at", "", "start time, RFC 3339, or now")
	return cmd
}
