package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var level string
	cmd := &cobra.Command{
		Use: "logs TASK", Short: "show a task's log", Args: oneTask,
		Long: `Show a task's log, oldest line first. With -f new lines are shown until Ctrl-C or until the task has
ended; with -o json each line is then a JSON object of its own.`,
		Example: "  shardlift logs shop-to-ddm --level error\n  shardlift logs shop-to-ddm -f",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if level != "" && level != "info" && level != "warn" && level != "error" {
				return fault.Usage.New("--level", "want info, warn or error")
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			l := &logReader{a: a, c: c, task: args[0], level: level, stream: follow}
			if !follow {
				return l.all(ctx)
			}
			return l.follow(ctx)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new lines")
	cmd.Flags().StringVar(&level, "level", "", "only lines of this level: info, warn or error")
	return cmd
}

// logReader reads pages of a log; cursor is the number of the last line read.
type logReader struct {
	a           *app
	c           *api.ClientWithResponses
	task, level string
	cursor      string
	stream      bool
}

// page returns the lines after the cursor; more says that others follow at once.
func (l *logReader) page(ctx context.Context) (lines []api.LogLine, more bool, err error) {
	params := &api.ListLogsParams{Limit: new(1000), Cursor: filled(l.cursor)}
	setText(&params.Level, l.level)
	r, err := answered(l.c.ListLogsWithResponse(ctx, l.task, params))
	if err != nil {
		return nil, false, err
	}
	lines = r.JSON200.Lines
	if len(lines) > 0 {
		l.cursor = strconv.FormatInt(lines[len(lines)-1].Number, 10)
	}
	if r.JSON200.Next != nil {
		l.cursor = *r.JSON200.Next
	}
	return lines, r.JSON200.Next != nil && len(lines) > 0, nil
}

func (l *logReader) all(ctx context.Context) error {
	whole := api.LogList{Lines: []api.LogLine{}}
	for more := true; more; {
		var lines []api.LogLine
		var err error
		if lines, more, err = l.page(ctx); err != nil {
			return err
		}
		whole.Lines = append(whole.Lines, lines...)
	}
	if l.a.json() {
		return l.a.printValue(whole)
	}
	return l.print(whole.Lines)
}

// follow prints new lines until the task has ended and its last lines are out.
func (l *logReader) follow(ctx context.Context) error {
	p := patience{a: l.a}
	for {
		t, _, err := getTask(ctx, l.c, l.task)
		ended := err == nil && statusOf(t).Ended()
		if err == nil {
			var lines []api.LogLine
			var more bool
			if lines, more, err = l.page(ctx); err == nil {
				if err := l.print(lines); err != nil {
					return err
				}
				if more {
					continue
				}
				if ended {
					return nil
				}
			}
		}
		if err := p.bear(err); err != nil {
			return err
		}
		if err := pause(ctx, l.a.poll); err != nil {
			return err
		}
	}
}

func (l *logReader) print(lines []api.LogLine) error {
	for _, line := range lines {
		if l.a.json() {
			body, err := json.Marshal(line)
			if err == nil {
				err = l.a.printLine(body)
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := l.a.say("%s  %-5s  %s", moment(&line.At), strings.ToUpper(line.Level), line.Message); err != nil {
			return err
		}
	}
	return nil
}

// setText sets an optional parameter of any text type.
func setText[T ~string](to **T, text string) {
	if text != "" {
		*to = new(T(text))
	}
}
