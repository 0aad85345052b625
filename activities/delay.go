package activities

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/task"
)

// delayAlarm says when a task's delay has been above its threshold for so long,
// and when it no longer is (drs.md P-14). Until the applier has caught up once
// nothing is said: the catch-up after the copy or a pause takes its time. It is
// used by one goroutine, but for set.
type delayAlarm struct {
	limits   atomic.Pointer[task.Alarms]
	caughtUp bool
	over     time.Time // since when the delay is too high; zero: it is not
	told     bool      // the alarm lasts
	first    bool      // nothing was said yet: an older step may have left an alarm
}

func newDelayAlarm(limits task.Alarms) *delayAlarm {
	d := &delayAlarm{first: true}
	d.set(limits)
	return d
}

// set takes thresholds over that were changed meanwhile.
func (d *delayAlarm) set(limits task.Alarms) { d.limits.Store(&limits) }

// look returns the alarm that one beat begins or ends, nil for none.
func (d *delayAlarm) look(b contract.ApplyBeat) *contract.TaskAlarm {
	limits := *d.limits.Load()
	switch {
	case limits.Off() && d.told:
		d.told, d.over = false, time.Time{}
		return &contract.TaskAlarm{Kind: contract.AlarmDelay, At: b.At, Text: "the alarm was switched off"}
	case limits.Off() || b.DelayMillis < 0:
		return nil
	}
	d.caughtUp = d.caughtUp || b.CaughtUp
	what := tooMuch(limits, b)
	if what == "" {
		d.over = time.Time{}
		if (d.told || d.first) && d.caughtUp {
			d.told, d.first = false, false
			return &contract.TaskAlarm{Kind: contract.AlarmDelay, At: b.At, Text: "the delay is below its threshold again"}
		}
		return nil
	}
	if d.over.IsZero() {
		d.over = b.At
	}
	lasts := b.At.Sub(d.over)
	if d.told || !d.caughtUp || lasts < time.Duration(limits.ForSeconds)*time.Second {
		return nil
	}
	d.told, d.first = true, false
	return &contract.TaskAlarm{Kind: contract.AlarmDelay, Active: true, At: b.At, Text: fmt.Sprintf("%s, and that for %s", what, lasts.Round(time.Second))}
}

// tooMuch says which delay of a beat is above its threshold, and where to look;
// "" when none is.
func tooMuch(limits task.Alarms, b contract.ApplyBeat) string {
	for _, d := range []struct {
		name   string
		limit  int
		millis int64
		causes string
	}{
		{"the delay", limits.DelaySeconds, b.DelayMillis, "large transactions, hot rows and the load of both sides"},
		{"the delay from the source to the worker", limits.CaptureSeconds, b.CaptureDelay, "the network, the load of the source and large transactions"},
		{"the delay from the worker to the destination", limits.ApplySeconds, b.ApplyDelay, "hot rows, locks and the load of the destination"},
	} {
		if threshold := time.Duration(d.limit) * time.Second; d.limit > 0 && time.Duration(d.millis)*time.Millisecond > threshold {
			return fmt.Sprintf("%s is %s, above %s: see %s", d.name, (time.Duration(d.millis) * time.Millisecond).Round(time.Second), threshold, d.causes)
		}
	}
	return ""
}

// watchDelay tells the task's workflow of what look finds; a message that does
// not arrive is sent again with the next beat.
func (a *Activities) watchDelay(ctx context.Context, step *step, t *resolved, alarm *delayAlarm) func(contract.ApplyBeat) {
	pending := make(chan contract.TaskAlarm, 1)
	step.done.Go(func() {
		for {
			select {
			case <-step.ended:
				return
			case one := <-pending:
				for a.tellAlarm(ctx, t.TaskID, one) != nil {
					select {
					case <-step.ended:
						return
					case <-time.After(askTime):
					}
				}
			}
		}
	})
	return func(b contract.ApplyBeat) {
		if one := alarm.look(b); one != nil {
			select {
			case <-pending: // an older one that nobody heard of is not worth sending
			default:
			}
			pending <- *one
		}
	}
}
