package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/task"
	"shardlift/web/api"
)

// rectifyAfter is how long a step may wait for a worker before the task shows
// "Fault rectification" (interfaces.md).
const rectifyAfter = 60 * time.Second

// renderTask makes the contract's JSON of what control knows.
func renderTask(s *control.Service, d control.Details, now time.Time) api.Task {
	t := api.Task{
		Schema: "shardlift.task/v1", ID: d.TaskID, Name: d.Name, CreatedAt: &d.Created, Tags: map[string]string{}, Warnings: []string{},
		Source: api.Server{}, Destination: api.Server{},
	}
	t.Temporal.WorkflowID, t.Temporal.RunID, t.Temporal.URL = contract.MigrationID(d.TaskID), d.RunID, s.URL(d.TaskID)
	status := d.Memory.Status
	source, destination := d.Memory.Source, d.Memory.Destination
	if v := d.View; v != nil {
		status, source, destination = v.Status, v.Spec.Source.Shown, v.Spec.Destination.Shown
		renderView(&t, v)
	} else {
		since := d.Memory.StatusSince
		t.Type, t.Phase, t.StatusSince = string(d.Memory.Type), string(d.Memory.Phase), &since
		t.WorkerGroup = &d.Memory.WorkerGroup
		t.Warnings = append(t.Warnings, "no worker answers: this is what was known at the last change of status; run `shardlift doctor`")
		t.Precheck.State, t.Sequences.State = "unknown", "unknown"
	}
	renderLive(&t, d)
	if d.View != nil {
		countGroups(&t, d.View)
	}
	status = renderPending(&t, d, status, now)
	if d.Ended && !status.Ended() {
		status = renderEnded(&t, status)
	} else {
		// An automatic retry that waits for its time may be taken at once.
		renderActions(&t, status, d.View != nil && d.View.LastError != nil && d.View.LastError.NextRetryAt != nil)
	}
	t.Status, t.StatusLabel = string(status), status.Label()
	t.Source.Endpoint, t.Source.User = shown(s, d.TaskID, task.SourceSide, source)
	t.Destination.Endpoint, t.Destination.User = shown(s, d.TaskID, task.DestinationSide, destination)
	return t
}

func renderView(t *api.Task, v *contract.View) {
	t.Name, t.Description, t.Type, t.Revision = v.Spec.Name, v.Spec.Description, string(v.Spec.Type), v.Revision
	t.Phase, t.StatusSince, t.CreatedAt = string(v.Phase), &v.StatusSince, &v.CreatedAt
	t.StartAt, t.StartedAt, t.EndedAt = v.StartAt, v.StartedAt, v.EndedAt
	t.WorkerGroup = &v.Spec.WorkerGroup
	t.Source.Kind, t.Source.Version = orNull(v.Source.Kind), orNull(v.Source.Version)
	t.Destination.Kind, t.Destination.Version = orNull(v.Destination.Kind), orNull(v.Destination.Version)
	t.Precheck = renderSummary(v.Precheck)
	t.Sequences.State, t.Sequences.Refreshed, t.Sequences.Total = v.Sequences.State, v.Sequences.Refreshed, v.Sequences.Total
	t.Limits = renderLimits(v.Spec.Limits)
	t.Policy = &api.Policy{Ddl: &v.Spec.Policy.DDL, Truncate: &v.Spec.Policy.Truncate, Divergence: &v.Spec.Policy.Divergence, Sequences: &v.Spec.Policy.Sequences, Apply: orNull(v.Spec.Policy.Apply), TableError: orNull(v.Spec.Policy.TableError)}
	rules := make([]api.ObjectRule, 0, len(v.Spec.Objects))
	for _, r := range v.Spec.Objects {
		rules = append(rules, api.ObjectRule{Schema: r.Schema, To: orNull(r.To), Tables: &r.Tables, Exclude: &r.Exclude, Rename: &r.Rename})
	}
	t.Objects = &rules
	maps.Copy(t.Tags, v.Spec.Tags)
	t.Warnings = append(t.Warnings, v.Warnings...)
	if c := v.Comparison; c != nil {
		t.Comparison = &api.ComparisonSummary{ID: c.ID, Type: c.Type, Result: c.Result, FinishedAt: c.FinishedAt}
	}
	if v.LastError != nil {
		e := renderError(*v.LastError)
		t.LastError = &e
	}
	t.Incremental.Applied, t.Incremental.PurgeAt = renderPosition(v.Applied), v.PurgeAt
	t.ExpiresAt = v.ExpiresAt
	renderGroups(t, v)
	alarms := make([]api.TaskAlarm, 0, len(v.Alarms))
	for _, a := range v.Alarms {
		alarms = append(alarms, api.TaskAlarm{Kind: a.Kind, Text: a.Text, At: a.At})
	}
	t.Alarms = &alarms
	if v.Divergences > 0 {
		t.Incremental.Divergences = &v.Divergences
	}
	if p := v.Plan; p != nil {
		t.Full.RowsEstimated, t.Full.BytesEstimated = &p.RowsEstimated, &p.BytesEstimated
		t.Full.Percent = new(0)
		t.Tables = api.TableCounts{Total: &p.Tables, Waiting: &p.Tables, Copying: new(0), Copied: new(0), Applying: new(0), Parked: new(0)}
		if v.Progress != nil {
			renderProgress(t, *v.Progress)
			t.Full.RowsPerSecond, t.Full.BytesPerSecond, t.Full.RemainingSeconds = nil, nil, nil
		}
		if v.Copy.Done {
			t.Full.Percent, t.Full.RemainingSeconds = new(100), new(int64(0))
			t.Tables.Waiting, t.Tables.Copied = new(0), &p.Tables
		}
		if v.Phase == lifecycle.PhaseIncremental {
			t.Tables.Copied, t.Tables.Applying = new(0), &p.Tables
		}
	}
}

// renderLive adds the numbers of heartbeats; those of copy and apply are two to
// three seconds old, a throttled lane's up to ten.
func renderLive(t *api.Task, d control.Details) {
	if w := d.Watch; w != nil {
		renderProgress(t, w.Progress)
		t.Incremental.SourceHead = renderPosition(&w.Head)
		t.Incremental.PurgeAt = w.PurgeAt
		if w.GapBytes >= 0 {
			t.Incremental.GapBytes = &w.GapBytes
		}
		t.Warnings = append(t.Warnings, w.Warnings...)
	}
	reason := ""
	for _, b := range d.Copy {
		if b.Throttle != "" {
			reason = b.Throttle
		}
	}
	if a := d.Apply; a != nil {
		t.Incremental = api.Incremental{
			Synced: synced(a, d.View), Mode: &a.Mode, DelayMs: &a.DelayMillis, CaptureDelayMs: &a.CaptureDelay, ApplyDelayMs: &a.ApplyDelay,
			RowsPerSecond: &a.RowsRate, TransactionsPerSecond: &a.TxRate, Applied: renderPosition(&a.Applied),
			SourceHead: t.Incremental.SourceHead, GapBytes: t.Incremental.GapBytes, PurgeAt: t.Incremental.PurgeAt, Divergences: &a.Divergences,
		}
		if a.Throttle != "" {
			reason = a.Throttle
		}
	}
	t.Throttle.Active, t.Throttle.Reason = reason != "", orNull(reason)
}

// synced says whether the destination has every table's rows: never while tables
// stand apart, whose changes the apply leaves out; null where nobody can tell.
func synced(a *contract.ApplyBeat, v *contract.View) *bool {
	if v == nil {
		return nil
	}
	return new(a.CaughtUp && !slices.ContainsFunc(v.Groups, contract.Group.Open))
}

func renderProgress(t *api.Task, p contract.CopyProgress) {
	if p.Chunks == 0 {
		return
	}
	f := &t.Full
	f.RowsDone, f.RowsEstimated, f.BytesDone, f.BytesEstimated = &p.RowsDone, &p.RowsEstimated, &p.BytesDone, &p.BytesEstimated
	percent := p.ChunksDone * 100 / p.Chunks
	f.Percent = &percent
	if percent < 100 {
		f.RowsPerSecond, f.BytesPerSecond = &p.RowsRate, &p.BytesRate
		if p.Remaining > 0 {
			f.RemainingSeconds = &p.Remaining
		}
	}
	if t.Phase == string(lifecycle.PhaseFull) {
		waiting := p.Tables - p.TablesCopied - p.TablesCopying
		t.Tables = api.TableCounts{Total: &p.Tables, Waiting: &waiting, Copying: &p.TablesCopying, Copied: &p.TablesCopied, Applying: new(0), Parked: new(0)}
	}
}

// renderPending shows retries and waiting, which the workflow does not see.
func renderPending(t *api.Task, d control.Details, status lifecycle.Status, now time.Time) lifecycle.Status {
	p := d.Pending
	if p == nil {
		return status
	}
	if p.Failure != nil {
		e := renderError(*p.Failure)
		e.NextRetryAt = p.NextRetryAt
		t.LastError = &e
	}
	if p.WaitingSince != nil {
		waited := now.Sub(*p.WaitingSince)
		if waited > 2*time.Second {
			t.Warnings = append(t.Warnings, fmt.Sprintf("waiting for a worker to take %s since %s", p.Activity, p.WaitingSince.UTC().Format(time.RFC3339)))
		}
		if waited > rectifyAfter && !d.Alive && (status == lifecycle.Starting || status == lifecycle.FullStarted || status == lifecycle.IncreStarted) {
			return lifecycle.Rebuild
		}
	}
	return status
}

func renderActions(t *api.Task, status lifecycle.Status, retryWaits bool) {
	t.AvailableActions, t.UnavailableActions = []string{}, []api.UnavailableAction{}
	for _, a := range lifecycle.Actions() {
		if reason := a.Reason(status); reason != "" && (a != lifecycle.Retry || !retryWaits) {
			t.UnavailableActions = append(t.UnavailableActions, api.UnavailableAction{Action: string(a), Reason: reason})
		} else {
			t.AvailableActions = append(t.AvailableActions, string(a))
		}
	}
}

// renderEnded shows a task whose workflow was terminated in Temporal: it failed
// where it was, and can only be deleted.
func renderEnded(t *api.Task, status lifecycle.Status) lifecycle.Status {
	e := renderError(contract.ErrorInfo{
		Code: fault.EndedOutside.Code, Class: string(fault.EndedOutside.Class), Object: "task " + t.Name,
		Message: fault.EndedOutside.Message, Remedy: fault.EndedOutside.Remedy,
	})
	t.LastError = &e
	renderActions(t, lifecycle.ReleaseDone, false)
	if status == lifecycle.WaitingForStart {
		return lifecycle.StartFailed
	}
	return lifecycle.Phase(t.Phase).FailedStatus()
}

func renderSummary(p contract.PrecheckSummary) api.PrecheckSummary {
	out := api.PrecheckSummary{State: p.State, Revision: p.Revision, ExpiresAt: p.ExpiresAt, Failed: p.Failed, Alarms: p.Alarms, Unconfirmed: p.Unconfirmed}
	if p.State == "done" || p.State == "expired" {
		out.PassedRate = &p.PassedRate
	}
	if p.State != "none" {
		out.Percent = &p.Percent
	}
	if p.Skipped > 0 {
		out.Skipped = &p.Skipped
	}
	return out
}

func renderError(e contract.ErrorInfo) api.TaskError {
	return api.TaskError{Code: e.Code, Class: e.Class, Object: e.Object, Message: e.Message, Remedy: e.Remedy, Attempt: e.Attempt, NextRetryAt: e.NextRetryAt}
}

func renderPosition(p *position.Position) *api.Position {
	if p == nil || p.IsZero() {
		return nil
	}
	return &api.Position{File: p.File, Position: int64(p.Offset), Gtid: p.GTID}
}

// shown opens endpoint and user for an authenticated answer; what another web
// process sealed cannot be shown here.
func shown(s *control.Service, taskID string, side task.Side, sealed secret.Sealed) (endpoint, user string) {
	e, err := s.Shown(taskID, side, sealed)
	if err != nil {
		return "[sealed]", "[sealed]"
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), e.User
}

func renderLine(s *control.Service, l control.Line) api.TaskSummary {
	out := api.TaskSummary{
		ID: l.TaskID, Name: l.Name, Type: string(l.Memory.Type), Status: string(l.Status), StatusLabel: l.Status.Label(), Phase: string(l.Memory.Phase),
		CreatedAt: l.Created, Attention: l.Attention, Tags: map[string]string{}, ErrorCode: orNull(l.Memory.ErrorCode),
	}
	if !l.Memory.StatusSince.IsZero() {
		out.StatusSince = &l.Memory.StatusSince
	}
	for _, tag := range slices.Sorted(slices.Values(l.Tags)) {
		key, value, _ := cutTag(tag)
		out.Tags[key] = value
	}
	source, _ := shown(s, l.TaskID, task.SourceSide, l.Memory.Source)
	destination, _ := shown(s, l.TaskID, task.DestinationSide, l.Memory.Destination)
	out.SourceEndpoint, out.DestinationEndpoint = &source, &destination
	return out
}

// orNull is nil for the empty string: unknown is null.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
