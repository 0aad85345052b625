package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// outageAfter is how long source or destination may be away before people hear of
// it: what passes by itself is retried for ever, and the task does not fail.
const outageAfter = 10 * time.Minute

// formerWatch is what the attempt before this one told last, and since when a
// watch has seen nothing.
func formerWatch(ctx context.Context) (beat contract.WatchBeat, since time.Time) {
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &beat) == nil && !beat.At.IsZero() {
		beat.Progress.RowsRate, beat.Progress.BytesRate, beat.Progress.Remaining = 0, 0, 0
		return beat, beat.At
	}
	return contract.WatchBeat{}, activity.GetInfo(ctx).ScheduledTime
}

// outage is the alarm of a watch that has seen nothing since a moment; nil where
// it is no outage, or not yet.
func outage(since, now time.Time, err error) *contract.TaskAlarm {
	f, ok := fault.As(err)
	if !ok || f.Class != fault.Retry || since.IsZero() || now.Sub(since) < outageAfter {
		return nil
	}
	return &contract.TaskAlarm{
		Kind: contract.AlarmOutage, Active: true, At: now.UTC(),
		Text: fmt.Sprintf("nothing could be read or written since %s, and it is tried again until it can: %s %s", since.UTC().Format(time.RFC3339), f.Code, f.Message),
	}
}

// tellOutage tells of it once.
func (a *Activities) tellOutage(ctx context.Context, taskID string, one *contract.TaskAlarm) {
	if one == nil || alarmed(a.viewOf(ctx, taskID), contract.AlarmOutage) {
		return
	}
	_ = a.tellAlarm(ctx, taskID, *one) // the next attempt tells it otherwise
}

func alarmed(v contract.View, kind string) bool {
	return slices.ContainsFunc(v.Alarms, func(x contract.TaskAlarm) bool { return x.Kind == kind })
}
