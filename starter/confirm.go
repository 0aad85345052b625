package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) confirmCommand() *cobra.Command {
	var items []string
	var all, skip bool
	var note string
	cmd := &cobra.Command{
		Use: "confirm TASK --item CODE… | --all --note TEXT", Short: "confirm alarms of the pre-check", Args: taskAnd(1000),
		Long: `Confirm alarms of the pre-check: somebody has looked at them and accepts them. The note is kept
with the confirmation. What failed cannot be confirmed; with --skip a failure that would stop the task, and
not lose or change a row, is skipped with the note as reason (the item's page says whether it may be).`,
		Example: "  shardlift confirm shop-to-ddm --item srcGtidStatusCheck --note \"no failover planned\"\n  shardlift confirm shop-to-ddm --all --note \"seen by Ann\"\n  shardlift confirm shop-to-ddm --skip --item dstMaxAllowedPacketCheck --note \"the large row goes tonight\"",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if len(items) > 0 {
				items = append(items, args[1:]...)
			} else if len(args) > 1 {
				return fault.Usage.New("", "unexpected argument %q", args[1])
			}
			if all == (len(items) > 0) {
				return fault.Usage.New("", "give either --item CODE or --all")
			}
			if skip && all {
				return fault.Usage.New("--skip", "name the failures with --item")
			}
			if note == "" {
				return fault.Usage.New("--note", "say why the alarms are accepted")
			}
			body := api.ConfirmCommand{All: filled(all), Note: note, Skip: filled(skip)}
			if len(items) > 0 {
				body.Items = &items
			}
			return command(ctx, a, args[0], "confirmed", func(c *api.ClientWithResponses) (*api.ConfirmTaskResponse, error) {
				return c.ConfirmTaskWithResponse(ctx, args[0], &api.ConfirmTaskParams{IdempotencyKey: a.idempotencyKey()}, body)
			})
		}),
	}
	cmd.Flags().StringSliceVar(&items, "item", nil, "code of an item; more codes may follow")
	cmd.Flags().BoolVar(&all, "all", false, "every alarm")
	cmd.Flags().BoolVar(&skip, "skip", false, "skip failures that may be skipped, with --note as reason")
	cmd.Flags().StringVar(&note, "note", "", "why they are accepted")
	return cmd
}
