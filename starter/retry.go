package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) retryCommand() *cobra.Command {
	var table string
	var confirmed bool
	cmd := &cobra.Command{
		Use: "retry TASK", Short: "try a failed task or a parked table again", Args: oneTask,
		Long: `Try a failed task again from its checkpoints. With --table one parked table goes on from its own
position, also past the statement that stopped it, while the task goes on; when it has caught up it
returns to the task.`,
		Example: "  shardlift retry shop-to-ddm\n  shardlift retry shop-to-ddm --table Shop.orders",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if confirmed && table == "" {
				return fault.Usage.New("--fence-confirmed", "belongs to --table; for the whole task it is a flag of resume")
			}
			body := api.RetryCommand{Table: filled(table), FenceConfirmed: filled(confirmed)}
			return command(ctx, a, args[0], "retry accepted", func(c *api.ClientWithResponses) (*api.RetryTaskResponse, error) {
				return c.RetryTaskWithResponse(ctx, args[0], &api.RetryTaskParams{IdempotencyKey: a.idempotencyKey()}, body)
			})
		}),
	}
	cmd.Flags().StringVar(&table, "table", "", "only this parked table, SCHEMA.TABLE")
	fenceFlag(cmd, &confirmed)
	return cmd
}

func fenceFlag(cmd *cobra.Command, confirmed *bool) {
	cmd.Flags().BoolVar(confirmed, "fence-confirmed", false, "you made sure that no older writer of the table lives")
}
