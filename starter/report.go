package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) reportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "report TASK", Short: "show the final report of an ended task", Args: oneTask,
		Example: "  shardlift report shop-to-ddm\n  shardlift report shop-to-ddm -o json",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			_, err = a.finalReport(ctx, c, args[0])
			return err
		}),
	}
}

// finalReport prints the report and returns it.
func (a *app) finalReport(ctx context.Context, c *api.ClientWithResponses, id string) (*api.Report, error) {
	r, err := answered(c.GetReportWithResponse(ctx, id))
	if err != nil {
		return nil, err
	}
	if a.json() {
		return r.JSON200, a.printJSON(r.Body)
	}
	p := r.JSON200
	ending := "complete"
	switch {
	case p.Forced:
		ending = "FORCED: changes may be missing, sequences were not refreshed"
	case p.Incomplete:
		ending = "INCOMPLETE: the destination lacks changes"
	}
	f := &facts{}
	f.add("end", "%s, %s", ending, moment(&p.At))
	f.add("rows", "%s copied, %s changes applied, %d tables", count(&p.RowsCopied), count(&p.RowsApplied), p.Tables)
	f.add("divergences", "%s", count(&p.Divergences))
	if p.StopPosition != nil {
		f.add("stop position", "%s", place(p.StopPosition))
	}
	f.add("source after it", "writes: %s; open transactions: %s; prepared XA: %s", p.WritesAfterStop, count(p.OpenTransactions), count(p.PreparedXa))
	f.add("sequences", "%s, %d of %d refreshed", p.Sequences.State, p.Sequences.Refreshed, p.Sequences.Total)
	for _, w := range p.Warnings {
		f.add("warning", "%s", w)
	}
	if err := a.say("report of %s", id); err != nil {
		return nil, err
	}
	return p, f.print(a.out)
}
