package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

// lastLook is what the played watch tells when it ends.
func lastLook() contract.WatchOut {
	return contract.WatchOut{Progress: contract.CopyProgress{RowsDone: 5, BytesDone: 50, ChunksDone: 3, Chunks: 20, Tables: 2, RowsRate: 9}}
}

// TestServer_NumbersOutliveTheWatch needs WaitForCancellation: what the watch
// tells at its end stays for whoever looks at the task later.
func TestServer_NumbersOutliveTheWatch(t *testing.T) {
	s := newStage(t)
	s.holdCopy.Store(true)
	s.start(planned)
	require.Eventually(t, func() bool { return s.open.Load() > 1 }, time.Minute, 10*time.Millisecond)
	require.Nil(t, s.view().Progress, "heartbeats tell")
	must(s, contract.UpdatePause, contract.PauseRequest{Command: byAlice})
	require.Eventually(t, func() bool { return s.view().Status == lifecycle.Paused }, time.Minute, 50*time.Millisecond)
	p := s.view().Progress
	require.NotNil(t, p)
	require.Equal(t, int64(5), p.RowsDone)
	require.Equal(t, int64(50), p.BytesDone)
	require.Zero(t, p.RowsRate, "nothing is copied now")
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true})
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	require.NotNil(t, s.view().Progress)
	s.keep(contract.MigrationID(s.taskID), "paused-and-stopped")
}

// The timers of a task at rest, each a second ahead.
func TestServer_RestsUntilSomethingIsDue(t *testing.T) {
	soon := func() time.Time { return time.Now().Add(time.Second) }
	for name, c := range map[string]struct {
		prepare func(*state)
		until   func(contract.View) bool
	}{
		"retry": {func(s *state) {
			copied(s)
			at := soon()
			s.RetryAt, s.LastError = &at, &contract.ErrorInfo{Code: fault.ServerFull.Code, NextRetryAt: &at}
		}, func(v contract.View) bool { return v.LastError == nil }},
		"purge": {func(s *state) {
			copied(s)
			at := soon().Add(purgeWarning)
			s.Mode, s.PurgeAt = paused, &at
		}, func(v contract.View) bool { return len(v.Alarms) == 1 }},
		"expiry": {func(s *state) {
			failedFor(14)(s)
			s.Since = soon().Add(-14 * 24 * time.Hour)
		}, func(v contract.View) bool { return v.Status == lifecycle.ReleaseDone }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.start(c.prepare)
			require.Eventually(t, func() bool { return c.until(s.view()) }, time.Minute, 50*time.Millisecond)
			if name != "expiry" {
				must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true})
			}
			require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
			require.True(t, s.view().Report.Incomplete)
			s.keep(contract.MigrationID(s.taskID), "due-"+name)
		})
	}
}

// TestServer_AFailureIsRetriedLater plans a retry; a pause takes it back.
func TestServer_AFailureIsRetriedLater(t *testing.T) {
	s := newStage(t)
	s.failApply, s.failAs = true, fault.ServerFull
	s.start(copied)
	require.Eventually(t, func() bool { e := s.view().LastError; return e != nil && e.NextRetryAt != nil }, time.Minute, 50*time.Millisecond)
	require.Equal(t, lifecycle.IncreStarted, s.view().Status)
	require.Equal(t, lifecycle.Paused, must(s, contract.UpdatePause, contract.PauseRequest{Command: byAlice}).Status)
	require.Nil(t, s.view().LastError.NextRetryAt)
	must(s, contract.UpdateResume, contract.ResumeRequest{Command: byAlice})
	require.Eventually(t, func() bool { return s.open.Load() == 2 }, time.Minute, 50*time.Millisecond)
	require.Nil(t, s.view().LastError)
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice})
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	s.keep(contract.MigrationID(s.taskID), "retry-planned")
}

// TestServer_AStopBeforeTheStartIsReported has no activity at all.
func TestServer_AStopBeforeTheStartIsReported(t *testing.T) {
	s := newStage(t)
	s.start()
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice})
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	require.True(t, s.view().Report.Incomplete)
	s.keep(contract.MigrationID(s.taskID), "stopped-before-the-start")
}
