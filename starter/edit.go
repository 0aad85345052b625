package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) editCommand() *cobra.Command {
	var file string
	var revision int
	cmd := &cobra.Command{
		Use: "edit TASK -f FILE", Short: "replace a task's file", Args: oneTask,
		Long: `Replace a task's file. Before the start everything may change but the type; later name, description,
tags, limits and credentials. With --revision the edit is refused when somebody changed the task since.`,
		Example: "  shardlift edit shop-to-ddm -f task.yaml\n  shardlift edit shop-to-ddm -f task.yaml --revision 7",
		RunE: a.action(func(ctx context.Context, args []string) error {
			_, sent, err := a.readTaskFile(file)
			if err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			if revision == 0 {
				t, _, err := getTask(ctx, c, args[0])
				if err != nil {
					return err
				}
				revision = t.Revision
			}
			params := &api.EditTaskParams{IdempotencyKey: a.idempotencyKey(), Draft: filled(a.draft)}
			if revision > 0 {
				params.IfMatch = new(strconv.Quote(strconv.Itoa(revision)))
			}
			r, err := answered(c.EditTaskWithResponse(ctx, args[0], params, sent))
			if err != nil {
				return err
			}
			return a.tell(ctx, c, args[0], "edited", r)
		}),
	}
	taskFileFlag(cmd, &file)
	a.configureFlags(cmd)
	cmd.Flags().IntVar(&revision, "revision", 0, "revision that the edit is based on (default: the present one)")
	return cmd
}
