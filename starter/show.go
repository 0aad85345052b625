package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/web/api"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show TASK", Short: "show a task", Args: oneTask,
		Long:    "Show a task: status, progress, delay, errors, and what can be done now. What is not known is \"?\", in JSON null.",
		Example: "  shardlift show shop-to-ddm\n  shardlift show shop-to-ddm -o json",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			t, body, err := getTask(ctx, c, args[0])
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(body)
			}
			return a.printTask(t)
		}),
	}
}

func (a *app) printTask(t *api.Task) error {
	title := t.Name
	if t.ID != "" {
		title += "  " + t.ID
	}
	if err := a.say("%s", title); err != nil {
		return err
	}
	f := &facts{}
	f.add("status", "%s (%s) since %s", t.StatusLabel, t.Status, moment(t.StatusSince))
	f.add("task", "%s, phase %s, revision %d, worker group %s", t.Type, t.Phase, t.Revision, orUnknown(t.WorkerGroup))
	if t.Description != "" {
		f.add("description", "%s", t.Description)
	}
	f.add("source", "%s", endpoint(t.Source))
	f.add("destination", "%s", endpoint(t.Destination))
	f.add("times", "created %s, scheduled %s, started %s, ended %s", moment(t.CreatedAt), moment(t.StartAt), moment(t.StartedAt), moment(t.EndedAt))
	addPrecheck(f, t.Precheck)
	addProgress(f, t)
	if c := t.Comparison; c != nil {
		f.add("comparison", "%s by %s: %s, %s", c.ID, c.Type, c.Result, moment(c.FinishedAt))
	}
	f.add("sequences", "%s, %d of %d refreshed", t.Sequences.State, t.Sequences.Refreshed, t.Sequences.Total)
	if len(t.Tags) > 0 {
		tags := make([]string, 0, len(t.Tags))
		for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
			tags = append(tags, key+"="+t.Tags[key])
		}
		f.add("tags", "%s", strings.Join(tags, " "))
	}
	addTrouble(f, t)
	f.add("possible", "%s", strings.Join(orDash(t.AvailableActions), ", "))
	if t.Temporal.URL != "" {
		f.add("Temporal", "%s", t.Temporal.URL)
	}
	return f.print(a.out)
}

func endpoint(s api.Server) string {
	return fmt.Sprintf("%s as %s, %s %s", s.Endpoint, s.User, orUnknown(s.Kind), orUnknown(s.Version))
}

func addPrecheck(f *facts, p api.PrecheckSummary) {
	switch p.State {
	case "done", "expired":
		f.add("pre-check", "%s: %s %% passed, %d failed, %d alarms (%d not confirmed), revision %d, good until %s",
			p.State, count(p.PassedRate), p.Failed, p.Alarms, p.Unconfirmed, p.Revision, moment(p.ExpiresAt))
	case "":
		f.add("pre-check", "%s", unknown)
	default:
		f.add("pre-check", "%s", p.State)
	}
}

func addProgress(f *facts, t *api.Task) {
	if p := t.Full; p.Percent != nil || p.RowsDone != nil {
		f.add("full copy", "%s %%, %s of about %s rows, %s of about %s", count(p.Percent), count(p.RowsDone), count(p.RowsEstimated), size(p.BytesDone), size(p.BytesEstimated))
		if p.RowsPerSecond != nil {
			f.add("", "%s rows/s, %s MB/s, %s left", rate(p.RowsPerSecond), megabytes(p.BytesPerSecond), seconds(p.RemainingSeconds))
		}
	}
	if n := t.Tables; n.Total != nil {
		f.add("tables", "%s: %s waiting, %s copying, %s copied, %s applying, %s parked",
			count(n.Total), count(n.Waiting), count(n.Copying), count(n.Copied), count(n.Applying), count(n.Parked))
	}
	if i := t.Incremental; i.Synced != nil || i.DelayMs != nil || i.Applied != nil {
		state := "catching up"
		switch {
		case len(apart(t)) > 0:
			state = fmt.Sprintf("NOT synced (%d apart)", len(apart(t)))
		case i.Synced == nil:
			state = unknown
		case *i.Synced:
			state = "synced"
		}
		f.add("incremental", "%s, mode %s, delay %s, %s rows/s, %s transactions/s, %s divergences",
			state, orUnknown(i.Mode), delay(i.DelayMs), rate(i.RowsPerSecond), rate(i.TransactionsPerSecond), count(i.Divergences))
		f.add("applied", "%s", place(i.Applied))
		f.add("source head", "%s, gap %s, purged at %s", place(i.SourceHead), size(i.GapBytes), moment(i.PurgeAt))
	}
	if t.Throttle.Active {
		f.add("throttled", "%s", orUnknown(t.Throttle.Reason))
	}
	if l := t.Limits; l != nil {
		if windows := value(l.Windows); value(l.MbPerSecond) > 0 || value(l.RowsPerSecond) > 0 || len(windows) > 0 {
			f.add("limits", "%d MB/s, %d rows/s (0 is none)", value(l.MbPerSecond), value(l.RowsPerSecond))
			for _, w := range windows {
				f.add("", "%s to %s %s: %d MB/s, %d rows/s", w.From, w.To, value(l.TimeZone), value(w.MbPerSecond), value(w.RowsPerSecond))
			}
		}
	}
}

func addTrouble(f *facts, t *api.Task) {
	if e := t.LastError; e != nil && e.Code != "" {
		f.add("error", "%s", headline(api.Problem{Code: e.Code, Object: filled(e.Object), Detail: filled(e.Message)}))
		f.add("", "attempt %d, next try %s", e.Attempt, moment(e.NextRetryAt))
		f.add("remedy", "%s", e.Remedy)
	}
	for _, g := range value(t.Groups) {
		names := make([]string, 0, len(g.Tables))
		for _, n := range g.Tables {
			names = append(names, n.Schema+"."+n.Table)
		}
		f.add("apart", "%s: %s since %s", strings.Join(names, ", "), g.State, moment(&g.Since))
		if e := g.Error; e != nil {
			f.add("", "%s", headline(api.Problem{Code: e.Code, Object: filled(e.Object), Detail: filled(e.Message)}))
			f.add("", "%s", e.Remedy)
		}
	}
	if t.ExpiresAt != nil {
		f.add("", "ends by itself at %s (expired_days)", moment(t.ExpiresAt))
	}
	for _, a := range value(t.Alarms) {
		f.add("alarm", "%s since %s: %s", a.Kind, moment(&a.At), a.Text)
	}
	for _, w := range t.Warnings {
		f.add("warning", "%s", w)
	}
}
