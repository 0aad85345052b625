package control

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// abandonedAfter is the age at which a reserved name whose task does not exist
// may be taken over: whoever reserved it died before it made the task, or the
// task was removed without its name.
const abandonedAfter = 2 * time.Minute

// memoTask is the memo of NameWorkflow that holds the task's id.
const memoTask = "task"

// holder is who holds a name.
type holder struct {
	taskID, runID string
	since         time.Time
}

// nameHolder asks the workflow that reserves a name; UnknownTask when none does.
func (s *Service) nameHolder(ctx context.Context, name string) (holder, error) {
	described, err := s.Temporal.DescribeWorkflowExecution(ctx, contract.NameID(name), "")
	if err != nil {
		return holder{}, unavailable(err, "task "+name)
	}
	info := described.GetWorkflowExecutionInfo()
	h := holder{runID: info.GetExecution().GetRunId(), since: info.GetStartTime().AsTime()}
	err = decode(info.GetMemo().GetFields()[memoTask], &h.taskID)
	if err != nil || h.taskID == "" || info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return holder{}, fault.UnknownTask.New("task "+name, "")
	}
	return h, nil
}

// reserve takes a name for a task; the second of two loses. A name without a
// task is taken over when it is old enough.
func (s *Service) reserve(ctx context.Context, name, id string, abandoned time.Duration) error {
	for range 3 {
		if done, err := s.hold(ctx, name, id); done || err != nil {
			return err
		}
		h, err := s.nameHolder(ctx, name)
		switch {
		case errors.Is(err, fault.UnknownTask):
			continue // given free this moment
		case err != nil:
			return err
		case h.taskID == id:
			return nil
		}
		_, err = s.Temporal.DescribeWorkflowExecution(ctx, contract.MigrationID(h.taskID), "")
		if err == nil {
			return fault.NameTaken.New("name "+name, "")
		}
		if err := unavailable(err, "name "+name); !errors.Is(err, fault.UnknownTask) {
			return err
		}
		if time.Since(h.since) < abandoned {
			return fault.NameTaken.New("name "+name, "its task is being created; if that failed, the name is free in %s", abandoned)
		}
		// This run only: another creation may have taken the name over meanwhile.
		err = s.Temporal.TerminateWorkflow(ctx, contract.NameID(name), h.runID, "task "+h.taskID+" does not exist")
		if err != nil && !errors.Is(unavailable(err, ""), fault.UnknownTask) {
			return unavailable(err, "name "+name)
		}
	}
	return fault.NameTaken.New("name "+name, "")
}

// hold starts the workflow that holds the name; false when one runs.
func (s *Service) hold(ctx context.Context, name, id string) (bool, error) {
	_, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.NameID(name), TaskQueue: contract.QueueControl,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{memoTask: id},
		StaticSummary:                            "the name of task " + id,
	}, contract.NameWorkflow, contract.NameIn{Name: name, TaskID: id})
	if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return false, nil
	}
	if err != nil {
		return false, fault.TemporalUnavailable.Wrap(err, "name "+name)
	}
	return true, nil
}

// release gives a name of a task free.
func (s *Service) release(ctx context.Context, name, taskID string) error {
	h, err := s.nameHolder(ctx, name)
	if err == nil && h.taskID == taskID {
		err = s.Temporal.SignalWorkflow(ctx, contract.NameID(name), h.runID, contract.SignalRelease, nil)
	}
	if err == nil || errors.Is(err, fault.UnknownTask) {
		return nil
	}
	return unavailable(err, "name "+name)
}
