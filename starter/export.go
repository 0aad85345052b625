package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"shardlift/internal/fault"
	"shardlift/internal/task"
)

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export TASK", Short: "write a task's file without its secrets", Args: oneTask,
		Long: `Write a task's file to standard output, as a template for other tasks. What the server cannot tell
(passwords, certificates, data nodes) is named in comments on top of it.`,
		Example: "  shardlift export shop-to-ddm > template.yaml",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.GetTaskFileWithResponse(ctx, args[0]))
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(r.Body)
			}
			var f task.File
			data, err := json.Marshal(r.JSON200.File)
			if err == nil {
				err = json.Unmarshal(data, &f)
			}
			if err != nil {
				return fault.StrangeAnswer.Wrap(err, "task file")
			}
			text, err := yaml.Marshal(f)
			if err != nil {
				return fmt.Errorf("write task file: %w", err)
			}
			return a.say("# missing: %s\n%s", strings.Join(r.JSON200.Missing, ", "), strings.TrimSuffix(string(text), "\n"))
		}),
	}
}
