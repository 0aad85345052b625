package activities

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/task"
)

const (
	watchEvery = 5 * time.Second
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
	work, step := begin(ctx)
	return contract.WatchOut{}, step.end(a.watch(work, t, in.Start, step))
}

func (a *Activities) watch(ctx context.Context, t *resolved, start position.Position, step *step) error {
	d, s, err := openStore(ctx, t, 1)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	w := &watcher{t: t, store: s, src: src, start: start, began: a.startedAt(ctx, t.TaskID)}
	copying, err := w.copying(ctx)
	if err != nil {
		return err
	}
	statements := make(chan error, 1)
	if copying {
		reading, cancel := context.WithCancel(ctx)
		var reader sync.WaitGroup
		defer reader.Wait()
		defer cancel()
		reader.Go(func() { statements <- w.watchStatements(reading, start) })
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		beat, err := w.look(ctx)
		if err != nil {
			return err
		}
		step.beat(beat, beat.At, false)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-step.drain:
			return context.Canceled
		case err := <-statements:
			return err
		case <-tick.C:
		}
	}
}

// startedAt is when the start position was taken, zero when the workflow does not say.
func (a *Activities) startedAt(ctx context.Context, taskID string) time.Time {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var v contract.View
	value, err := a.temporal.QueryWorkflow(ctx, contract.MigrationID(taskID), "", contract.QueryView)
	if err != nil || value.Get(&v) != nil || v.StartedAt == nil {
		return time.Time{}
	}
	return *v.StartedAt
}

// watcher is one run of WatchSource.
type watcher struct {
	t     *resolved
	store *checkpoint.Store
	src   *source.Source
	start position.Position
	began time.Time

	last contract.WatchBeat
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
	if w.t.Spec.Type == task.FullIncremental {
		if err := w.lookAtBinlog(ctx, &beat); err != nil {
			return beat, err
		}
	}
	w.last = beat
	return beat, nil
}

// lookAtBinlog checks that everything after the checkpoint, or the start
// position before there is one, can still be read.
func (w *watcher) lookAtBinlog(ctx context.Context, beat *contract.WatchBeat) error {
	needed, since := w.start, w.began
	c, err := w.store.Load(ctx, 0)
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
	caughtUp, err := needed.Covers(beat.Head)
	if keep := retention(w.src); err == nil && !caughtUp && keep > 0 && !since.IsZero() {
		at := since.Add(keep)
		beat.PurgeAt = &at
		if left := at.Sub(beat.At); left < purgeWarning {
			beat.Warnings = append(beat.Warnings, fmt.Sprintf("the source may purge binlog files that are still needed in %s: raise its retention", left.Round(time.Minute)))
		}
	}
	return nil
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

// retention is how long the source keeps binlog files by itself; 0 for ever or unknown.
func retention(src *source.Source) time.Duration {
	c := src.Capabilities()
	if n, err := strconv.ParseInt(c.VariableOr("binlog_expire_logs_seconds", "0"), 10, 64); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if n, err := strconv.ParseFloat(c.VariableOr("expire_logs_days", "0"), 64); err == nil && n > 0 {
		return time.Duration(n * float64(24*time.Hour))
	}
	return 0
}
