package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

// limitFlags are what a limit command says; nil is what it leaves as it is.
type limitFlags struct {
	mb, rows *int
	windows  *[]api.LimitWindow
	zone     *string
	apply    *bool
}

func (a *app) limitCommand() *cobra.Command {
	var mb, rows int
	var windows []string
	var zone string
	var apply bool
	cmd := &cobra.Command{
		Use: "limit TASK", Short: "limit the copy", Args: oneTask,
		Long: `Limit the copy, from the next seconds on. What is not named stays; 0 removes a limit, --window none
all windows. A window has limits of its own, which hold instead between its times.`,
		Example: "  shardlift limit shop-to-ddm --mb 20\n  shardlift limit shop-to-ddm --mb 0 --rows 0\n  shardlift limit shop-to-ddm --mb 20 --window 22:00-06:00,mb=0 --time-zone Europe/Berlin",
	}
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		said, err := limitsSaid(cmd, mb, rows, windows, zone, apply)
		if err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		t, _, err := getTask(ctx, c, args[0]) // the API takes all limits, so the others are kept by us
		if err != nil {
			return err
		}
		if t.Limits == nil {
			return fault.NoWorker.New("task "+args[0], "the present limits are not known").WithRemedy("start a worker for the task's worker group")
		}
		limits := said.over(*t.Limits)
		r, err := answered(c.LimitTaskWithResponse(ctx, args[0], &api.LimitTaskParams{IdempotencyKey: a.idempotencyKey()}, api.LimitCommand{Revision: filled(t.Revision), Limits: limits}))
		if err != nil {
			return err
		}
		return a.tell(ctx, c, args[0], "limits set", r)
	})
	cmd.Flags().IntVar(&mb, "mb", 0, "megabytes a second, 0 is none")
	cmd.Flags().IntVar(&rows, "rows", 0, "rows a second, 0 is none")
	cmd.Flags().StringArrayVar(&windows, "window", nil, "HH:MM-HH:MM[,mb=N][,rows=N], at most three; none removes them")
	cmd.Flags().StringVar(&zone, "time-zone", "", "where the windows' clock stands, such as Europe/Berlin")
	cmd.Flags().BoolVar(&apply, "apply", false, "the limits hold for the apply of the binlog too")
	return cmd
}

// limitsSaid reads the flags that were given.
func limitsSaid(cmd *cobra.Command, mb, rows int, windows []string, zone string, apply bool) (limitFlags, error) {
	var f limitFlags
	if mb < 0 || rows < 0 {
		return f, fault.Usage.New("", "a limit is 0 (none) or more")
	}
	changed := cmd.Flags().Changed
	if changed("mb") {
		f.mb = &mb
	}
	if changed("rows") {
		f.rows = &rows
	}
	if changed("time-zone") {
		f.zone = &zone
	}
	if changed("apply") {
		f.apply = &apply
	}
	if changed("window") {
		list := []api.LimitWindow{}
		for _, text := range windows {
			if text == "none" {
				continue
			}
			w, ok := parseWindow(text)
			if !ok {
				return f, fault.Usage.New("--window", "%q: want HH:MM-HH:MM[,mb=N][,rows=N], or none", text)
			}
			list = append(list, w)
		}
		f.windows = &list
	}
	if f == (limitFlags{}) {
		return f, fault.Usage.New("", "give --mb, --rows, --window, --time-zone or --apply; 0 removes a limit")
	}
	return f, nil
}

// over returns limits with what was said in the place of what was.
func (f limitFlags) over(l api.Limits) api.Limits {
	for _, one := range []struct{ said, into **int }{{&f.mb, &l.MbPerSecond}, {&f.rows, &l.RowsPerSecond}} {
		if *one.said != nil {
			*one.into = *one.said
		}
	}
	if f.windows != nil {
		l.Windows = f.windows
	}
	if f.zone != nil {
		l.TimeZone = f.zone
	}
	if f.apply != nil {
		l.Apply = f.apply
	}
	return l
}

// parseWindow reads 22:00-06:00,mb=20,rows=0; the server judges the times.
func parseWindow(text string) (api.LimitWindow, bool) {
	times, rest, _ := strings.Cut(text, ",")
	from, to, ok := strings.Cut(times, "-")
	w := api.LimitWindow{From: from, To: to}
	if !ok || from == "" || to == "" {
		return w, false
	}
	for part := range strings.SplitSeq(rest, ",") {
		if part == "" {
			continue
		}
		name, number, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return w, false
		}
		switch name {
		case "mb":
			w.MbPerSecond = &n
		case "rows":
			w.RowsPerSecond = &n
		default:
			return w, false
		}
	}
	return w, true
}
