package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) cloneCommand() *cobra.Command {
	return &cobra.Command{
		Use: "clone TASK NAME", Short: "make a draft with the configuration of another task", Args: taskAnd(1),
		Long: `Make a draft with the configuration of another task. Passwords, certificates and data nodes are never
copied: give them with set-credentials or edit before the pre-check.`,
		Example: "  shardlift clone shop-to-ddm shop-again\n  shardlift set-credentials shop-again --side source --password-file source.password",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if len(args) < 2 {
				return fault.Usage.New("NAME", "missing: the new task needs a name of its own")
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.CloneTaskWithResponse(ctx, args[0], &api.CloneTaskParams{IdempotencyKey: a.idempotencyKey()}, api.CloneCommand{Name: args[1]}))
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(r.Body)
			}
			t := r.JSON201
			if t == nil {
				t = r.JSON200
			}
			a.note("a draft; next: shardlift set-credentials %s --side source …, the same for destination, then precheck", t.Name)
			return a.printTask(t)
		}),
	}
}
