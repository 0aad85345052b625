package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) retryCommand() *cobra.Command {
	var table string
	cmd := &cobra.Command{
		Use: "retry TASK", Short: "try a failed task again", Args: oneTask,
		Long:    "Try a failed task again from its checkpoints. --table is kept for tables that stand apart; this version retries whole tasks only.",
		Example: "  shardlift retry shop-to-ddm",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if table != "" {
				return fault.RetryTable.New(table, "")
			}
			return command(ctx, a, args[0], "retry accepted", func(c *api.ClientWithResponses) (*api.RetryTaskResponse, error) {
				return c.RetryTaskWithResponse(ctx, args[0], &api.RetryTaskParams{IdempotencyKey: a.idempotencyKey()})
			})
		}),
	}
	cmd.Flags().StringVar(&table, "table", "", "only this table, SCHEMA.TABLE (not in this version)")
	return cmd
}
