package control

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/task"
)

// Outcome of a command that was carried out.
type Outcome struct {
	contract.CommandResult
	OperationID string
}

// Send sends a command to a task and waits for its answer: an Outcome, Refused,
// or Unknown when no worker answers in time. A repeated call with the same key
// is carried out once.
func Send[R any](ctx context.Context, s *Service, taskID string, u contract.Update[R], request R, key string) (Outcome, error) {
	if key == "" {
		key = uuid.NewString()
	}
	operation := taskID + "~" + key
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	handle, err := s.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: contract.MigrationID(taskID), UpdateID: key, UpdateName: u.Name,
		WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{request},
	})
	var result contract.CommandResult
	if err == nil {
		err = handle.Get(ctx, &result)
	}
	if err != nil {
		return Outcome{OperationID: operation}, commandError(err, operation, taskID)
	}
	return Outcome{result, operation}, nil
}

func commandError(err error, operation, taskID string) error {
	if refused, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return refusal(refused)
	}
	var timeout *client.WorkflowUpdateServiceTimeoutOrCanceledError
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return &Unknown{operation, fault.NoWorker.Wrap(err, "task "+taskID)}
	case errors.As(err, &missing):
		return ended(taskID, missing)
	default:
		return fault.TemporalUnavailable.Wrap(err, "task "+taskID)
	}
}

// ended tells a task that has ended from one that never was: Temporal calls
// both "not found" for updates.
func ended(taskID string, missing *serviceerror.NotFound) error {
	if strings.Contains(missing.Message, "completed") {
		return &Refused{contract.Refusal{
			Code: fault.RefusedInState.Code, Object: "task " + taskID, Message: "the task has ended and is never restarted",
			Remedy: "delete it, or create a new task", Status: "RELEASE_RESOURCE_COMPLETE", Phase: "done",
		}}
	}
	return fault.UnknownTask.New("task "+taskID, "")
}

func refusal(err *temporal.ApplicationError) error {
	r := &Refused{contract.Refusal{Code: err.Type(), Message: err.Message()}}
	if err.HasDetails() {
		_ = err.Details(&r.Refusal) // without them code and message stand
	}
	return r
}

// SetCredentials changes user (empty: as it was) and password of one side. Host,
// port and TLS stay: only workers can open them, so only what changes is sent.
func (s *Service) SetCredentials(ctx context.Context, taskID string, side task.Side, c task.Credentials, command contract.Command, key string) (Outcome, error) {
	view, err := s.View(ctx, taskID)
	if err != nil {
		return Outcome{}, err
	}
	sealed := view.Spec.Source
	if side == task.DestinationSide {
		sealed = view.Spec.Destination
	}
	shown, err := s.Shown(taskID, side, sealed.Shown)
	if err != nil {
		return Outcome{}, err
	}
	if c.User == "" {
		c.User = shown.User
	}
	workers, err := s.Workers()
	if err != nil {
		return Outcome{}, fault.KeysMissing.Wrap(err, "key ring")
	}
	sealed, err = sealed.WithCredentials(taskID, side, c, shown, workers, s.Own.Public())
	if err != nil {
		return Outcome{}, fault.Internal.Wrap(err, string(side))
	}
	return Send(ctx, s, taskID, contract.UpdateSetCredentials, contract.CredentialsRequest{Command: command, Side: side, Endpoint: sealed}, key)
}

// Edit replaces a task's file.
func (s *Service) Edit(ctx context.Context, taskID string, f task.File, command contract.Command, key string) (Outcome, error) {
	if err := s.validate(&f); err != nil {
		return Outcome{}, err
	}
	spec, err := s.seal(taskID, f)
	if err != nil {
		return Outcome{}, err
	}
	return Send(ctx, s, taskID, contract.UpdateEdit, contract.EditRequest{Command: command, Spec: spec}, key)
}

// Operation is what became of a command.
type Operation struct {
	ID    string
	State string // running, done, failed, unknown
	Err   error  // for failed
}

// Operation asks about a command by its operation id.
func (s *Service) Operation(ctx context.Context, id string) (Operation, error) {
	taskID, key, ok := strings.Cut(id, "~")
	if !ok || !idPattern.MatchString(taskID) {
		return Operation{}, fault.UnknownOperation.New("operation "+id, "")
	}
	if strings.HasPrefix(key, "delete") {
		return s.deletion(ctx, id, taskID)
	}
	out := Operation{ID: id, State: "unknown"}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	polled, err := s.Temporal.WorkflowService().PollWorkflowExecutionUpdate(ctx, &workflowservice.PollWorkflowExecutionUpdateRequest{
		Namespace: s.Namespace,
		UpdateRef: updateRef(taskID, key),
		Identity:  "shardlift-web",
	})
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return out, nil // not in the history (yet): it may come with a worker, or is lost
	case err != nil:
		return out, fault.TemporalUnavailable.Wrap(err, "operation "+id)
	}
	handle := s.Temporal.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: contract.MigrationID(taskID), UpdateID: key})
	out.State = "running"
	if polled.GetOutcome() == nil {
		return out, nil
	}
	var result contract.CommandResult
	if err := handle.Get(ctx, &result); err != nil {
		out.State, out.Err = "failed", commandError(err, id, taskID)
		return out, nil
	}
	out.State = "done"
	return out, nil
}

func updateRef(taskID, key string) *updatepb.UpdateRef {
	return &updatepb.UpdateRef{WorkflowExecution: execution(contract.MigrationID(taskID)), UpdateId: key}
}

// Shown opens what pages may show of one side.
func (s *Service) Shown(taskID string, side task.Side, sealed secret.Sealed) (task.Shown, error) {
	var shown task.Shown
	if err := s.Own.OpenJSON(task.ShownUse(taskID, side), sealed, &shown); err != nil {
		return shown, fault.AnswerUnreadable.Wrap(err, string(side)+" endpoint")
	}
	return shown, nil
}
