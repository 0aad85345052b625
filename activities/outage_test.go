package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// TestOutage_IsToldAfterAWhile: what passes by itself is retried for ever and
// fails no task, so that people have to hear of it.
func TestOutage_IsToldAfterAWhile(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	away := fault.ServerUnreachable.New("source", "")
	require.Nil(t, outage(now.Add(-outageAfter+time.Second), now, away), "not yet")
	one := outage(now.Add(-outageAfter), now, away)
	require.NotNil(t, one)
	require.True(t, one.Active)
	require.Contains(t, one.Text, "since 2026-11-24T11:50:00Z")
	require.Contains(t, one.Text, fault.ServerUnreachable.Code)
	for _, err := range []error{nil, errors.New("x"), fault.AccessDenied.New("source", ""), context.Canceled} {
		require.Nil(t, outage(now.Add(-time.Hour), now, err), "%v ends the task, or is no outage", err)
	}
}

func TestOutage_IsOverWithTheFirstLook(t *testing.T) {
	var told []contract.TaskAlarm
	refuse := true
	w := &watcher{t: &resolved{}, outage: true, tell: func(_ context.Context, _ string, a contract.TaskAlarm) error {
		if refuse {
			return errors.New("away")
		}
		told = append(told, a)
		return nil
	}}
	w.overcome(t.Context(), time.Now())
	refuse = false
	w.overcome(t.Context(), time.Now())
	w.overcome(t.Context(), time.Now())
	require.Len(t, told, 1, "once, and again where it did not arrive")
	require.Equal(t, contract.AlarmOutage, told[0].Kind)
	require.False(t, told[0].Active)
}
