package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) resumeCommand() *cobra.Command {
	var fence bool
	cmd := &cobra.Command{
		Use: "resume TASK", Short: "go on with a paused or failed task", Args: oneTask,
		Long: `Go on with a paused or failed task from its checkpoints. --fence-confirmed is needed only where the
error asks for it: you say that no older worker of this task is still writing.`,
		Example: "  shardlift resume shop-to-ddm",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return command(ctx, a, args[0], "resume accepted", func(c *api.ClientWithResponses) (*api.ResumeTaskResponse, error) {
				return c.ResumeTaskWithResponse(ctx, args[0], &api.ResumeTaskParams{IdempotencyKey: a.idempotencyKey()}, api.ResumeCommand{FenceConfirmed: filled(fence)})
			})
		}),
	}
	cmd.Flags().BoolVar(&fence, "fence-confirmed", false, "no older worker of this task is still writing")
	return cmd
}
