package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) resetCommand() *cobra.Command {
	var truncate, yes bool
	cmd := &cobra.Command{
		Use: "reset TASK", Short: "begin a paused or failed task anew", Args: oneTask,
		Long: `Begin a paused or failed task anew: checkpoints and chunk plan are dropped, the pre-check runs again,
then start copies everything once more. Rows of the destination stay, unless --truncate-destination
empties the destination's tables.`,
		Example: "  shardlift reset shop-to-ddm\n  shardlift reset shop-to-ddm --truncate-destination --yes",
		RunE: a.action(func(ctx context.Context, args []string) error {
			question := fmt.Sprintf("Reset %s? What was copied is copied again.", args[0])
			if truncate {
				question = fmt.Sprintf("Reset %s and EMPTY its tables on the destination?", args[0])
			}
			if err := a.consent(yes, question); err != nil {
				return err
			}
			return command(ctx, a, args[0], "reset accepted", func(c *api.ClientWithResponses) (*api.ResetTaskResponse, error) {
				return c.ResetTaskWithResponse(ctx, args[0], &api.ResetTaskParams{IdempotencyKey: a.idempotencyKey()}, api.ResetCommand{TruncateDestination: filled(truncate)})
			})
		}),
	}
	cmd.Flags().BoolVar(&truncate, "truncate-destination", false, "empty the task's tables on the destination")
	yesFlag(cmd, &yes)
	return cmd
}
