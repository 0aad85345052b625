package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/task"
)

func TestDelayAlarm_BeginsAfterItsTimeAndEnds(t *testing.T) {
	d := newDelayAlarm(task.Alarms{DelaySeconds: 10, ForSeconds: 60})
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	beat := func(passed time.Duration, delay time.Duration, caughtUp bool) *contract.TaskAlarm {
		at = at.Add(passed)
		return d.look(contract.ApplyBeat{At: at, DelayMillis: delay.Milliseconds(), CaughtUp: caughtUp})
	}
	require.Nil(t, beat(time.Second, time.Hour, false))
	require.Nil(t, beat(10*time.Minute, time.Hour, false), "the first catch-up is no alarm")
	over := beat(time.Second, time.Second, true)
	require.NotNil(t, over, "an older step may have left an alarm")
	require.False(t, over.Active)
	require.Nil(t, beat(time.Second, time.Second, true))

	require.Nil(t, beat(time.Second, 11*time.Second, false))
	require.Nil(t, beat(59*time.Second, 70*time.Second, false))
	require.Nil(t, beat(500*time.Millisecond, 9*time.Second, false), "back below in time")
	require.Nil(t, beat(time.Second, 11*time.Second, false))
	alarm := beat(60*time.Second, 71*time.Second, false)
	require.NotNil(t, alarm)
	require.True(t, alarm.Active)
	require.Equal(t, contract.AlarmDelay, alarm.Kind)
	require.Nil(t, beat(time.Minute, 2*time.Minute, false), "told once")
	over = beat(time.Second, time.Second, true)
	require.NotNil(t, over)
	require.False(t, over.Active)
}

// TestDelayAlarm_FollowsNewThresholds: those of the control row hold at once,
// and an alarm that is switched off ends.
func TestDelayAlarm_FollowsNewThresholds(t *testing.T) {
	d := newDelayAlarm(task.Alarms{})
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	beat := func(delay time.Duration, caughtUp bool) *contract.TaskAlarm {
		at = at.Add(time.Second)
		return d.look(contract.ApplyBeat{At: at, DelayMillis: delay.Milliseconds(), CaughtUp: caughtUp})
	}
	require.Nil(t, beat(time.Hour, true))
	d.set(task.Alarms{DelaySeconds: 10, ForSeconds: 1})
	require.False(t, beat(time.Second, true).Active, "an older step may have left an alarm")
	require.Nil(t, beat(time.Hour, false))
	require.True(t, beat(time.Hour, false).Active)
	d.set(task.Alarms{})
	over := beat(time.Hour, false)
	require.NotNil(t, over)
	require.False(t, over.Active)
	require.Nil(t, beat(time.Hour, false))
}

// TestDelayAlarm_OfEachPart: the way to the worker and the way to the destination
// may have thresholds of their own.
func TestDelayAlarm_OfEachPart(t *testing.T) {
	for _, c := range []struct {
		limits         task.Alarms
		capture, apply int64
		want           string
	}{
		{task.Alarms{CaptureSeconds: 10}, 11_000, 0, "from the source to the worker is 11s, above 10s"},
		{task.Alarms{CaptureSeconds: 10}, 9_000, 60_000, ""},
		{task.Alarms{ApplySeconds: 10}, 0, 11_000, "from the worker to the destination is 11s, above 10s"},
		{task.Alarms{ApplySeconds: 10}, 60_000, 9_000, ""},
	} {
		d := newDelayAlarm(c.limits)
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		d.look(contract.ApplyBeat{At: at, CaughtUp: true})
		d.look(contract.ApplyBeat{At: at, DelayMillis: c.capture + c.apply, CaptureDelay: c.capture, ApplyDelay: c.apply})
		require.False(t, d.limits.Load().Off())
		require.Equal(t, c.want != "", d.told)
		require.Contains(t, tooMuch(c.limits, contract.ApplyBeat{CaptureDelay: c.capture, ApplyDelay: c.apply}), c.want)
	}
}

func TestDelayAlarm_IsOffWithoutAThreshold(t *testing.T) {
	d := newDelayAlarm(task.Alarms{})
	for range 3 {
		require.Nil(t, d.look(contract.ApplyBeat{At: time.Now(), DelayMillis: 1 << 40, CaughtUp: true}))
	}
}
