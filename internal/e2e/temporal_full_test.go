//go:build full

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMove_TemporalIsAway: Temporal's server is killed and stays away for a
// second in the copy, and for 15 seconds and two minutes in the apply, far beyond
// the heartbeat timeout, while the source is written. Whether the attempts under
// way ended or went on, the task goes on by itself and nothing is lost.
func TestMove_TemporalIsAway(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 4000, limits: slow(1000)})
	m.begin()
	stop := m.traffic(1)
	defer stop()
	away := func(d time.Duration) {
		t.Logf("Temporal is away for %s", d)
		s.temporal.Kill(t)
		select {
		case <-time.After(d):
		case <-t.Context().Done():
		}
		s.temporal.Start(t)
	}
	s.eventually(2*time.Minute, "copied rows", func() bool { return m.copied() > 500 })
	away(time.Second)
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	m.await(3*time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(2 * time.Minute)
	for _, d := range []time.Duration{15 * time.Second, 2 * time.Minute} {
		before := m.written.Load()
		away(d)
		require.Greater(t, m.written.Load(), before, "nothing was written meanwhile")
		m.synced(3 * time.Minute)
	}
	stop()
	m.synced(3 * time.Minute)
	m.requireEqual()
	m.must("stop", "")
	m.await(2*time.Minute, "RELEASE_RESOURCE_COMPLETE")
	m.requireEqual()
}
