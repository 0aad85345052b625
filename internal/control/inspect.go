package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/task"
)

// inspectTime is how long a page waits for what only a worker can see.
const inspectTime = 40 * time.Second

// Inspect asks a worker one question and opens the sealed answer into a value.
func (s *Service) inspect(ctx context.Context, in contract.InspectIn, into any) error {
	in.RequestID = uuid.NewString()
	in.AnswerKey = s.Own.Public()
	owner := in.Task.TaskID
	if owner == "" {
		owner = "-"
	}
	return s.runInspection(ctx, owner, in, into)
}

func (s *Service) runInspection(ctx context.Context, owner string, in contract.InspectIn, into any) error {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	run, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.InspectID(owner, in.RequestID), TaskQueue: contract.QueueControl,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionTimeout: inspectTime,
		StaticSummary:            "inspect " + in.Kind,
	}, contract.InspectWorkflow, in)
	if err != nil {
		return fault.TemporalUnavailable.Wrap(err, "inspection")
	}
	var out contract.InspectOut
	if err := run.Get(ctx, &out); err != nil {
		return inspectionError(err, in)
	}
	if err := s.Own.OpenJSON(contract.InspectUse(in.RequestID, "answer"), out.Answer, into); err != nil {
		return fault.AnswerUnreadable.Wrap(err, "inspection "+in.Kind)
	}
	return nil
}

func inspectionError(err error, in contract.InspectIn) error {
	queue := contract.QueueShort(in.WorkerGroup)
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) || isDeadline(err) {
		return fault.NoWorker.New("queue "+queue, "no worker of group %s took the inspection", in.WorkerGroup)
	}
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return stepFault(failed, "inspection "+in.Kind)
	}
	return fault.TemporalUnavailable.Wrap(err, "inspection "+in.Kind)
}

// stepFault is what the activity interceptor made of a failed activity's error.
func stepFault(failed *temporal.ApplicationError, object string) error {
	var info contract.ErrorInfo
	if failed.HasDetails() && failed.Details(&info) == nil && info.Code != "" {
		return &fault.Error{Code: info.Code, Class: fault.Class(info.Class), Object: info.Object, Message: info.Message, Remedy: info.Remedy}
	}
	return fault.StepFailed.New(object, "%s", failed.Message())
}

// reference names a task for a worker: its revision and its group.
func (s *Service) reference(ctx context.Context, taskID string) (contract.InspectIn, error) {
	view, err := s.View(ctx, taskID)
	if err != nil {
		return contract.InspectIn{}, err
	}
	return contract.InspectIn{WorkerGroup: view.Spec.WorkerGroup, Task: contract.TaskRef{TaskID: taskID, Revision: view.Revision}}, nil
}

// Test tests one side of a task.
func (s *Service) Test(ctx context.Context, taskID string, side task.Side) (contract.TestAnswer, error) {
	var answer contract.TestAnswer
	view, err := s.View(ctx, taskID)
	if err != nil {
		return answer, err
	}
	if err := allowed(lifecycle.TestConnection, taskID, view.Status); err != nil {
		return answer, err
	}
	in := contract.InspectIn{
		Kind: contract.InspectTest, Side: string(side), WorkerGroup: view.Spec.WorkerGroup,
		Task: contract.TaskRef{TaskID: taskID, Revision: view.Revision},
	}
	return answer, s.inspect(ctx, in, &answer)
}

// TestEndpoint tests an endpoint that no task has yet.
func (s *Service) TestEndpoint(ctx context.Context, group string, side task.Side, e task.Endpoint) (contract.TestAnswer, error) {
	var answer contract.TestAnswer
	workers, err := s.Workers()
	if err != nil {
		return answer, fault.KeysMissing.Wrap(err, "key ring")
	}
	in := contract.InspectIn{Kind: contract.InspectTest, WorkerGroup: group, Side: string(side), RequestID: uuid.NewString(), AnswerKey: s.Own.Public()}
	sealed, err := workers.SealJSON(contract.InspectUse(in.RequestID, "endpoint"), e)
	if err != nil {
		return answer, fault.Internal.Wrap(err, string(side))
	}
	in.Endpoint = &sealed
	return answer, s.runInspection(ctx, "-", in, &answer)
}

// Page asks for one page of a task's tables, log or comparison.
type Page struct {
	Kind       string // contract.InspectTables, InspectLogs, InspectDifferences
	After      string
	Limit      int
	Level      string
	Comparison string
}

// Page reads one page into the kind's answer.
func (s *Service) Page(ctx context.Context, taskID string, p Page, into any) error {
	in, err := s.reference(ctx, taskID)
	if err != nil {
		return err
	}
	in.Kind, in.After, in.Limit, in.Level, in.Comparison = p.Kind, p.After, p.Limit, p.Level, p.Comparison
	return s.inspect(ctx, in, into)
}

// SyncPoint says whether everything before a sync point is on the destination,
// of tables that stand apart, too: it is not reached while there are any.
func (s *Service) SyncPoint(ctx context.Context, taskID string, number int) (contract.SyncPoint, bool, error) {
	view, err := s.View(ctx, taskID)
	if err != nil {
		return contract.SyncPoint{}, false, err
	}
	for _, p := range view.SyncPoints {
		if p.Number != number {
			continue
		}
		if e := view.LastError; e != nil && e.Code == fault.AccessDenied.Code {
			return p, false, nil // who waits asks every second: so many denied logins lock the account
		}
		if slices.ContainsFunc(view.Groups, contract.Group.Open) {
			return p, false, nil // tables that stand apart are part of everything
		}
		in := contract.InspectIn{Kind: contract.InspectApplied, WorkerGroup: view.Spec.WorkerGroup, Task: contract.TaskRef{TaskID: taskID, Revision: view.Revision}}
		var applied position.Position
		if err := s.inspect(ctx, in, &applied); err != nil {
			return p, false, err
		}
		if applied.IsZero() {
			return p, false, nil
		}
		reached, err := applied.Covers(p.Position)
		return p, reached && err == nil, nil
	}
	return contract.SyncPoint{}, false, fault.NoSyncPoint.New("sync point", "number %d", number)
}
