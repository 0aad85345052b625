package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"shardlift/internal/control"
	"shardlift/web/api"
)

// commandAnswer answers every command: 200 with what it brought about, or 202
// with the operation while the task still carries it out.
type commandAnswer struct{ control.Outcome }

func (a commandAnswer) write(w http.ResponseWriter) error {
	status, body := http.StatusOK, any(outcome(a.Outcome))
	if a.Running {
		status, body = http.StatusAccepted, renderOperation(control.Operation{ID: a.OperationID, State: "running"})
	}
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(data, '\n'))
	return err //nolint:wrapcheck // the connection's own
}

// The commands of the API.
var (
	_ api.EditTaskResponseObject       = commandAnswer{}
	_ api.CompareTaskResponseObject    = commandAnswer{}
	_ api.ChangeTablesResponseObject   = commandAnswer{}
	_ api.ConfirmTaskResponseObject    = commandAnswer{}
	_ api.SetCredentialsResponseObject = commandAnswer{}
	_ api.LimitTaskResponseObject      = commandAnswer{}
	_ api.PauseTaskResponseObject      = commandAnswer{}
	_ api.PrecheckTaskResponseObject   = commandAnswer{}
	_ api.RescheduleTaskResponseObject = commandAnswer{}
	_ api.ResetTaskResponseObject      = commandAnswer{}
	_ api.ResumeTaskResponseObject     = commandAnswer{}
	_ api.RetryTaskResponseObject      = commandAnswer{}
	_ api.StartTaskResponseObject      = commandAnswer{}
	_ api.StopTaskResponseObject       = commandAnswer{}
)

// VisitEditTaskResponse writes the answer.
func (a commandAnswer) VisitEditTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitChangeTablesResponse writes the answer.
func (a commandAnswer) VisitChangeTablesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitCompareTaskResponse writes the answer.
func (a commandAnswer) VisitCompareTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitConfirmTaskResponse writes the answer.
func (a commandAnswer) VisitConfirmTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitSetCredentialsResponse writes the answer.
func (a commandAnswer) VisitSetCredentialsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitLimitTaskResponse writes the answer.
func (a commandAnswer) VisitLimitTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitPauseTaskResponse writes the answer.
func (a commandAnswer) VisitPauseTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitPrecheckTaskResponse writes the answer.
func (a commandAnswer) VisitPrecheckTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitRescheduleTaskResponse writes the answer.
func (a commandAnswer) VisitRescheduleTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitResetTaskResponse writes the answer.
func (a commandAnswer) VisitResetTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitResumeTaskResponse writes the answer.
func (a commandAnswer) VisitResumeTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitRetryTaskResponse writes the answer.
func (a commandAnswer) VisitRetryTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitStartTaskResponse writes the answer.
func (a commandAnswer) VisitStartTaskResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitStopTaskResponse writes the answer.
func (a commandAnswer) VisitStopTaskResponse(w http.ResponseWriter) error { return a.write(w) }
