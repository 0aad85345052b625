package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) compareCommand() *cobra.Command {
	var kind, tables string
	var wait bool
	cmd := &cobra.Command{
		Use: "compare TASK --type TYPE", Short: "compare both sides by objects, rows or values", Args: oneTask,
		Long: `Compare source and destination: objects compares definitions, rows counts, values every value of
every row. Rows that still move are looked at again until they settle. With --wait the command ends
with the comparison: exit status 4 when both sides were not found equal.`,
		Example: "  shardlift compare shop-to-ddm --type rows --wait\n  shardlift compare shop-to-ddm --type values --tables 'Shop.order*' --wait -o json",
		RunE: a.action(func(ctx context.Context, args []string) error {
			of := api.CompareCommandType(kind)
			if !of.Valid() {
				return fault.Usage.New("--type", "want objects, rows or values")
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.CompareTaskWithResponse(ctx, args[0], &api.CompareTaskParams{IdempotencyKey: a.idempotencyKey()},
				api.CompareCommand{Type: of, Tables: filled(tables)}))
			if err != nil {
				return err
			}
			begun, body, err := a.ended(ctx, c, r)
			if err != nil {
				return err
			}
			id := value(begun.Comparison)
			if !wait && a.json() {
				return a.printJSON(body)
			}
			if !wait {
				return a.say("%s: comparison %s started; status %s, phase %s, revision %d", args[0], id, label(begun.Status), begun.Phase, begun.Revision)
			}
			a.note("comparison %s by %s is running", id, kind)
			if err := a.awaitComparison(ctx, c, args[0], id); err != nil {
				return err
			}
			result, err := a.comparison(ctx, c, args[0], id, false)
			if err != nil {
				return err
			}
			if result.Result != consistent {
				return fault.Differs.New("comparison "+id, "%s", result.Result).
					WithRemedy("`shardlift comparisons %s %s --differences` shows what differs", args[0], id)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&kind, "type", "", "objects, rows or values")
	cmd.Flags().StringVar(&tables, "tables", "", "only these tables, a pattern on SCHEMA.TABLE, e.g. 'Shop.order*'")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end and print the result")
	return cmd
}

// Results of a comparison (drs.md C-16).
const (
	consistent = "CONSISTENT"
	comparing  = "COMPARING"
	waiting    = "WAITING_FOR_COMPARISON"
)

func running(result string) bool { return result == comparing || result == waiting || result == "" }

// awaitComparison waits until the task knows the comparison's result, or has
// begun another one since.
func (a *app) awaitComparison(ctx context.Context, c *api.ClientWithResponses, task, id string) error {
	return a.follow(ctx, c, task, func(t *api.Task, _ []byte) (bool, error) {
		if t.Comparison == nil { // no worker answers just now
			if statusOf(t).Ended() {
				return true, fault.EndedBefore.New("task "+task, "it ended before the comparison")
			}
			return false, nil
		}
		return t.Comparison.ID != id || !running(t.Comparison.Result), nil
	})
}
