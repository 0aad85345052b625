package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

func (a *app) listCommand() *cobra.Command {
	var status, tag string
	var attention, showDelay bool
	cmd := &cobra.Command{
		Use: "list", Short: "list tasks, newest first", Args: noTask,
		Example: "  shardlift list\n  shardlift list --status PAUSING --tag team=payments\n  shardlift list --attention -o json\n  shardlift list --delay",
		RunE: a.action(func(ctx context.Context, _ []string) error {
			code, err := statusCode(status)
			if err != nil {
				return err
			}
			if tag != "" && !strings.Contains(tag, "=") {
				return fault.Usage.New("--tag", "%q: want key=value", tag)
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			all := api.TaskList{Tasks: []api.TaskSummary{}}
			params := &api.ListTasksParams{Status: filled(code), Tag: filled(tag), Attention: filled(attention), Delay: filled(showDelay), Limit: new(1000)}
			for {
				r, err := answered(c.ListTasksWithResponse(ctx, params))
				if err != nil {
					return err
				}
				all.Tasks = append(all.Tasks, r.JSON200.Tasks...)
				if params.Cursor = r.JSON200.Next; params.Cursor == nil {
					break
				}
			}
			if a.json() {
				return a.printValue(all)
			}
			return a.printTasks(all.Tasks, showDelay)
		}),
	}
	cmd.Flags().StringVar(&status, "status", "", "only tasks in this status, a code such as INCRE_TRANSFER_STARTED or its label")
	cmd.Flags().StringVar(&tag, "tag", "", "only tasks with this tag, key=value")
	cmd.Flags().BoolVar(&showDelay, "delay", false, "with the delay of each task that applies changes")
	cmd.Flags().BoolVar(&attention, "attention", false, "only tasks somebody should look at")
	return cmd
}

// statusCode takes a code or a label, in any case.
func statusCode(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var codes []string
	for _, s := range lifecycle.All() {
		if strings.EqualFold(text, string(s)) || strings.EqualFold(text, s.Label()) {
			return string(s), nil
		}
		codes = append(codes, string(s))
	}
	return "", fault.Usage.New("--status", "%q: want one of %s", text, strings.Join(codes, ", "))
}

func (a *app) printTasks(tasks []api.TaskSummary, showDelay bool) error {
	if len(tasks) == 0 {
		a.note("no tasks")
		return nil
	}
	g := &grid{header: []string{"NAME", "STATUS", "SINCE (UTC)", "SOURCE", "DESTINATION", "ATTENTION"}, whole: []int{0, 2}}
	if showDelay {
		g.header = slices.Insert(g.header, 3, "DELAY")
	}
	for _, t := range tasks {
		attention := t.Attention
		if code := value(t.ErrorCode); code != "" && !strings.Contains(attention, code) {
			attention = strings.TrimSpace(attention + " " + code)
		}
		since := "-"
		if t.StatusSince != nil {
			since = t.StatusSince.UTC().Format("01-02 15:04")
		}
		cells := []string{t.Name, t.StatusLabel, since, value(t.SourceEndpoint), value(t.DestinationEndpoint), attention}
		if showDelay {
			cells = slices.Insert(cells, 3, delayOf(t))
		}
		g.add(cells...)
	}
	return g.print(a.out)
}

// delayOf is the delay of a task that applies changes.
func delayOf(t api.TaskSummary) string {
	if t.Status != string(lifecycle.IncreStarted) {
		return "-"
	}
	return delay(t.DelayMs)
}
