package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) comparisonsCommand() *cobra.Command {
	var differences bool
	cmd := &cobra.Command{
		Use: "comparisons TASK [ID]", Short: "list comparisons, or show one", Args: taskAnd(1),
		Example: "  shardlift comparisons shop-to-ddm\n  shardlift comparisons shop-to-ddm c2 --differences",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if len(args) == 1 && differences {
				return fault.Usage.New("--differences", "name the comparison: shardlift comparisons %s ID --differences", args[0])
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			if len(args) == 2 {
				_, err := a.comparison(ctx, c, args[0], args[1], differences)
				return err
			}
			r, err := answered(c.ListComparisonsWithResponse(ctx, args[0]))
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(r.Body)
			}
			return a.printComparisons(r.JSON200)
		}),
	}
	cmd.Flags().BoolVar(&differences, "differences", false, "with the keys of the rows that differ")
	return cmd
}

func (a *app) printComparisons(list *api.ComparisonList) error {
	g := &grid{header: []string{"ID", "TYPE", "RESULT", "FINISHED"}}
	for _, id := range list.Comparisons {
		if last := list.Last; last != nil && last.ID == id {
			g.add(id, last.Type, last.Result, moment(last.FinishedAt))
			continue
		}
		g.add(id, "", "", "")
	}
	return g.print(a.out)
}

// comparison prints a comparison with all its pages and returns it.
func (a *app) comparison(ctx context.Context, c *api.ClientWithResponses, task, id string, differences bool) (*api.Comparison, error) {
	whole, err := readComparison(ctx, c, task, id, differences)
	if err != nil {
		return nil, err
	}
	if a.json() {
		return whole, a.printValue(whole)
	}
	if err := a.say("comparison %s by %s: %s, %s to %s", whole.ID, whole.Type, whole.Result, moment(whole.StartedAt), moment(whole.FinishedAt)); err != nil {
		return nil, err
	}
	g := &grid{header: []string{"TABLE", "SOURCE ROWS", "DESTINATION ROWS", "DIFFERENCES", "RESULT"}, right: []int{1, 2, 3}}
	for _, t := range whole.Tables {
		g.add(t.Schema+"."+t.Table, count(t.SourceRows), count(t.DestinationRows), count(&t.Differences), t.Result)
	}
	if err := g.print(a.out); err != nil || !differences {
		return whole, err
	}
	rows := &grid{header: []string{"TABLE", "KIND", "KEY"}}
	for _, d := range value(whole.DifferenceRows) {
		rows.add(d.Schema+"."+d.Table, d.Kind, d.Key)
	}
	if err := a.say(""); err != nil {
		return nil, err
	}
	return whole, rows.print(a.out)
}

// readComparison follows the pages: first come tables, then differing rows.
func readComparison(ctx context.Context, c *api.ClientWithResponses, task, id string, differences bool) (*api.Comparison, error) {
	var whole *api.Comparison
	params := &api.GetComparisonParams{Differences: filled(differences), Limit: new(1000)}
	for {
		r, err := answered(c.GetComparisonWithResponse(ctx, task, id, params))
		if err != nil {
			return nil, err
		}
		page := r.JSON200
		if whole == nil {
			whole = page
		} else {
			whole.Tables = append(whole.Tables, page.Tables...)
			if rows := value(page.DifferenceRows); len(rows) > 0 {
				whole.DifferenceRows = new(append(value(whole.DifferenceRows), rows...))
			}
		}
		brought := len(page.Tables) + len(value(page.DifferenceRows))
		if page.Next == nil || brought == 0 {
			whole.Next = nil
			return whole, nil
		}
		params.Cursor = page.Next
	}
}
