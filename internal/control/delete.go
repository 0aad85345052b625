package control

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

// deleteWait is how long a request waits for a deletion; Temporal needs about
// half a minute to remove a workflow that has just ended (temporal.md 0.12).
const deleteWait = 5 * time.Second

// deletionPrefix stands in a deletion's operation id where others have the task's.
const deletionPrefix = "delete"

// Delete removes an ended task: metadata, history, children, inspections, name
// and credentials. It goes on when the answer is "running".
func (s *Service) Delete(ctx context.Context, taskID, actor string) (Operation, error) {
	d, err := s.Task(ctx, taskID)
	if err != nil {
		return Operation{}, err
	}
	status, group := d.Memory.Status, d.Memory.WorkerGroup
	if d.View != nil {
		status, group = d.View.Status, d.View.Spec.WorkerGroup
	}
	if err := allowed(lifecycle.Delete, taskID, status); err != nil && !d.Ended {
		return Operation{}, err
	}
	run, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.DeleteID(taskID), TaskQueue: contract.QueueControl,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "delete task " + d.Name,
	}, contract.DeleteTask, contract.DeleteIn{TaskID: taskID, Name: d.Name, Actor: actor, WorkerGroup: group})
	if err != nil {
		return Operation{}, fault.TemporalUnavailable.Wrap(err, "task "+taskID)
	}
	out := Operation{ID: deletionPrefix + "~" + taskID, State: "running"}
	ctx, cancel := context.WithTimeout(ctx, deleteWait)
	defer cancel()
	var left contract.CleanUpOut
	err = run.Get(ctx, &left)
	if err == nil {
		out.State, out.Warnings = "done", left.Warnings
	} else if failed, ok := errors.AsType[*temporal.WorkflowExecutionError](err); ok {
		return out, deletionError(failed)
	}
	return out, nil // not heard of the end in time: it goes on
}

// deletion says how far a deletion is.
func (s *Service) deletion(ctx context.Context, id, taskID string) (Operation, error) {
	described, err := s.Temporal.DescribeWorkflowExecution(ctx, contract.DeleteID(taskID), "")
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return Operation{}, fault.UnknownOperation.New("operation "+id, "")
	}
	if err != nil {
		return Operation{}, fault.TemporalUnavailable.Wrap(err, "operation "+id)
	}
	switch described.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return Operation{ID: id, State: "running"}, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		var left contract.CleanUpOut
		if err := s.Temporal.GetWorkflow(ctx, contract.DeleteID(taskID), "").Get(ctx, &left); err != nil {
			return Operation{}, fault.TemporalUnavailable.Wrap(err, "operation "+id)
		}
		return Operation{ID: id, State: "done", Warnings: left.Warnings}, nil
	default:
		err := s.Temporal.GetWorkflow(ctx, contract.DeleteID(taskID), "").Get(ctx, nil)
		return Operation{ID: id, State: "failed", Err: deletionError(err)}, nil
	}
}

func deletionError(err error) error {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return stepFault(failed, "deletion")
	}
	return fault.StepFailed.New("deletion", "it was ended before it was done; delete the task again")
}
