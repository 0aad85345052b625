package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) limitCommand() *cobra.Command {
	var mb, rows int
	cmd := &cobra.Command{
		Use: "limit TASK", Short: "limit the copy", Args: oneTask,
		Long:    "Limit the copy, from the next seconds on. A limit that is not named stays; 0 removes it.",
		Example: "  shardlift limit shop-to-ddm --mb 20\n  shardlift limit shop-to-ddm --mb 0 --rows 0",
	}
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		hasMB, hasRows := cmd.Flags().Changed("mb"), cmd.Flags().Changed("rows")
		if !hasMB && !hasRows {
			return fault.Usage.New("", "give --mb, --rows, or both; 0 removes a limit")
		}
		if mb < 0 || rows < 0 {
			return fault.Usage.New("", "a limit is 0 (none) or more")
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		limits := api.Limits{MbPerSecond: &mb, RowsPerSecond: &rows}
		if !hasMB || !hasRows { // the API takes both, so the other one is kept by us
			t, _, err := getTask(ctx, c, args[0])
			if err != nil {
				return err
			}
			if t.Limits == nil {
				return fault.NoWorker.New("task "+args[0], "the present limits are not known").WithRemedy("give both --mb and --rows, or start a worker")
			}
			if !hasMB {
				limits.MbPerSecond = t.Limits.MbPerSecond
			}
			if !hasRows {
				limits.RowsPerSecond = t.Limits.RowsPerSecond
			}
		}
		r, err := answered(c.LimitTaskWithResponse(ctx, args[0], &api.LimitTaskParams{IdempotencyKey: a.idempotencyKey()}, api.LimitCommand{Limits: limits}))
		if err != nil {
			return err
		}
		return a.tell(ctx, c, args[0], "limits set", r)
	})
	cmd.Flags().IntVar(&mb, "mb", 0, "megabytes a second, 0 is none")
	cmd.Flags().IntVar(&rows, "rows", 0, "rows a second, 0 is none")
	return cmd
}
