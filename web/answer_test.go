package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
	"shardlift/web/api"
)

func TestCommandAnswer_IsTheOutcomeOrTheOperation(t *testing.T) {
	a := commandAnswer{control.Outcome{OperationID: "t1~pause~k", CommandResult: contract.CommandResult{Status: lifecycle.Paused, Revision: 3}}}
	w := httptest.NewRecorder()
	require.NoError(t, a.VisitPauseTaskResponse(w))
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"status":"PAUSING","phase":"","revision":3,"operation_id":"t1~pause~k"}`, w.Body.String())

	a.Running = true
	w = httptest.NewRecorder()
	require.NoError(t, a.VisitEditTaskResponse(w))
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"id":"t1~pause~k","state":"running"}`, w.Body.String())
}

func TestRenderOperation_TellsResultOrWarnings(t *testing.T) {
	done := renderOperation(control.Operation{ID: "o", State: "done", Result: &contract.CommandResult{Comparison: "c1"}})
	require.Equal(t, "c1", *done.Result.Comparison)
	require.Equal(t, "o", done.Result.OperationID)
	left := renderOperation(control.Operation{ID: "delete~t", State: "done", Warnings: []string{"DROP TABLE x"}})
	require.Equal(t, []string{"DROP TABLE x"}, *left.Warnings)
	require.Nil(t, left.Result)
}

// Nobody watches a paused, failed or ended task: what was known last stays.
// TestGetComparison_CancelledOnesHaveEnded: a comparison that was cancelled could
// not write its end.
func TestGetComparison_CancelledOnesHaveEnded(t *testing.T) {
	at := time.Now()
	for name, c := range map[string]struct {
		last *contract.ComparisonSummary
		want string
	}{
		"it runs":     {&contract.ComparisonSummary{ID: "c1", Result: comparing}, comparing},
		"cancelled":   {&contract.ComparisonSummary{ID: "c1", Result: "CANCELLED", FinishedAt: &at}, "CANCELLED"},
		"one is next": {&contract.ComparisonSummary{ID: "c2", Result: comparing}, "FAILED_TO_COMPARE"},
		"after reset": {nil, comparing},
	} {
		answer := contract.ComparisonAnswer{ID: "c1", Result: comparing}
		endedAs(c.last, &answer)
		require.Equal(t, c.want, answer.Result, name)
	}
}

func TestRenderTask_KeepsTheLastNumbers(t *testing.T) {
	service := newRigWithoutTemporal(t).service
	expires, purge := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	view := contract.View{
		Spec: task.Spec{Type: task.FullIncremental}, Status: lifecycle.Paused, Phase: lifecycle.PhaseFull,
		Plan:     &contract.PlanCopyOut{Tables: 4, Chunks: 20, RowsEstimated: 100, BytesEstimated: 1000},
		Progress: &contract.CopyProgress{RowsDone: 55, RowsEstimated: 100, BytesDone: 550, BytesEstimated: 1000, ChunksDone: 10, Chunks: 20, Tables: 4, TablesCopied: 1, TablesCopying: 1},
		PurgeAt:  &purge, ExpiresAt: &expires, Alarms: []contract.TaskAlarm{{Kind: contract.AlarmPurge, Text: "soon"}},
		LastError: &contract.ErrorInfo{Code: fault.ServerFull.Code, NextRetryAt: &expires},
	}
	shown := renderTask(service, control.Details{TaskID: "t", View: &view}, time.Now())
	require.Equal(t, 50, *shown.Full.Percent)
	require.Equal(t, int64(55), *shown.Full.RowsDone)
	require.Equal(t, int64(550), *shown.Full.BytesDone)
	require.Nil(t, shown.Full.RowsPerSecond)
	require.Nil(t, shown.Full.RemainingSeconds)
	require.Equal(t, 2, *shown.Tables.Waiting)
	require.Equal(t, purge, *shown.Incremental.PurgeAt)
	require.Equal(t, expires, *shown.ExpiresAt)
	require.Equal(t, expires, *shown.LastError.NextRetryAt)
	require.Equal(t, []api.TaskAlarm{{Kind: "purge", Text: "soon"}}, *shown.Alarms)

	view.Status, view.Phase, view.Copy.Done = lifecycle.ReleaseDone, lifecycle.PhaseDone, true
	shown = renderTask(service, control.Details{TaskID: "t", View: &view, Ended: true}, time.Now())
	require.Equal(t, 100, *shown.Full.Percent)
	require.Equal(t, int64(55), *shown.Full.RowsDone)
	data, err := json.Marshal(shown)
	require.NoError(t, err)
	require.Contains(t, string(data), `"bytes_done":550`)

	// A sign of life means that the task waits for a slot, not for a worker.
	since := time.Now().Add(-2 * time.Minute)
	view.Status, view.Phase = lifecycle.IncreStarted, lifecycle.PhaseIncremental
	for alive, want := range map[bool]lifecycle.Status{true: lifecycle.IncreStarted, false: lifecycle.Rebuild} {
		d := control.Details{TaskID: "t", View: &view, Alive: alive, Pending: &control.PendingStep{Activity: "ApplyBinlog", WaitingSince: &since}}
		require.Equal(t, string(want), renderTask(service, d, time.Now()).Status)
	}
}
