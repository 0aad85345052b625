package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/source"
	"shardlift/internal/task"
	"shardlift/internal/throttle"
)

// limitsEvery is how often the control row is read.
const limitsEvery = 2 * time.Second

// limited is a step's share of the task's limits.
type limited struct {
	store   *checkpoint.Store
	limiter *throttle.Limiter
	// parts says in how many parts the limits are shared now, 0 when they do not
	// hold for the step.
	parts func(ctx context.Context, limits task.Limits) (int, error)
	// told is called after every reading: the reason may have changed.
	told func()
	// alarms takes over the thresholds of alarms; may be nil.
	alarms func(task.Alarms)
}

// follow keeps the limiter as the control row says, by which a change takes
// effect within limitsEvery, as does the begin of a time window; the function
// that it returns ends it.
func (l limited) follow(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	l.read(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(limitsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.read(ctx)
				l.told()
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// read takes the limits over; on an error the last ones hold.
func (l limited) read(ctx context.Context) {
	control, ok, err := l.store.Control(ctx)
	if err != nil || !ok {
		return
	}
	if l.alarms != nil && control.Alarms != nil {
		l.alarms(*control.Alarms)
	}
	limits := control.Limits
	switch parts, err := l.parts(ctx, limits); {
	case err != nil:
	case parts == 0:
		l.limiter.Set(task.Limits{}, 1)
	default:
		l.limiter.Set(limits, parts)
	}
}

// lanesOf shares between the lanes that are at work, on whatever worker, and an
// apply beside them that is limited too.
func lanesOf(s *checkpoint.Store, lanes int, beside bool) func(context.Context, task.Limits) (int, error) {
	return func(ctx context.Context, limits task.Limits) (int, error) {
		if limits.MBPerSecond == 0 && limits.RowsPerSecond == 0 && len(limits.Windows) == 0 {
			return 1, nil
		}
		parts, err := s.Copying(ctx, max(lanes, 1))
		if beside && limits.Apply {
			parts++
		}
		return max(parts, 1), err
	}
}

// forApply is the apply's part: all of what is limited for it, shared with the
// lanes of a copy that goes on beside it, or with the steps of groups.
func forApply(s *checkpoint.Store, in contract.ApplyIn, beside *sharing) func(context.Context, task.Limits) (int, error) {
	lanes := lanesOf(s, in.CopyLanes, true)
	return func(ctx context.Context, limits task.Limits) (int, error) {
		switch {
		case !limits.Apply:
			return 0, nil
		case in.BesideCopy:
			return lanes(ctx, limits)
		default:
			return beside.parts(ctx, limits)
		}
	}
}

// sourceLoad says why the source counts as busy.
func sourceLoad(src *source.Source) throttle.Load {
	return func(ctx context.Context, limits task.LoadLimits) (string, error) {
		p, err := src.Pressure(ctx, limits.HistoryList > 0, limits.ReplicaLagSeconds > 0)
		if err != nil {
			return "", err
		}
		return busy(p, limits), nil
	}
}

func busy(p source.Pressure, limits task.LoadLimits) string {
	switch {
	case limits.ThreadsRunning > 0 && p.ThreadsRunning > limits.ThreadsRunning:
		return fmt.Sprintf("the source runs %d threads, limit %d", p.ThreadsRunning, limits.ThreadsRunning)
	case limits.ReplicaLagSeconds > 0 && p.ReplicaLag > int64(limits.ReplicaLagSeconds):
		return fmt.Sprintf("the source is %d s behind its own source, limit %d s", p.ReplicaLag, limits.ReplicaLagSeconds)
	case limits.HistoryList > 0 && p.HistoryList > int64(limits.HistoryList):
		return fmt.Sprintf("the source's history list has %d entries, limit %d", p.HistoryList, limits.HistoryList)
	default:
		return ""
	}
}

// laneBeat shows a lane's numbers, and while it waits for its limits the reason
// for that: a lane may wait for longer than a step may stand still.
type laneBeat struct {
	step    *step
	limiter *throttle.Limiter

	mu   sync.Mutex
	last contract.CopyBeat
}

func (l *laneBeat) beat(b contract.CopyBeat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = b
	l.show()
}

func (l *laneBeat) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.show()
}

func (l *laneBeat) show() {
	l.last.At, l.last.Throttle = time.Now().UTC(), l.limiter.Reason()
	l.step.beat(l.last, [3]int64{int64(l.last.Table), l.last.Rows, l.last.Bytes}, l.last.Throttle != "")
}
