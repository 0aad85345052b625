package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) tablesCommand() *cobra.Command {
	var limit int
	var cursor string
	cmd := &cobra.Command{
		Use: "tables TASK", Short: "show the progress of every table", Args: oneTask,
		Long: `Show the progress of every table. With --limit only one page is read; in JSON "next" is then the
--cursor of the following one.`,
		Example: "  shardlift tables shop-to-ddm\n  shardlift tables shop-to-ddm --limit 100 -o json",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if limit < 0 || limit > 1000 {
				return fault.Usage.New("--limit", "want 1 to 1000")
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			params := &api.ListTablesParams{Limit: new(1000), Cursor: filled(cursor)}
			if limit > 0 {
				params.Limit = &limit
			}
			all := api.TableList{Tables: []api.TableProgress{}}
			for {
				r, err := answered(c.ListTablesWithResponse(ctx, args[0], params))
				if err != nil {
					return err
				}
				all.Tables, all.Next = append(all.Tables, r.JSON200.Tables...), r.JSON200.Next
				if params.Cursor = all.Next; all.Next == nil || limit > 0 {
					break
				}
			}
			if a.json() {
				return a.printValue(all)
			}
			return a.printTables(all)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "read one page of so many tables (default: all pages)")
	cmd.Flags().StringVar(&cursor, "cursor", "", "begin after this page")
	return cmd
}

func (a *app) printTables(all api.TableList) error {
	g := &grid{header: []string{"TABLE", "STATE", "%", "ROWS", "ABOUT", "COMPARISON", "ERROR"}, right: []int{2, 3, 4}}
	for _, t := range all.Tables {
		name := t.Schema + "." + t.Table
		if to := value(t.ToTable); to != "" && to != t.Table {
			name += " > " + to
		}
		g.add(name, t.State, count(&t.Percent), count(&t.RowsDone), count(&t.RowsEstimated), value(t.Compare), value(t.Error))
	}
	if err := g.print(a.out); err != nil {
		return err
	}
	if all.Next != nil {
		a.note("more: --cursor %s", *all.Next)
	}
	return nil
}
