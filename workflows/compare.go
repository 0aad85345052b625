package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// Results of a comparison that the workflow gives (drs.md C-16).
const (
	comparing       = "COMPARING"
	failedToCompare = "FAILED_TO_COMPARE"
	cancelled       = "CANCELLED"
)

// signalCompared tells the task that a comparison has ended.
const signalCompared = "compared"

// CompareInput starts one comparison.
type CompareInput struct {
	contract.TaskRef
	ID               string        `json:"id"`
	Type             string        `json:"type"`
	Tables           string        `json:"tables,omitempty"`
	WorkerGroup      string        `json:"worker_group"`
	HeartbeatTimeout time.Duration `json:"heartbeat_timeout"`
}

// CompareWorkflow compares in boxes; progress and results are on the
// destination. It outlives a continue-as-new of its task and tells it the
// outcome by a signal.
func CompareWorkflow(ctx workflow.Context, in CompareInput) (contract.ComparisonSummary, error) {
	_ = workflow.GetVersion(ctx, changeRelease, workflow.DefaultVersion, release)
	p := newPlace(in.TaskID, in.WorkerGroup, in.HeartbeatTimeout)
	summary := contract.ComparisonSummary{ID: in.ID, Type: in.Type}
	var failure error
	for {
		if suggested(ctx) {
			return summary, workflow.NewContinueAsNewError(ctx, contract.CompareWorkflow, in)
		}
		out, err := call(ctx, p, contract.CompareTables, fmt.Sprintf("compare %s", in.Type), contract.CompareIn{
			TaskRef: in.TaskRef, ID: in.ID, Type: in.Type, Tables: in.Tables, Box: compareBox,
		})
		if err != nil {
			if summary.Result, failure = failedToCompare, err; temporal.IsCanceledError(err) {
				summary.Result = cancelled // at the task's end, or in the Temporal Web UI
			}
			break
		}
		if out.Done {
			summary.Result = out.Result
			break
		}
	}
	now := workflow.Now(ctx)
	summary.FinishedAt = &now
	free, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.SignalExternalWorkflow(free, contract.MigrationID(in.TaskID), "", signalCompared, summary).Get(free, nil); err != nil {
		workflow.GetLogger(ctx).Info("the task has ended before its comparison")
	}
	return summary, failure
}

func (m *migration) checkCompare(_ workflow.Context, r contract.CompareRequest) error {
	if !slices.Contains([]string{contract.CompareObjects, contract.CompareRows, contract.CompareValues}, r.Type) {
		return fault.InvalidField.New("type", "must be objects, rows or values")
	}
	if !m.CopyDone {
		return fault.NothingToCompare.New("", "")
	}
	if m.Comparing != "" {
		return fault.ComparisonRunning.New(m.Comparing, "")
	}
	return nil
}

// compare starts a comparison and answers with its id once it runs.
func (m *migration) compare(ctx workflow.Context, r contract.CompareRequest) (contract.CommandResult, error) {
	m.ComparisonNo++
	id := fmt.Sprintf("c%d", m.ComparisonNo)
	m.Comparing = id
	in := CompareInput{
		TaskRef: contract.TaskRef{TaskID: m.in.TaskID}, // each box with the credentials of its time
		ID:      id, Type: r.Type, Tables: r.Tables, WorkerGroup: m.place.Group, HeartbeatTimeout: m.place.Heartbeat,
	}
	childCtx := compareChild(ctx, m.place, id, "compare "+r.Type)
	child := workflow.ExecuteChildWorkflow(childCtx, contract.CompareWorkflow, in)
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		m.Comparing = ""
		return contract.CommandResult{}, err
	}
	m.Comparisons = last(append(m.Comparisons, id), keptComparisons)
	m.Comparison = &contract.ComparisonSummary{ID: id, Type: r.Type, Result: comparing}
	m.record(ctx, r.Actor, "compare "+r.Type+": "+id)
	// The signal is the usual way; this one hears of a comparison that was terminated.
	workflow.GoNamed(ctx, "comparison "+id, func(ctx workflow.Context) {
		if err := child.Get(ctx, nil); err != nil && m.Comparing == id {
			now := workflow.Now(ctx)
			m.compared(ctx, contract.ComparisonSummary{ID: id, Type: r.Type, Result: failedToCompare, FinishedAt: &now})
		}
	})
	return contract.CommandResult{Comparison: id}, nil
}

// hearComparisons waits for the outcomes of comparisons.
func (m *migration) hearComparisons(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, signalCompared)
	for {
		var summary contract.ComparisonSummary
		signals.Receive(ctx, &summary)
		m.compared(ctx, summary)
	}
}

// drainSignals takes what has arrived before the run ends.
func (m *migration) drainSignals(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, signalCompared)
	var summary contract.ComparisonSummary
	for signals.ReceiveAsync(&summary) {
		m.compared(ctx, summary)
	}
}

func (m *migration) compared(ctx workflow.Context, s contract.ComparisonSummary) {
	if m.Comparing == s.ID {
		m.Comparing = ""
	}
	m.Comparison = &s
	m.record(ctx, system, "comparison "+s.ID+": "+s.Result)
}

// cancelComparison ends the comparison that runs, which would otherwise outlive the task.
func (m *migration) cancelComparison(ctx workflow.Context) {
	if m.Comparing == "" {
		return
	}
	id := contract.CompareID(m.in.TaskID, m.Comparing)
	m.Comparing = ""
	if err := workflow.RequestCancelExternalWorkflow(ctx, id, "").Get(ctx, nil); err != nil && !temporal.IsCanceledError(err) {
		workflow.GetLogger(ctx).Info("comparison has ended already")
	}
}
