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
	// load are the figures that were named, by their names in the task file; none removes all.
	load     map[string]int
	loadNone bool
}

func (f limitFlags) empty() bool {
	return f.mb == nil && f.rows == nil && f.windows == nil && f.zone == nil && f.apply == nil && f.load == nil && !f.loadNone
}

func (a *app) limitCommand() *cobra.Command {
	var mb, rows int
	var windows []string
	var zone string
	var apply bool
	var load string
	cmd := &cobra.Command{
		Use: "limit TASK", Short: "limit the copy", Args: oneTask,
		Long: `Limit the copy, from the next seconds on. What is not named stays; 0 removes a limit, --window none
all windows. A window has limits of its own, which hold instead between its times. --load says from when on
a server counts as busy, by the names of the task file; what is not named stays, none removes all.`,
		Example: "  shardlift limit shop-to-ddm --mb 20\n  shardlift limit shop-to-ddm --mb 0 --rows 0\n  shardlift limit shop-to-ddm --mb 20 --window 22:00-06:00,mb=0 --time-zone Europe/Berlin\n  shardlift limit shop-to-ddm --load threads_running=64,destination_ms=500",
	}
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		said, err := limitsSaid(cmd, mb, rows, windows, zone, apply, load)
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
	cmd.Flags().StringVar(&load, "load", "", "NAME=N[,NAME=N] of threads_running, replica_lag_seconds, history_list, destination_ms; or none")
	return cmd
}

// loads are the figures of load by their names in the task file.
func loads(l *api.LoadLimits) map[string]**int {
	return map[string]**int{
		"threads_running": &l.ThreadsRunning, "replica_lag_seconds": &l.ReplicaLagSeconds, "history_list": &l.HistoryList, "destination_ms": &l.DestinationMs,
	}
}

// parseLoad reads NAME=N,NAME=N; none is an empty map.
func parseLoad(text string) (map[string]int, bool) {
	out := map[string]int{}
	if text == "none" {
		return out, true
	}
	known := loads(&api.LoadLimits{})
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if _, ok := known[name]; !ok || err != nil || n < 0 {
			return nil, false
		}
		out[name] = n
	}
	return out, true
}

// limitsSaid reads the flags that were given.
func limitsSaid(cmd *cobra.Command, mb, rows int, windows []string, zone string, apply bool, load string) (limitFlags, error) {
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
	if changed("load") {
		said, ok := parseLoad(load)
		if !ok {
			return f, fault.Usage.New("--load", "%q: want NAME=N[,NAME=N] of threads_running, replica_lag_seconds, history_list and destination_ms, or none", load)
		}
		f.load, f.loadNone = said, len(said) == 0
	}
	if f.empty() {
		return f, fault.Usage.New("", "give --mb, --rows, --window, --time-zone, --apply or --load; 0 removes a limit")
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
	if f.loadNone {
		l.Load = nil
	}
	for name, n := range f.load {
		if l.Load == nil {
			l.Load = &api.LoadLimits{}
		}
		*loads(l.Load)[name] = &n
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
