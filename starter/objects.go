package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) objectsCommand() *cobra.Command {
	var search string
	var selected bool
	cmd := &cobra.Command{
		Use: "objects TASK", Short: "list the source's tables and where each goes", Args: oneTask,
		Long: `List the source's tables, read anew each time, with what the task's rules make of each. Estimates need
MySQL 8.0 or newer: older servers would open every table for them.`,
		Example: "  shardlift objects shop-to-ddm --search order\n  shardlift objects shop-to-ddm --selected -o json",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			all := api.ObjectList{Objects: []api.SourceObject{}}
			params := &api.ListObjectsParams{Limit: new(1000), Search: filled(search)}
			for {
				r, err := answered(c.ListObjectsWithResponse(ctx, args[0], params))
				if err != nil {
					return err
				}
				for _, o := range r.JSON200.Objects {
					if o.Selected || !selected {
						all.Objects = append(all.Objects, o)
					}
				}
				if params.Cursor = r.JSON200.Next; params.Cursor == nil {
					break
				}
			}
			if a.json() {
				return a.printValue(all)
			}
			return a.printObjects(all.Objects)
		}),
	}
	cmd.Flags().StringVar(&search, "search", "", "only names that hold this text, in any case")
	cmd.Flags().BoolVar(&selected, "selected", false, "only tables that the task moves")
	return cmd
}

func (a *app) printObjects(objects []api.SourceObject) error {
	g := &grid{header: []string{"TABLE", "GOES TO", "ENGINE", "ABOUT ROWS", "BYTES"}, right: []int{3, 4}, whole: []int{0}}
	for _, o := range objects {
		to := "-"
		if o.Selected {
			to = value(o.ToSchema) + "." + value(o.ToTable)
		}
		g.add(o.Schema+"."+o.Table, to, value(o.Engine), count(o.RowsEstimated), count(o.BytesEstimated))
	}
	return g.print(a.out)
}
