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

func TestDelayAlarm_IsOffWithoutAThreshold(t *testing.T) {
	d := newDelayAlarm(task.Alarms{})
	for range 3 {
		require.Nil(t, d.look(contract.ApplyBeat{At: time.Now(), DelayMillis: 1 << 40, CaughtUp: true}))
	}
}
