package e2e

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/testdb"
)

// pauseLimit is how fast a pause has to take effect (1 s with server push, plus
// the end of the chunk or window). It is promised.
const pauseLimit = 12 * time.Second

// awaitPause waits until the task is paused, as soon as is promised.
func (m *move) awaitPause() {
	m.t.Helper()
	m.within(pauseLimit, "pause", func() bool { return m.show().Status == string(lifecycle.Paused) })
}

// TestTask_PausesAndResumesInEveryPhase also hands over between workers by
// SIGTERM.
func TestTask_PausesAndResumesInEveryPhase(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 8000, limits: slow(1000)})
	m.begin()
	stop := m.traffic(1)
	defer stop()
	most := m.countConnections()

	s.eventually(time.Minute, "copied rows", func() bool { return m.copied() > 0 })
	m.must("pause", "")
	m.awaitPause()
	rows := m.copied()
	require.Less(t, rows, int64(32_000))
	m.must("resume", "")
	s.eventually(time.Minute, "more rows", func() bool { return m.copied() > rows })

	worker.signal(syscall.SIGTERM)
	next := s.worker()
	select {
	case <-worker.done:
	case <-time.After(30 * time.Second): // promised
		t.Fatal("the worker did not end within 30 s of SIGTERM")
	}
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	m.await(2*time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	m.must("pause", "")
	m.awaitPause()
	code, text := m.post("pause", "")
	require.Equal(t, http.StatusConflict, code, text)
	require.Contains(t, text, "available_actions")
	m.must("resume", "")
	m.synced(time.Minute)
	stop()
	m.synced(time.Minute)
	require.Equal(t, "CONSISTENT", m.compare("values"))
	m.requireEqual()
	next.signal(syscall.SIGTERM)
	<-next.done
	seen := most()
	require.Greater(t, len(seen), 2)
	require.LessOrEqual(t, len(seen), 10, "max_connections of the source holds over copy, binlog, watch and comparison: %+v", seen)
}

// countConnections watches the task's connections to the source; the returned
// function ends that and gives the most that were seen together.
func (m *move) countConnections() func() []testdb.Process {
	var most []testdb.Process
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			found, _ := testdb.Processes(m.t.Context(), m.db)
			found = slices.DeleteFunc(found, func(p testdb.Process) bool { return p.User != m.user })
			if len(found) > len(most) {
				most = found
			}
		}
	}()
	return func() []testdb.Process { close(done); <-ended; return most }
}

// TestTask_StopDuringCopyLeavesTheRowsAlone: what is copied stays, and a stop
// that is not complete has to be asked for.
func TestTask_StopDuringCopyLeavesTheRowsAlone(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 6000, limits: slow(500)})
	m.begin()
	s.eventually(time.Minute, "copied rows", func() bool { return m.copied() > 0 })
	code, text := m.post("stop", "")
	require.Equal(t, http.StatusConflict, code, text)
	m.must("stop", `{"incomplete":true}`)
	m.await(time.Minute, "RELEASE_RESOURCE_COMPLETE")
	require.True(t, m.report().Incomplete)
	there := 0
	for _, table := range tables {
		there += len(m.rows(m.dst, table.name))
	}
	require.Positive(t, there)
	require.Less(t, there, 24_000)
}

// TestTask_FullOnlyEndsItself: three phases, no replication right is used, the
// sequences are refreshed, and a resume after a crash deletes its range first.
func TestTask_FullOnlyEndsItself(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 2000, fullOnly: true, limits: slow(1500)})
	m.begin()
	s.eventually(time.Minute, "copied rows", func() bool { return m.copied() > 0 })
	worker.kill()
	s.worker()
	done := m.await(2*time.Minute, "RELEASE_RESOURCE_COMPLETE")
	require.Equal(t, "done", done.Sequences.State)
	m.requireEqual()
	m.requireFreshIDs()
}

// TestTask_ComparesAndDeletes: a planted row is found; deletion removes history,
// children, inspections, metadata and name.
func TestTask_ComparesAndDeletes(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 500})
	m.begin()
	m.await(time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	require.Equal(t, "CONSISTENT", m.compare("rows"))
	require.Equal(t, "CONSISTENT", m.compare("values"))
	m.exec(m.dst, "UPDATE orders SET total = total + 0.01 WHERE id = 77 AND person = 78")
	require.Equal(t, "INCONSISTENT", m.compare("values"))
	m.exec(m.dst, "UPDATE orders SET total = total - 0.01 WHERE id = 77 AND person = 78")
	require.Equal(t, "CONSISTENT", m.compare("values"))
	m.must("stop", "")
	m.await(time.Minute, "RELEASE_RESOURCE_COMPLETE")

	answer, err := m.api.DeleteTaskWithResponse(t.Context(), m.id)
	require.NoError(t, err)
	require.Less(t, answer.StatusCode(), 300, "%s", answer.Body)
	client := s.temporal.Client(t)
	s.eventually(2*time.Minute, "deletion", func() bool {
		list, err := client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: s.temporal.Namespace, PageSize: 100})
		require.NoError(t, err)
		for _, e := range list.GetExecutions() {
			if id := e.GetExecution().GetWorkflowId(); id != contract.DeleteID(m.id) && strings.Contains(id, m.id) {
				return false
			}
		}
		_, err = client.DescribeWorkflowExecution(t.Context(), contract.MigrationID(m.id), "")
		return err != nil
	})
	for shard := range 4 {
		var left int
		node := m.sim.Nodes[shard%len(m.sim.Nodes)].DB(t, m.sim.Physical(shard))
		require.NoError(t, node.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'shardlift%'").Scan(&left))
		require.Zero(t, left)
	}
	m.requireEqual()
}

// compare runs a comparison to its end and returns its result.
func (m *move) compare(kind string) string {
	m.t.Helper()
	text := m.must("compare", `{"type":"`+kind+`"}`)
	var result string
	m.eventually(2*time.Minute, "comparison", func() bool {
		c := m.show().Comparison
		if c == nil || c.FinishedAt == nil || !strings.Contains(text, `"`+c.ID+`"`) {
			return false
		}
		result = c.Result
		return true
	})
	return result
}

// TestTask_NothingSecretAnywhere looks for canaries in every history, in
// visibility, logs, metrics and the data directory's plain files.
func TestTask_NothingSecretAnywhere(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.start("shardlift-worker", "--http", "127.0.0.1:0")
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 300})
	m.exec(m.db, "UPDATE people SET note = 'canary-row-value' WHERE id = 5")
	m.begin()
	m.await(time.Minute, "INCRE_TRANSFER_STARTED")
	m.exec(m.db, "UPDATE people SET note = 'canary-row-value-2' WHERE id = 6")
	m.synced(time.Minute)
	m.compare("values")
	m.exec(m.dst, "UPDATE people SET note = 'canary-row-value-3' WHERE id = 7 AND region = 7")
	m.compare("values")
	m.provokes(fault.AccessDenied)
	m.must("credentials", `{"side":"source","password":"canary-wrong-password"}`)
	m.await(time.Minute, "INCRE_TRANSFER_FAILED", "FULL_TRANSFER_FAILED")
	secrets := []string{m.password, m.user, "canary"}
	if m.sim != nil {
		secrets = append(secrets, m.sim.Password, m.sim.User)
	}
	worker.signal(syscall.SIGTERM)
	<-worker.done

	client := s.temporal.Client(t)
	list, err := client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: s.temporal.Namespace, PageSize: 200})
	require.NoError(t, err)
	require.NotEmpty(t, list.GetExecutions())
	for _, e := range list.GetExecutions() {
		id := e.GetExecution().GetWorkflowId()
		requireClean(t, id+" in visibility", protojson.Format(e), secrets)
		requireClean(t, id, history(t, s, id, e.GetExecution().GetRunId()), secrets)
	}
	require.NoError(t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		requireClean(t, path, string(data), secrets)
		return err
	}))
}

// history prints every event with its payloads decoded.
func history(t *testing.T, s *system, id, run string) string {
	t.Helper()
	var out bytes.Buffer
	iterator := s.temporal.Client(t).GetWorkflowHistory(t.Context(), id, run, false, 0)
	for iterator.HasNext() {
		event, err := iterator.Next()
		require.NoError(t, err)
		text := protojson.Format(event)
		out.WriteString(text)
		out.Write(decodePayloads(text))
	}
	return out.String()
}

func requireClean(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s holds %q: …%s…", where, secret, text[max(0, at-80):min(len(text), at+80)])
		}
	}
}

// events counts the events of the task's own history.
func (m *move) events() int64 {
	m.t.Helper()
	described, err := m.temporal.Client(m.t).DescribeWorkflowExecution(context.Background(), contract.MigrationID(m.id), "")
	require.NoError(m.t, err)
	return described.GetWorkflowExecutionInfo().GetHistoryLength()
}
