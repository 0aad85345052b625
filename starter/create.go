package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) createCommand() *cobra.Command {
	var file string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "create -f FILE", Short: "create a task, or with --dry-run only check the file", Args: noTask,
		Long: `Create a task from a task file and print it. Passwords and certificates are read by this program
and sent with it; the server seals them before they go anywhere.`,
		Example: "  shardlift create -f task.yaml --dry-run\n  shardlift create -f task.yaml -o json",
		RunE: a.action(func(ctx context.Context, _ []string) error {
			_, sent, err := a.readTaskFile(file)
			if err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.CreateTaskWithResponse(ctx, &api.CreateTaskParams{DryRun: filled(dryRun), Draft: filled(a.draft), IdempotencyKey: a.idempotencyKey()}, sent))
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(r.Body)
			}
			t := r.JSON201
			if t == nil {
				t = r.JSON200
			}
			if dryRun {
				a.note("the file is valid; nothing was created")
			} else {
				a.note("created; next: shardlift precheck %s --wait", t.Name)
			}
			return a.printTask(t)
		}),
	}
	taskFileFlag(cmd, &file)
	a.configureFlags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check the file only")
	return cmd
}
