package e2e

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
	"shardlift/web/api"
)

// slow makes a copy of a few thousand rows last long enough to be disturbed.
func slow(rowsPerSecond int) *api.Limits { return &api.Limits{RowsPerSecond: &rowsPerSecond} }

// copied is how many rows are copied, by the plan on the destination.
func (m *move) copied() (done int64) {
	m.t.Helper()
	answer, err := m.api.ListTablesWithResponse(m.t.Context(), m.id, &api.ListTablesParams{})
	if err != nil || answer.JSON200 == nil {
		return 0
	}
	for _, one := range answer.JSON200.Tables {
		done += one.RowsDone
	}
	return done
}

// TestMove_ThroughKilledAndFrozenWorkers is the main job under everything that
// may happen: two kill -9 in the copy and two in the apply, a worker frozen past
// the heartbeat timeout and continued, Temporal killed once, connections of both
// sides cut, while the source is written all the time.
func TestMove_ThroughKilledAndFrozenWorkers(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 6000, limits: slow(1500)})
	m.begin()
	stop := m.traffic(2)
	defer stop()

	for kill := range 2 {
		at := int64(1500 * (kill + 1))
		s.eventually(2*time.Minute, fmt.Sprintf("%d rows", at), func() bool { return m.copied() >= at })
		worker.kill()
		worker = s.worker()
	}
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	m.await(3*time.Minute, "INCRE_TRANSFER_STARTED")

	for range 2 {
		m.synced(2 * time.Minute)
		worker.kill()
		worker = s.worker()
	}
	m.synced(2 * time.Minute)

	t.Log("freeze a worker past its heartbeat timeout, let another take over, then continue it")
	worker.signal(syscall.SIGSTOP)
	second := s.worker()
	m.synced(2 * time.Minute)
	worker.signal(syscall.SIGCONT)
	before := m.written.Load()
	s.eventually(30*time.Second, "more traffic", func() bool { return m.written.Load() > before+200 })
	worker.kill()
	m.synced(2 * time.Minute)

	t.Log("kill Temporal, cut connections")
	s.temporal.Kill(t)
	m.sim.Restart(t)
	m.exec(m.db, "FLUSH BINARY LOGS")
	s.temporal.Start(t)
	m.cutSource()
	m.synced(3 * time.Minute)

	stop()
	require.Greater(t, m.written.Load(), int64(500))
	m.synced(2 * time.Minute)
	m.requireEqual()

	m.must("stop", "")
	done := m.await(2*time.Minute, "RELEASE_RESOURCE_COMPLETE")
	require.Equal(t, "done", done.Sequences.State)
	m.requireEqual()
	m.requireFreshIDs()
	require.Less(t, m.events(), int64(2000))
	second.kill()
}

// TestMove_AppliesDuringTheCopy is the main job with the apply beside the copy:
// the worker is killed twice while both run.
func TestMove_AppliesDuringTheCopy(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	during := "during-copy"
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 30_000, limits: slow(6000), policy: &api.Policy{Apply: &during}})
	m.begin()
	stop := m.traffic(2)
	defer stop()
	var last int64
	for range 2 {
		s.eventually(2*time.Minute, "changes applied beside the copy", func() bool {
			rows := m.appliedRows()
			return rows > last
		})
		last = m.appliedRows()
		now := m.show()
		require.Equal(t, "FULL_TRANSFER_STARTED", now.Status)
		require.False(t, now.Incremental.Synced != nil && *now.Incremental.Synced, "synced before the copy has ended")
		worker.kill()
		worker = s.worker()
	}
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	m.await(3*time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(2 * time.Minute)
	stop()
	m.synced(time.Minute)
	m.requireEqual()
	m.must("stop", "")
	m.await(time.Minute, "RELEASE_RESOURCE_COMPLETE")
	m.requireEqual()
	m.requireFreshIDs()
}

// appliedRows is what the checkpoint on the destination counts.
func (m *move) appliedRows() int64 {
	m.t.Helper()
	var body []byte
	if err := m.dst.QueryRowContext(m.t.Context(), "SELECT body FROM shardlift_checkpoint").Scan(&body); err != nil {
		return 0
	}
	var saved struct{ Rows int64 }
	require.NoError(m.t, json.Unmarshal(body, &saved))
	return saved.Rows
}

// cutSource kills every connection of the migration's account on the source.
func (m *move) cutSource() {
	m.t.Helper()
	found, err := testdb.Processes(m.t.Context(), m.db)
	require.NoError(m.t, err)
	for _, p := range found {
		if p.User == m.user {
			_, _ = m.db.ExecContext(m.t.Context(), fmt.Sprintf("KILL %d", p.ID)) // it may have ended
		}
	}
}

// requireFreshIDs inserts through the destination and gets ids beyond the source's.
func (m *move) requireFreshIDs() {
	m.t.Helper()
	for table, statement := range map[string]string{
		"people": "INSERT INTO people (email, region) VALUES ('fresh@x.org', 1)",
		"plain":  "INSERT INTO plain (v) VALUES ('fresh')",
	} {
		var highest int64
		require.NoError(m.t, m.db.QueryRowContext(m.t.Context(), "SELECT MAX(id) FROM "+table).Scan(&highest))
		result, err := m.dst.ExecContext(m.t.Context(), statement)
		require.NoError(m.t, err)
		id, err := result.LastInsertId()
		require.NoError(m.t, err)
		require.Greater(m.t, id, highest, table)
	}
}

// TestMove_FromEachServer moves from every other version at once on one worker,
// which is killed in the copy and in the apply.
func TestMove_FromEachServer(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	var moves []*move
	for _, name := range []string{"mysql55", "mysql56", "mysql57", "mysql80", "mariadb"} {
		m := s.newMove(name, moveOptions{sharded: name != "mysql80", rows: 1500, limits: slow(600)})
		m.begin()
		defer m.traffic(1)()
		moves = append(moves, m)
	}
	for _, m := range moves {
		s.eventually(time.Minute, "copied rows of "+m.schema, func() bool { return m.copied() > 0 })
	}
	worker.kill()
	worker = s.worker()
	for _, m := range moves {
		m.must("limit", `{"limits":{"rows_per_second":0}}`)
	}
	for _, m := range moves {
		m.await(2*time.Minute, "INCRE_TRANSFER_STARTED")
		m.synced(time.Minute)
	}
	worker.kill()
	s.worker()
	for _, m := range moves {
		m.synced(time.Minute)
		m.stopTraffic()
	}
	for _, m := range moves {
		m.synced(time.Minute)
		m.requireEqual()
		m.must("stop", "")
		m.await(time.Minute, "RELEASE_RESOURCE_COMPLETE")
		m.requireFreshIDs()
	}
}
