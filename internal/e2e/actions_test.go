//go:build full

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

// requests are the commands of the API with bodies that would be carried out.
func requests() map[lifecycle.Action][2]string {
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	return map[lifecycle.Action][2]string{
		lifecycle.Precheck: {"precheck", ""}, lifecycle.Confirm: {"confirm", `{"all":true,"note":"a test"}`},
		lifecycle.Start: {"start", ""}, lifecycle.Reschedule: {"reschedule", `{"at":"` + later + `"}`},
		lifecycle.Pause: {"pause", ""}, lifecycle.Resume: {"resume", ""}, lifecycle.Retry: {"retry", ""},
		lifecycle.Limit: {"limit", `{"limits":{"rows_per_second":0}}`}, lifecycle.Compare: {"compare", `{"type":"rows"}`},
		lifecycle.Stop: {"stop", `{"incomplete":true}`}, lifecycle.ForceStop: {"stop", `{"force":true}`},
		lifecycle.Reset: {"reset", ""}, lifecycle.TestConnection: {"test", ""},
		lifecycle.RetryTable: {"retry", `{"table":"src.t"}`}, lifecycle.RecopyTable: {"tables", `{"kind":"recopy","tables":[{"schema":"src","table":"t"}]}`},
		lifecycle.DropTable: {"tables", `{"kind":"drop","tables":[{"schema":"src","table":"t"}]}`}, lifecycle.AddTables: {"tables", `{"kind":"add","tables":[{"schema":"src","table":"t"}]}`},
	}
}

// refuses sends every command that the task says is unavailable: each is refused
// with the state and what is allowed instead, and changes nothing.
func (m *move) refuses(status lifecycle.Status) {
	m.t.Helper()
	task := m.show()
	require.Equal(m.t, string(status), task.Status)
	refused := 0
	for _, u := range task.UnavailableActions {
		action := lifecycle.Action(u.Action)
		require.False(m.t, action.Allowed(status), u.Action)
		require.NotEmpty(m.t, u.Reason)
		r, ok := requests()[action]
		if !ok {
			continue
		}
		code, text := m.post(r[0], r[1])
		require.Equal(m.t, http.StatusConflict, code, "%s in %s: %s", action, status, text)
		require.Contains(m.t, text, fault.RefusedInState.Code)
		require.Contains(m.t, text, `"state":"`+string(status)+`"`)
		for _, a := range lifecycle.Available(status) {
			require.Contains(m.t, text, `"`+string(a)+`"`)
		}
		refused++
	}
	require.Positive(m.t, refused)
	for _, a := range task.AvailableActions {
		require.True(m.t, lifecycle.Action(a).Allowed(status), a)
	}
	require.Equal(m.t, string(status), m.show().Status, "a refusal changes nothing")
}

// TestTask_EveryActionOnALiveTask walks one task through its life and tries, in
// every phase, what is not allowed there and what is.
func TestTask_EveryActionOnALiveTask(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 2500, limits: slow(700)})
	m.refuses(lifecycle.Configuration)
	m.must("test", "")
	m.must("precheck", "")
	m.eventually(time.Minute, "pre-check", func() bool { return m.show().Precheck.State == "done" })
	m.must("confirm", `{"all":true,"note":"a test"}`)
	r := requests()[lifecycle.Reschedule]
	m.must("start", r[1])
	m.refuses(lifecycle.WaitingForStart)
	m.must("reschedule", r[1])
	code, text := m.post("reschedule", `{"at":"2020-01-01T00:00:00Z"}`)
	require.Equal(t, http.StatusUnprocessableEntity, code, text)
	require.Contains(t, text, fault.StartInPast.Code)
	m.must("reschedule", "") // early

	m.await(time.Minute, string(lifecycle.FullStarted))
	s.eventually(time.Minute, "copied rows", func() bool { return m.copied() > 0 })
	m.refuses(lifecycle.FullStarted)
	code, text = m.post("pause", `{"mode":"target"}`)
	require.GreaterOrEqual(t, code, http.StatusConflict, text)
	require.Contains(t, text, fault.PauseMode.Code)
	m.must("pause", "")
	m.awaitPause()
	m.refuses(lifecycle.Paused)
	full := m.show().Full
	require.NotNil(t, full.RowsDone, "the numbers stay while nobody watches")
	require.Positive(t, *full.RowsDone)
	m.must("resume", "")
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	m.await(2*time.Minute, string(lifecycle.IncreStarted))
	stop := m.traffic(1)
	defer stop()
	m.synced(time.Minute)
	m.refuses(lifecycle.IncreStarted)
	require.Equal(t, "CONSISTENT", m.compare("rows"))

	t.Log("access denied fails at once; new credentials and a resume go on")
	m.provokes(fault.AccessDenied)
	m.must("credentials", `{"side":"destination","password":"wrong"}`)
	failed := m.await(time.Minute, string(lifecycle.IncreFailed))
	require.Equal(t, fault.AccessDenied.Code, failed.LastError.Code)
	require.Nil(t, failed.LastError.NextRetryAt)
	require.NotNil(t, failed.ExpiresAt)
	m.refuses(lifecycle.IncreFailed)
	m.must("credentials", fmt.Sprintf(`{"side":"destination","password":%q}`, m.sim.Password))
	m.must("retry", "")
	m.synced(time.Minute)

	t.Log("credentials of a new account take effect while it runs")
	m.must("credentials", fmt.Sprintf(`{"side":"source","user":%q,"password":%q}`, m.user, m.password))
	m.synced(time.Minute)

	t.Log("reset with the destination's tables, and everything once more")
	m.must("pause", "")
	m.must("reset", `{"truncate_destination":true}`)
	m.await(time.Minute, string(lifecycle.Configuration))
	m.eventually(time.Minute, "pre-check", func() bool { return m.show().Precheck.State == "done" })
	require.Empty(t, m.rows(m.dst, "people"))
	m.must("confirm", `{"all":true,"note":"a test"}`)
	m.must("start", "")
	m.await(2*time.Minute, string(lifecycle.IncreStarted))
	m.synced(time.Minute)
	stop()
	m.synced(time.Minute)
	m.requireEqual()

	m.must("stop", "")
	done := m.await(time.Minute, string(lifecycle.ReleaseDone))
	require.NotNil(t, done.Full.RowsDone)
	require.Positive(t, *done.Full.BytesDone)
	require.Equal(t, 100, *done.Full.Percent)
	m.refuses(lifecycle.ReleaseDone)
	m.requireFreshIDs()
}

// TestTask_WhatMayPassIsRetriedByItself makes a column of the destination too
// narrow for a while: the status stays, the next retry is shown, and the task goes on.
func TestTask_WhatMayPassIsRetriedByItself(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 300})
	m.begin()
	m.await(time.Minute, string(lifecycle.IncreStarted))
	m.synced(time.Minute)
	m.exec(m.dst, "ALTER TABLE regions MODIFY name VARCHAR(6)")
	m.exec(m.db, "INSERT INTO regions VALUES (9, 'longer than that')")
	s.eventually(time.Minute, "an automatic retry", func() bool {
		task := m.show()
		return task.LastError != nil && task.LastError.NextRetryAt != nil && task.Status == string(lifecycle.IncreStarted)
	})
	require.False(t, strings.HasSuffix(m.show().Status, "_FAILED"))
	m.exec(m.dst, "ALTER TABLE regions MODIFY name VARCHAR(40)")
	m.synced(2 * time.Minute)
	s.eventually(time.Minute, "no error", func() bool { return m.show().LastError == nil })
	m.requireEqual()
}

// TestTask_DeletionWithoutTheDestination says what remains there.
func TestTask_DeletionWithoutTheDestination(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 100})
	m.begin()
	m.await(time.Minute, string(lifecycle.IncreStarted))
	m.must("stop", `{"force":true}`)
	m.await(time.Minute, string(lifecycle.ReleaseDone))
	require.NoError(t, m.sim.Server.Close())
	answer, err := m.api.DeleteTaskWithResponse(t.Context(), m.id)
	require.NoError(t, err)
	operation := answer.JSON202
	require.NotNil(t, operation, "%s", answer.Body)
	s.eventually(2*time.Minute, "deletion", func() bool {
		answer, err := m.api.GetOperationWithResponse(t.Context(), operation.ID)
		require.NoError(t, err)
		require.NotNil(t, answer.JSON200, "%s", answer.Body)
		operation = answer.JSON200
		return operation.State != "running"
	})
	require.Equal(t, "done", string(operation.State))
	require.NotNil(t, operation.Warnings)
	require.Contains(t, strings.Join(*operation.Warnings, "\n"), "DROP TABLE IF EXISTS `"+m.to+"`.`shardlift_meta`")
}

// TestTask_AnOutageIsRetriedUntilItEnds takes the destination away, then the
// worker: both are visible, and the task goes on by itself.
func TestTask_AnOutageIsRetriedUntilItEnds(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 300})
	m.begin()
	m.await(time.Minute, string(lifecycle.IncreStarted))
	m.synced(time.Minute)
	require.NoError(t, m.sim.Server.Close())
	m.exec(m.db, "INSERT INTO regions VALUES (7, 'late')")
	s.eventually(time.Minute, "a retry", func() bool {
		task := m.show()
		return task.LastError != nil && task.LastError.NextRetryAt != nil && task.Status == string(lifecycle.IncreStarted)
	})
	require.Equal(t, string(fault.Retry), m.show().LastError.Class)
	m.sim.Restart(t)
	m.synced(2 * time.Minute)

	worker.kill()
	m.await(2*time.Minute, string(lifecycle.Rebuild))
	require.Contains(t, m.show().StatusLabel, "Fault rectification")
	s.worker()
	m.await(time.Minute, string(lifecycle.IncreStarted))
	m.synced(time.Minute)
	s.eventually(2*time.Minute, "no error", func() bool { return m.show().LastError == nil })
	m.requireEqual()
}
