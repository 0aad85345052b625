package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
	"shardlift/internal/testtemporal"
)

// move is one task on a worker in this process, between two real servers.
type move struct {
	client.Client
	t        *testing.T
	id       string
	source   *sql.DB
	to       *sql.DB
	from, at string // schemas
	secrets  []string
	data     string             // the worker's directory
	end      context.CancelFunc // of the worker
	ended    chan error
}

func newMove(t *testing.T, kind task.Type, heartbeat time.Duration) *move {
	t.Helper()
	server := testtemporal.Get(t)
	address, data, end, ended := startRun(t, server.Address)
	m := &move{t: t, id: uuid.NewString(), data: data, end: end, ended: ended}
	t.Cleanup(func() { end(); require.NoError(t, <-ended) })
	require.Eventually(t, func() bool { code, _ := get(address, "/readyz"); return code == http.StatusOK }, time.Minute, 50*time.Millisecond)

	source, destination := testdb.Own(t, "mysql97"), testdb.Get(t, "mysql80") // prepared XA of other tests would block the start
	m.Client, m.from, m.at = server.Client(t), source.Schema(t), destination.Schema(t)
	m.source, m.to = source.DB(t, m.from), destination.DB(t, m.at)
	for _, db := range []*sql.DB{m.source, m.to} {
		m.exec(db, "CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(40) NOT NULL, v INT, UNIQUE KEY (code))")
	}
	m.secrets = []string{source.Host}
	f := task.File{
		Version: 1, Name: "shop", Type: kind, Source: m.endpoint(source), Destination: m.endpoint(destination),
		Objects: selection.Selection{{Schema: m.from, To: m.at, Tables: []string{"*"}}},
	}
	f.Destination.Kind = "mysql"
	f.SetDefaults()
	require.Empty(t, f.Validate())
	workers, err := secret.ReadPublicKey(filepath.Join(data, "keys.pub.json"))
	require.NoError(t, err)
	web, err := secret.NewKeyRing()
	require.NoError(t, err)
	spec, err := f.Seal(m.id, workers, web.Public())
	require.NoError(t, err)
	_, err = m.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: contract.MigrationID(m.id), TaskQueue: contract.QueueControl},
		contract.MigrationWorkflow, contract.MigrationInput{TaskID: m.id, Spec: spec, Actor: "test", HeartbeatTimeout: heartbeat})
	require.NoError(t, err)
	return m
}

// endpoint is a server with an account whose name and password stand nowhere else.
func (m *move) endpoint(s *testdb.Server) task.Endpoint {
	user, password := s.Account(m.t, "ALL ON *.*")
	m.secrets = append(m.secrets, user, password)
	return task.Endpoint{Host: s.Host, Port: s.Port, User: user, Password: password, TLS: task.TLS{Mode: "disabled"}}
}

// leavesNoSecret looks through everything that Temporal keeps of the task.
func (m *move) leavesNoSecret() (events int) {
	m.t.Helper()
	for _, id := range []string{contract.MigrationID(m.id), contract.CopyID(m.id), contract.CompareID(m.id, "c1")} {
		history := &historypb.History{}
		iterator := m.GetWorkflowHistory(m.t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for iterator.HasNext() {
			e, err := iterator.Next()
			require.NoError(m.t, err)
			history.Events = append(history.Events, e)
		}
		described, err := m.DescribeWorkflowExecution(m.t.Context(), id, "")
		require.NoError(m.t, err)
		for _, message := range []proto.Message{history, described} {
			kept, err := proto.Marshal(message)
			require.NoError(m.t, err)
			for _, secret := range m.secrets {
				require.False(m.t, bytes.Contains(kept, []byte(secret)), "%s keeps %q", id, secret)
			}
		}
		events += len(history.GetEvents())
	}
	return events
}

func (m *move) exec(db *sql.DB, statement string, args ...any) {
	m.t.Helper()
	_, err := db.ExecContext(m.t.Context(), statement, args...)
	require.NoError(m.t, err, statement)
}

func order[R any](m *move, u contract.Update[R], r R) contract.CommandResult {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	handle, err := m.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: contract.MigrationID(m.id), UpdateName: u.Name, WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{r},
	})
	require.NoError(m.t, err)
	var out contract.CommandResult
	require.NoError(m.t, handle.Get(ctx, &out))
	return out
}

func (m *move) view() (v contract.View) {
	m.t.Helper()
	m.query(contract.QueryView, &v)
	return v
}

func (m *move) query(name string, into any) {
	m.t.Helper()
	// A busy worker may need longer than one query lasts.
	for deadline := time.Now().Add(2 * time.Minute); ; m.pause() {
		value, err := m.QueryWorkflow(m.t.Context(), contract.MigrationID(m.id), "", name)
		if err != nil && time.Now().Before(deadline) {
			continue
		}
		require.NoError(m.t, err)
		require.NoError(m.t, value.Get(into))
		return
	}
}

// reaches waits for a status and shows why another one came.
func (m *move) reaches(want lifecycle.Status) {
	m.t.Helper()
	var v contract.View
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); {
		if v = m.view(); v.Status == want {
			return
		}
		if v.Status.Failed() {
			break
		}
		m.pause()
	}
	require.Equal(m.t, want, v.Status, "%+v", v.LastError)
}

func (m *move) pause() {
	select {
	case <-m.t.Context().Done():
	case <-time.After(100 * time.Millisecond):
	}
}

func (m *move) begin() {
	m.t.Helper()
	by := contract.Command{Actor: "test"}
	order(m, contract.UpdatePrecheck, contract.PrecheckRequest{Command: by})
	require.Eventually(m.t, func() bool { return m.view().Precheck.State == "done" }, 3*time.Minute, 100*time.Millisecond)
	order(m, contract.UpdateConfirm, contract.ConfirmRequest{Command: by, All: true, Note: "test"})
	if m.view().Precheck.PassedRate < 100 {
		var report contract.PrecheckReport
		m.query(contract.QueryPrecheck, &report)
		for _, r := range report.Items {
			if r.Verdict != contract.Passed {
				m.t.Logf("%s %s: %s %v %s", r.Verdict, r.Code, r.Reason, r.Evidence, r.Remedy)
			}
		}
	}
	order(m, contract.UpdateStart, contract.StartRequest{Command: by})
}

// rows is every row of a side.
func (m *move) rows(db *sql.DB) (out []string) {
	m.t.Helper()
	rows, err := db.QueryContext(m.t.Context(), "SELECT CONCAT_WS('/', id, code, v) FROM orders ORDER BY id")
	require.NoError(m.t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(m.t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(m.t, rows.Err())
	return out
}

func (m *move) fill(n int) {
	for i := range n {
		m.exec(m.source, "INSERT INTO orders (code, v) VALUES (?, ?)", fmt.Sprintf("c%d", i), i)
	}
}

func TestMigration_OfALiveDatabase(t *testing.T) {
	m := newMove(t, task.FullIncremental, 15*time.Second)
	by := contract.Command{Actor: "test"}
	m.fill(200)
	m.begin()
	m.reaches(lifecycle.IncreStarted)
	m.exec(m.source, "UPDATE orders SET v = v + 1000 WHERE id % 3 = 0")
	m.exec(m.source, "DELETE FROM orders WHERE id % 7 = 0")
	m.exec(m.source, "UPDATE orders SET code = CONCAT('x', code) WHERE id < 20")
	require.Eventually(t, func() bool { return fmt.Sprint(m.rows(m.to)) == fmt.Sprint(m.rows(m.source)) }, time.Minute, 100*time.Millisecond)

	require.Equal(t, lifecycle.Paused, order(m, contract.UpdatePause, contract.PauseRequest{Command: by}).Status)
	m.exec(m.source, "INSERT INTO orders (code, v) VALUES ('while paused', 1)")
	order(m, contract.UpdateResume, contract.ResumeRequest{Command: by})
	order(m, contract.UpdateCompare, contract.CompareRequest{Command: by, Type: contract.CompareValues})
	require.Eventually(t, func() bool { return m.view().Comparison.FinishedAt != nil }, 3*time.Minute, 100*time.Millisecond)
	require.Equal(t, "CONSISTENT", m.view().Comparison.Result)

	m.exec(m.source, "INSERT INTO orders (code, v) VALUES ('just before the stop', 1)")
	order(m, contract.UpdateStop, contract.StopRequest{Command: by})
	m.reaches(lifecycle.ReleaseDone)
	require.Equal(t, m.rows(m.source), m.rows(m.to))
	v := m.view()
	require.Equal(t, "done", v.Sequences.State)
	require.Equal(t, "none", v.Report.WritesAfterStop)
	require.False(t, v.Report.Incomplete)
	require.Zero(t, v.Divergences)
	require.Equal(t, "mysql", v.Source.Kind)
	m.exec(m.to, "INSERT INTO orders (code, v) VALUES ('first of the new life', 1)")
	require.Less(t, m.leavesNoSecret(), 700)
}

func TestMigration_FullOnly(t *testing.T) {
	m := newMove(t, task.Full, 15*time.Second)
	m.fill(100)
	m.begin()
	m.reaches(lifecycle.ReleaseDone)
	require.Equal(t, m.rows(m.source), m.rows(m.to))
	require.Equal(t, "none", m.view().Report.WritesAfterStop)

	// The deletion leaves the rows and nothing else.
	run, err := m.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: contract.DeleteID(m.id), TaskQueue: contract.QueueControl},
		contract.DeleteTask, contract.DeleteIn{TaskID: m.id, Actor: "test"})
	require.NoError(t, err)
	var out contract.CleanUpOut
	require.NoError(t, run.Get(t.Context(), &out))
	require.Empty(t, out.Warnings)
	require.Len(t, m.rows(m.to), 100)
	var left int
	require.NoError(t, m.to.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'shardlift%'").Scan(&left))
	require.Zero(t, left)
	for _, id := range []string{contract.MigrationID(m.id), contract.CopyID(m.id)} {
		_, err := m.DescribeWorkflowExecution(t.Context(), id, "")
		var gone *serviceerror.NotFound
		require.ErrorAs(t, err, &gone)
	}
}

// TestTrigger_ATemporalScheduleCommandsATask: a Schedule cannot send an update;
// TriggerWorkflow does, and a refusal fails its run, where the Schedule shows it.
func TestTrigger_ATemporalScheduleCommandsATask(t *testing.T) {
	m := newMove(t, task.FullIncremental, 15*time.Second)
	trigger := func(command string) error {
		id := "trigger-" + uuid.NewString()
		schedule, err := m.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
			ID: id, TriggerImmediately: true, Paused: true,
			Action: &client.ScheduleWorkflowAction{
				ID: id, Workflow: contract.TriggerWorkflow, TaskQueue: contract.QueueControl,
				Args: []any{contract.TriggerIn{Task: m.id, Command: command}},
			},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, schedule.Delete(t.Context())) }()
		var started client.ScheduleActionResult
		require.Eventually(t, func() bool {
			d, err := schedule.Describe(t.Context())
			if err != nil || len(d.Info.RecentActions) == 0 {
				return false
			}
			started = d.Info.RecentActions[0]
			return true
		}, time.Minute, 100*time.Millisecond)
		result := started.StartWorkflowResult
		return m.GetWorkflow(t.Context(), result.WorkflowID, result.FirstExecutionRunID).Get(t.Context(), nil)
	}
	require.ErrorContains(t, trigger("start"), fault.PrecheckMissing.Code)
	require.NoError(t, trigger("precheck"))
	require.Eventually(t, func() bool { return m.view().Precheck.State == "done" }, 3*time.Minute, 100*time.Millisecond)
	order(m, contract.UpdateStop, contract.StopRequest{Command: contract.Command{Actor: "test"}})
}

// TestMigration_HandsOverWhenAWorkerStops ends the worker that applies: another
// one goes on from the checkpoint at once, not after a heartbeat timeout.
func TestMigration_HandsOverWhenAWorkerStops(t *testing.T) {
	m := newMove(t, task.FullIncremental, time.Hour)
	m.fill(50)
	m.begin()
	m.reaches(lifecycle.IncreStarted)
	m.exec(m.source, "INSERT INTO orders (code, v) VALUES ('before', 1)")
	require.Eventually(t, func() bool { return len(m.rows(m.to)) == 51 }, time.Minute, 50*time.Millisecond)

	second, _ := startWorker(t, m.data)
	require.Eventually(t, func() bool { code, _ := get(second, "/readyz"); return code == http.StatusOK }, time.Minute, 50*time.Millisecond)
	m.end()
	require.NoError(t, <-m.ended)
	m.ended <- nil // for the cleanup
	m.exec(m.source, "INSERT INTO orders (code, v) VALUES ('after', 1)")
	require.Eventually(t, func() bool { return len(m.rows(m.to)) == 52 }, time.Minute, 50*time.Millisecond)
	order(m, contract.UpdateStop, contract.StopRequest{Command: contract.Command{Actor: "test"}})
	m.reaches(lifecycle.ReleaseDone)
	require.Equal(t, m.rows(m.source), m.rows(m.to))
}

// startWorker runs another worker process's main here.
func startWorker(t *testing.T, data string) (address string, ended chan error) {
	t.Helper()
	address, ended = freeAddress(t), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { ended <- run(ctx, []string{"--data", data, "--http", address, "--log-level", "error"}) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	return address, ended
}
