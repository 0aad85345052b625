package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pause TASK", Short: "pause a task; resume goes on from where it stood", Args: oneTask,
		Long: `Pause a task: capture and apply stop at the next chunk or window. Keep it shorter than the source
keeps its binlog, or the task can only be reset.`,
		Example: "  shardlift pause shop-to-ddm",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return command(ctx, a, args[0], "pause accepted", func(c *api.ClientWithResponses) (*api.PauseTaskResponse, error) {
				return c.PauseTaskWithResponse(ctx, args[0], &api.PauseTaskParams{IdempotencyKey: a.idempotencyKey()}, api.PauseCommand{})
			})
		}),
	}
}
