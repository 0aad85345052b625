package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/task"
)

const (
	// progressEvery is how often a copy's sums are read, binlogEvery how often the source is asked.
	progressEvery = 2 * time.Second
	binlogEvery   = 5 * time.Second
	// purgeWarning is how near the purge of a binlog file that is still needed may come.
	purgeWarning = 6 * time.Hour
)

// WatchSource looks at the source beside copy and apply: whether what is still
// needed of its binlog is there, how far it is ahead, when it will be purged,
// and how far the copy is. It ends when it is cancelled, or with the fault that
// ends the task.
func (a *Activities) WatchSource(ctx context.Context, in contract.WatchIn) (contract.WatchOut, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.WatchOut{}, err
	}
	former, since := formerWatch(ctx)
	work, step := begin(ctx)
	if !former.At.IsZero() { // until this attempt has something newer to show
		step.beat(former, former.At, false)
	}
	out, err := a.watch(work, t, in, step, &since)
	a.tellOutage(ctx, t.TaskID, outage(since, time.Now(), err))
	return out, step.end(err)
}

// watch keeps in seen when it last saw both sides.
func (a *Activities) watch(ctx context.Context, t *resolved, in contract.WatchIn, step *step, seen *time.Time) (out contract.WatchOut, err error) {
	d, s, err := openStore(ctx, t, 1)
	if err != nil {
		return out, err
	}
	defer func() { _ = d.Close() }()
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return out, err
	}
	defer func() { _ = src.Close() }()
	view := a.viewOf(ctx, t.TaskID)
	w := &watcher{t: t, store: s, src: src, start: in.Start, tell: a.tellAlarm}
	if view.StartedAt != nil {
		w.began = *view.StartedAt
	}
	w.alarmed, w.outage = alarmed(view, contract.AlarmPurge), alarmed(view, contract.AlarmOutage)
	copying := false
	if !in.ApplyDuring {
		copying, err = w.copying(ctx)
	}
	if err != nil {
		return out, err
	}
	every := binlogEvery
	statements := make(chan error, 1)
	if copying {
		reading, cancel := context.WithCancel(ctx)
		var reader sync.WaitGroup
		defer reader.Wait()
		defer cancel()
		reader.Go(func() { statements <- w.watchStatements(reading, in.Start) })
	}
	if !view.Copy.Done {
		every = progressEvery
		step.live(a.temporal)
	}
	step.measure(t)
	turn := a.takeTurn(ctx, step) // a watch that kept its slot would starve the applies
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		beat, err := w.look(ctx)
		if err != nil {
			return out, err
		}
		*seen = beat.At
		w.overcome(ctx, beat.At)
		step.beat(beat, beat.At, false)
		select {
		case <-ctx.Done():
			return out, context.Cause(ctx)
		case <-turn.drain:
			out = w.lastLook(ctx)
			if turn.over.Load() {
				return out, nil
			}
			return out, temporal.NewCanceledError(out)
		case err := <-statements:
			return out, err
		case <-tick.C:
		}
	}
}

// viewOf asks the task's workflow for its state; the zero View when it does not answer.
func (a *Activities) viewOf(ctx context.Context, taskID string) (v contract.View) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	value, err := a.temporal.QueryWorkflow(ctx, contract.MigrationID(taskID), "", contract.QueryView)
	if err != nil || value.Get(&v) != nil {
		return contract.View{}
	}
	return v
}

// tellAlarm sends the beginning or the end of an alarm to the task's workflow.
func (a *Activities) tellAlarm(ctx context.Context, taskID string, alarm contract.TaskAlarm) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := a.temporal.SignalWorkflow(ctx, contract.MigrationID(taskID), "", contract.SignalAlarm, alarm); err != nil {
		return fmt.Errorf("tell task %s of an alarm: %w", taskID, err)
	}
	return nil
}

// watcher is one run of WatchSource.
type watcher struct {
	t     *resolved
	store *checkpoint.Store
	src   *source.Source
	start position.Position
	began time.Time

	// tell sends an alarm; alarmed says whether the last one that arrived was active.
	tell    func(ctx context.Context, taskID string, alarm contract.TaskAlarm) error
	alarmed bool
	outage  bool // people were told of one

	last   contract.WatchBeat
	looked time.Time // at the binlog
	copy   foretell
}

// copying says whether the apply, which judges statements itself, has not begun yet.
func (w *watcher) copying(ctx context.Context) (bool, error) {
	if w.t.Spec.Type != task.FullIncremental || w.start.IsZero() {
		return false, nil
	}
	c, err := w.store.Load(ctx, 0)
	return c == nil, err
}

func (w *watcher) look(ctx context.Context) (contract.WatchBeat, error) {
	beat := contract.WatchBeat{At: time.Now().UTC(), GapBytes: -1}
	var err error
	if beat.Progress, err = w.store.Progress(ctx); err != nil {
		return beat, err
	}
	if passed := beat.At.Sub(w.last.At).Seconds(); !w.last.At.IsZero() && passed > 0 {
		beat.Progress.RowsRate = float64(beat.Progress.RowsDone-w.last.Progress.RowsDone) / passed
		beat.Progress.BytesRate = float64(beat.Progress.BytesDone-w.last.Progress.BytesDone) / passed
	}
	beat.Progress.Remaining = int64(w.copy.remaining(beat.At, beat.Progress).Seconds())
	if w.t.Spec.Type == task.FullIncremental {
		if beat.At.Sub(w.looked) < binlogEvery {
			beat.Head, beat.GapBytes, beat.PurgeAt, beat.Warnings = w.last.Head, w.last.GapBytes, w.last.PurgeAt, w.last.Warnings
		} else {
			w.looked = beat.At
			if err := w.lookAtBinlog(ctx, &beat); err != nil {
				return beat, err
			}
			w.alarm(ctx, beat)
		}
	}
	w.last = beat
	return beat, nil
}

// lastLook is what the task remembers while nobody watches: from now on
// everything that the source writes is needed.
func (w *watcher) lastLook(ctx context.Context) contract.WatchOut {
	out := contract.WatchOut{Progress: w.last.Progress, PurgeAt: w.last.PurgeAt}
	if p, err := w.store.Progress(ctx); err == nil {
		out.Progress = p
	}
	if w.t.Spec.Type != task.FullIncremental || out.PurgeAt != nil {
		return out
	}
	if r, err := w.src.Retention(ctx); err == nil && (r.For > 0 || r.Provider) {
		out.PurgeAt = new(time.Now().UTC().Add(r.For))
	}
	return out
}

// alarm tells the task when the risk of a purge begins and ends; what did not
// arrive is sent again with the next look.
func (w *watcher) alarm(ctx context.Context, beat contract.WatchBeat) {
	risk := len(beat.Warnings) > 0
	if risk == w.alarmed || w.tell == nil {
		return
	}
	a := contract.TaskAlarm{Kind: contract.AlarmPurge, Active: risk, At: beat.At}
	if risk {
		a.Text = beat.Warnings[0]
	}
	if w.tell(ctx, w.t.TaskID, a) == nil {
		w.alarmed = risk
	}
}

// overcome ends the alarm of an outage: both sides were seen.
func (w *watcher) overcome(ctx context.Context, now time.Time) {
	if w.outage && w.tell(ctx, w.t.TaskID, contract.TaskAlarm{Kind: contract.AlarmOutage, At: now, Text: "source and destination answer again"}) == nil {
		w.outage = false
	}
}

// lookAtBinlog checks that everything after the oldest checkpoint of all groups,
// or the start position before there is one, can still be read.
func (w *watcher) lookAtBinlog(ctx context.Context, beat *contract.WatchBeat) error {
	needed, since := w.start, w.began
	c, err := w.store.Oldest(ctx)
	if err != nil {
		return err
	}
	if c != nil {
		needed = c.Position
		if !c.SourceTime.IsZero() {
			since = c.SourceTime
		}
	}
	if err := w.src.CheckHistory(ctx, needed); err != nil {
		return err
	}
	if beat.Head, err = w.src.Head(ctx); err != nil {
		return err
	}
	if files, err := w.src.BinaryLogs(ctx); err == nil { // the right to list them may be missing
		beat.GapBytes = gap(files, needed, beat.Head)
	}
	if caughtUp, err := needed.Covers(beat.Head); err != nil || caughtUp {
		return nil //nolint:nilerr // places that cannot be compared are CheckHistory's matter
	}
	r, err := w.src.Retention(ctx)
	if err != nil {
		return err
	}
	w.purgeRisk(beat, r, since)
	return nil
}

// purgeRisk says when the binlog that is still needed may be purged. Files also
// go by size, and on Amazon RDS by its own setting.
func (w *watcher) purgeRisk(beat *contract.WatchBeat, r source.Retention, since time.Time) {
	if (r.For > 0 || r.Provider) && !since.IsZero() {
		at := since.Add(r.For)
		beat.PurgeAt = &at
		if left := at.Sub(beat.At); left <= 0 {
			beat.Warnings = append(beat.Warnings, "the source may purge binlog files that are still needed at any time: raise its retention")
		} else if left < purgeWarning {
			beat.Warnings = append(beat.Warnings, fmt.Sprintf("the source may purge binlog files that are still needed in %s: raise its retention", left.Round(time.Minute)))
		}
	}
	if r.Bytes > 0 && beat.GapBytes > r.Bytes/4*3 {
		beat.Warnings = append(beat.Warnings, fmt.Sprintf("%d MiB of binlog are still needed, and the source purges beyond %d MiB: raise its %s", beat.GapBytes>>20, r.Bytes>>20, r.BytesBy))
	}
}

// gap sums the binlog between two places; -1 when the files do not tell.
func gap(files []source.BinaryLog, from, to position.Position) int64 {
	if from.File == "" || to.File == "" {
		return -1
	}
	var sum int64
	inside := false
	for _, f := range files {
		if f.Name == from.File {
			inside = true
			sum -= int64(from.Offset)
		}
		if f.Name == to.File {
			if !inside {
				return -1
			}
			return max(0, sum+int64(to.Offset))
		}
		if inside {
			sum += int64(f.Size)
		}
	}
	return -1
}
