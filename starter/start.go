package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) startCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "start TASK", Short: "start a task, now or at a time", Args: oneTask,
		Long:    "Start a task. Its pre-check must stand at 100 %; at a time to come it is run again first.",
		Example: "  shardlift start shop-to-ddm\n  shardlift start shop-to-ddm --at 2026-12-01T02:00:00Z",
		RunE: a.action(func(ctx context.Context, args []string) error {
			when, err := startTime(at)
			if err != nil {
				return err
			}
			what := "start accepted"
			if when != nil {
				what = "scheduled for " + moment(when)
			}
			return command(ctx, a, args[0], what, func(c *api.ClientWithResponses) (*api.StartTaskResponse, error) {
				return c.StartTaskWithResponse(ctx, args[0], &api.StartTaskParams{IdempotencyKey: a.idempotencyKey()}, api.StartCommand{At: when})
			})
		}),
	}
	cmd.Flags().StringVar(&at, "at", "", "start time, RFC 3339, e.g. 2026-12-01T02:00:00Z (default: now)")
	return cmd
}

// startTime is nil for now.
func startTime(text string) (*time.Time, error) {
	if text == "" || text == "now" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fault.Usage.New("--at", "%q: want a time as 2026-12-01T02:00:00Z, or now", text)
	}
	return new(at.UTC()), nil
}
