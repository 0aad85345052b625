package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

// batchCommands are those that a batch may give; the last ones ask first.
var (
	batchCommands    = []string{"precheck", "start", "pause", "resume", "retry", "stop", "reset", "delete"}
	batchDestructive = []string{"stop", "reset", "delete"}
)

func (a *app) batchCommand() *cobra.Command {
	var yes, incomplete, force, truncate bool
	cmd := &cobra.Command{
		Use: "batch COMMAND TASK...", Short: "give one command to many tasks", Args: cobra.MinimumNArgs(2),
		Long: `Give one command to many tasks: precheck, start, pause, resume, retry, stop, reset or delete. Each task
answers for itself; the exit status is 3 when one of them refused.`,
		Example: "  shardlift batch pause shop-to-ddm crm-to-ddm\n  shardlift batch stop shop-to-ddm crm-to-ddm --yes",
		RunE: a.action(func(ctx context.Context, args []string) error {
			what, tasks := args[0], args[1:]
			if !slices.Contains(batchCommands, what) {
				return fault.Usage.New("COMMAND", "%q: want one of %s", what, strings.Join(batchCommands, ", "))
			}
			if slices.Contains(batchDestructive, what) {
				if err := a.consent(yes, fmt.Sprintf("%s %s?", what, strings.Join(tasks, ", "))); err != nil {
					return err
				}
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.BatchWithResponse(ctx, &api.BatchParams{IdempotencyKey: a.idempotencyKey()}, api.BatchCommand{
				Command: api.BatchCommandCommand(what), Tasks: tasks, Incomplete: filled(incomplete), Force: filled(force), TruncateDestination: filled(truncate),
			}))
			if err != nil {
				return err
			}
			return a.batched(r.JSON200.Results, r.Body)
		}),
	}
	cmd.Flags().BoolVar(&incomplete, "incomplete", false, "stop: end tasks that are not synced too")
	cmd.Flags().BoolVar(&force, "force", false, "stop: end at once, without sequences")
	cmd.Flags().BoolVar(&truncate, "truncate-destination", false, "reset: empty the tasks' tables on the destination")
	yesFlag(cmd, &yes)
	return cmd
}

// batched prints what became of each and returns the first refusal.
func (a *app) batched(results []api.BatchedTask, body []byte) error {
	var failed error
	g := &grid{header: []string{"TASK", "OUTCOME", "WHY"}, whole: []int{0}}
	for _, r := range results {
		why := ""
		if p := r.Problem; p != nil {
			why = strings.TrimSpace(p.Code + " " + value(p.Detail))
			if failed == nil {
				failed = &refusal{*p}
			}
		}
		g.add(r.Task, string(r.State), why)
	}
	if a.json() {
		if err := a.printJSON(body); err != nil {
			return err
		}
		return failed
	}
	if err := g.print(a.out); err != nil {
		return err
	}
	return failed
}
