package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "history TASK", Short: "show who did what to a task", Args: oneTask,
		Long:    "Show the last 50 commands and changes of state with their actors, oldest first. The log (logs) tells of the work itself.",
		Example: "  shardlift history shop-to-ddm",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.GetHistoryWithResponse(ctx, args[0]))
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(r.Body)
			}
			for _, e := range r.JSON200.Events {
				if err := a.say("%s  %-8s  %s", moment(&e.At), e.Actor, e.Text); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}
