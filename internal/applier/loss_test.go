package applier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/fault"
	"shardlift/internal/testdb"
)

// killConnections cuts every connection of the rig's own account again and again
// until ctx ends, the binlog dump included; the server is shared with others.
func (r *rig) killConnections(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		found, err := testdb.Processes(ctx, r.db)
		if err != nil {
			continue
		}
		for _, p := range found {
			if p.User == r.conn.User {
				_, _ = r.db.ExecContext(ctx, fmt.Sprintf("KILL %d", p.ID))
			}
		}
	}
}

// TestRule9_LostConnectionsOnBothSidesConverge kills the dump connection and
// the writers' connections while a storm is applied; nothing is lost or doubled.
func TestRule9_LostConnectionsOnBothSidesConverge(t *testing.T) {
	r := newRig(t, "mysql97", false, twoTables, nil)
	ctx, cancel := context.WithCancel(t.Context())
	storm := make(chan struct{})
	go func() { defer close(storm); r.killConnections(ctx, 150*time.Millisecond) }()
	r.storm(11, 300)
	deadline := time.Now().Add(10 * time.Minute)
	lastErr := errors.New("never ran")
	for attempt := int32(1); lastErr != nil; attempt++ {
		if attempt == 6 {
			cancel() // let it come to an end
		}
		lastErr = r.attempt(t.Context(), attempt)
		require.True(t, time.Now().Before(deadline), "not drained: %v", lastErr)
	}
	cancel()
	<-storm
	r.box = 60
	r.drain()
	r.requireEqual()
}

// attempt is one attempt as Temporal would make it; any error is followed by another.
func (r *rig) attempt(ctx context.Context, attempt int32) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	stop, err := r.source.Head(ctx)
	if err != nil {
		return err
	}
	fence, err := r.store.Acquire(ctx, "apply/0", checkpoint.Token{Epoch: 1, Box: 50, Attempt: attempt}, []string{r.to}, false)
	if err != nil {
		return err
	}
	c := r.bare()
	c.Fence, c.Stop = fence, &stop
	out, err := Run(ctx, c)
	if err == nil && !out.Drained {
		return errors.New("not drained")
	}
	return err
}

// TestFence_OlderAttemptWritesNothingMore: a run whose unit was acquired by a
// newer attempt stops with Fenced, whatever it still had to write.
func TestFence_OlderAttemptWritesNothingMore(t *testing.T) {
	r := newRig(t, "mysql97", true, twoTables, twoRules)
	r.exec("INSERT INTO log (s, x) VALUES (1,'first')")
	older := r.config(func(c *Config) { c.Stop = nil })
	failed := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	go func() { _, err := Run(ctx, older); failed <- err }()
	require.Eventually(t, func() bool { return len(rows(t, r.dstDB, "log")) == 1 }, time.Minute, 20*time.Millisecond)

	newer, err := r.store.Acquire(ctx, "apply/0", checkpoint.Token{Epoch: 1, Box: 99, Attempt: 1}, []string{r.to}, false)
	require.NoError(t, err)
	before := rows(t, r.dstDB, "log")
	r.exec("INSERT INTO log (s, x) VALUES (2,'second')")
	err = <-failed
	require.ErrorIs(t, err, fault.Fenced)
	require.Equal(t, before, rows(t, r.dstDB, "log"))

	r.drain(func(c *Config) { c.Fence = newer })
	r.requireEqual()
}

// TestRun_DrainEndsAtATransactionsEnd: on request the run ends with everything
// it wrote in the checkpoint, and the next one goes on behind it.
func TestRun_DrainEndsAtATransactionsEnd(t *testing.T) {
	r := newRig(t, "mysql97", false, twoTables, nil)
	drain := make(chan struct{})
	ended := make(chan error, 1)
	c := r.config(func(c *Config) { c.Stop, c.Drain = nil, drain })
	go func() { _, err := Run(t.Context(), c); ended <- err }()
	for i := range 200 {
		r.exec(fmt.Sprintf("INSERT INTO log (s, x) VALUES (%d, 'd')", i))
		if i == 100 {
			require.Eventually(t, func() bool { return len(rows(t, r.dstDB, "log")) > 0 }, time.Minute, 10*time.Millisecond)
			close(drain)
		}
	}
	err := <-ended
	require.ErrorIs(t, err, ErrDrained, "%v", err)
	saved, err := r.store.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, rows(t, r.dstDB, "log"), int(saved.Rows), "the checkpoint stands right behind the last row")
	out := r.drain()
	require.Equal(t, int64(200), out.Rows, "nothing is left out, nothing comes twice")
	r.requireEqual()
}

// TestRule13_StopIsCoveredByTheCheckpoint: a run with a stop position ends
// exactly there, though the source goes on.
func TestRule13_StopIsCoveredByTheCheckpoint(t *testing.T) {
	r := newRig(t, "mysql97", false, twoTables, nil)
	r.exec("INSERT INTO log (s, x) VALUES (1,'in')")
	c := r.config()
	r.exec("INSERT INTO log (s, x) VALUES (2,'" + strings.Repeat("late", 5) + "')")
	out, err := Run(t.Context(), c)
	require.NoError(t, err)
	require.True(t, out.Drained)
	covered, err := out.Applied.Covers(*c.Stop)
	require.NoError(t, err)
	require.True(t, covered)
	saved, err := r.store.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, out.Applied, saved.Position)
}
