package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) deleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete TASK", Short: "remove an ended task with all that is stored of it", Args: oneTask,
		Long: `Remove an ended task: its history, its tables on the destination (shardlift_*), its report, its
credentials. The migrated rows stay. The command ends when everything is seen to be gone.`,
		Example: "  shardlift delete shop-to-ddm --yes",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if err := a.consent(yes, fmt.Sprintf("Delete %s with its history and report?", args[0])); err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.DeleteTaskWithResponse(ctx, args[0]))
			if err != nil {
				return err
			}
			if r.JSON202 == nil {
				return a.deleted(args[0], r.JSON200, r.Body)
			}
			a.note("the deletion goes on; Ctrl-C leaves it to the server (operation %s)", r.JSON202.ID)
			o, body, err := a.awaitOperation(ctx, c, r.JSON202.ID)
			if err != nil {
				return err
			}
			return a.deleted(args[0], o, body)
		}),
	}
	yesFlag(cmd, &yes)
	return cmd
}

func (a *app) deleted(task string, o *api.Operation, body []byte) error {
	if o.State != "done" {
		if o.Problem != nil {
			return &refusal{*o.Problem}
		}
		return fault.OutcomeLost.New("task "+task, "the deletion is %s", o.State).WithRemedy("repeat `shardlift delete %s`", task)
	}
	if a.json() {
		return a.printJSON(body)
	}
	for _, w := range value(o.Warnings) {
		a.note("warning: %s", w)
	}
	return a.say("%s: deleted", task)
}
