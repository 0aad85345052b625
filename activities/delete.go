package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// deletePoll is the pause between two looks; a run that has just closed takes
// Temporal half a minute to remove.
const deletePoll = time.Second

// mustHaveEnded refuses what would take an open task's ground away.
func (a *Activities) mustHaveEnded(ctx context.Context, taskID string) error {
	d, err := a.temporal.DescribeWorkflowExecution(ctx, contract.MigrationID(taskID), "")
	if isGone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at task %s: %w", taskID, err)
	}
	if d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return fault.TaskStillOpen.New("task "+taskID, "")
	}
	return nil
}

// DeleteRuns removes every run of a task with its children, inspections and
// name, and returns when Temporal knows none of them any more.
func (a *Activities) DeleteRuns(ctx context.Context, in contract.DeleteIn) (contract.Nothing, error) {
	if err := a.mustHaveEnded(ctx, in.TaskID); err != nil {
		return contract.Nothing{}, err
	}
	work, step := begin(ctx)
	return contract.Nothing{}, step.end(a.deleteRuns(work, in, step))
}

func (a *Activities) deleteRuns(ctx context.Context, in contract.DeleteIn, step *step) error {
	pending := map[string]*commonpb.WorkflowExecution{}
	tick := time.NewTicker(deletePoll)
	defer tick.Stop()
	for quiet := 0; quiet < 2; {
		found, err := a.runsOf(ctx, in)
		if err != nil {
			return err
		}
		for _, run := range found {
			if _, known := pending[run.GetRunId()]; known {
				continue
			}
			if err := a.deleteRun(ctx, run); err != nil {
				return err
			}
			pending[run.GetRunId()] = run
			step.moved()
		}
		left, err := a.remaining(ctx, pending)
		if err != nil {
			return err
		}
		// Visibility lags: the list has to be empty twice.
		if quiet++; left > 0 || len(found) > 0 {
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return fault.RunsRemain.New("task "+in.TaskID, "%d", left)
		case <-tick.C:
		}
	}
	return nil
}

// runsOf lists the runs of a task, and the run that holds its name.
func (a *Activities) runsOf(ctx context.Context, in contract.DeleteIn) ([]*commonpb.WorkflowExecution, error) {
	terms := []string{
		"WorkflowId = " + quoted(contract.MigrationID(in.TaskID)),
		"WorkflowId STARTS_WITH " + quoted(contract.MigrationID(in.TaskID)+"/"),
		"WorkflowId STARTS_WITH " + quoted(contract.InspectID(in.TaskID, "")),
	}
	if in.Name != "" {
		terms = append(terms, "WorkflowId = "+quoted(contract.NameID(in.Name)))
	}
	var runs []*commonpb.WorkflowExecution
	var token []byte
	for {
		page, err := a.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: a.namespace, Query: strings.Join(terms, " OR "), PageSize: 500, NextPageToken: token,
		})
		if err != nil {
			return nil, fmt.Errorf("list the runs of task %s: %w", in.TaskID, err)
		}
		for _, e := range page.GetExecutions() {
			if e.GetType().GetName() == contract.NameWorkflow && !holdsName(e, in.TaskID) {
				continue // the name belongs to another task by now
			}
			runs = append(runs, e.GetExecution())
		}
		if token = page.GetNextPageToken(); len(token) == 0 {
			return runs, nil
		}
	}
}

// memoTask is the memo of a NameWorkflow that says which task holds the name.
const memoTask = "task"

func holdsName(e *workflowpb.WorkflowExecutionInfo, taskID string) bool {
	var holder string
	payload, ok := e.GetMemo().GetFields()[memoTask]
	return ok && converter.GetDefaultDataConverter().FromPayload(payload, &holder) == nil && holder == taskID
}

func (a *Activities) deleteRun(ctx context.Context, run *commonpb.WorkflowExecution) error {
	_, err := a.temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: a.namespace, WorkflowExecution: run,
	})
	if err != nil && !isGone(err) {
		return fmt.Errorf("delete run %s: %w", run.GetWorkflowId(), err)
	}
	return nil
}

// remaining counts the runs that Temporal still knows and forgets the others.
func (a *Activities) remaining(ctx context.Context, runs map[string]*commonpb.WorkflowExecution) (int, error) {
	for id, run := range runs {
		_, err := a.temporal.DescribeWorkflowExecution(ctx, run.GetWorkflowId(), id)
		if isGone(err) {
			delete(runs, id)
		} else if err != nil {
			return 0, fmt.Errorf("look for run %s: %w", run.GetWorkflowId(), err)
		}
	}
	return len(runs), nil
}

func isGone(err error) bool {
	_, gone := errors.AsType[*serviceerror.NotFound](err)
	return gone
}

// quoted writes a string of Temporal's list filter.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
