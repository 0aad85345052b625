package control

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/secret"
	"shardlift/internal/task"
)

// Outcome of a command that was carried out, or is being carried out.
type Outcome struct {
	contract.CommandResult
	OperationID string
	// Running: the task has accepted the command and works on it; the operation tells its end.
	Running bool
}

// Send sends a command to a task and waits for its answer: an Outcome, Refused,
// or Unknown when no worker accepts it in time. A repeated call of the same command
// with the same key is carried out once.
func Send[R any](ctx context.Context, s *Service, taskID string, u contract.Update[R], request R, key string) (Outcome, error) {
	if err := checkKey(key); err != nil {
		return Outcome{}, err
	}
	if key == "" {
		key = uuid.NewString()
	}
	update := u.Name + "~" + key // the same key may serve another command too
	out := Outcome{OperationID: taskID + "~" + update}
	asking, cancel := context.WithTimeout(ctx, s.workerTime())
	defer cancel()
	handle, err := s.Temporal.UpdateWorkflow(asking, client.UpdateWorkflowOptions{
		WorkflowID: contract.MigrationID(taskID), UpdateID: update, UpdateName: u.Name,
		WaitForStage: client.WorkflowUpdateStageAccepted, Args: []any{request},
	})
	if missing, ok := errors.AsType[*serviceerror.NotFound](err); ok && isEnded(missing) {
		// It may have been carried out before the task ended.
		handle, err = s.Temporal.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: contract.MigrationID(taskID), UpdateID: update}), nil
		if again := handle.Get(asking, &out.CommandResult); again != nil {
			err = missing
		}
		return out, commandError(err, out.OperationID, taskID)
	}
	if err == nil {
		// Accepted: a worker is there, and carries it out.
		working, done := context.WithTimeout(ctx, s.commandTime())
		defer done()
		if err = handle.Get(working, &out.CommandResult); outOfTime(err) && ctx.Err() == nil {
			out.Running = true
			return out, nil
		}
	}
	return out, commandError(err, out.OperationID, taskID)
}

// checkKey refuses idempotency keys that cannot stand in an operation's id.
func checkKey(key string) error {
	printable := func(r rune) bool { return r > ' ' && r < 0x7f && r != '/' }
	if len(key) > 100 || strings.ContainsFunc(key, func(r rune) bool { return !printable(r) }) {
		return &Invalid{[]FieldError{{"Idempotency-Key", "must be at most 100 printable ASCII characters, no blank and no slash"}}}
	}
	return nil
}

func commandError(err error, operation, taskID string) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return refusal(refused)
	}
	var missing *serviceerror.NotFound
	switch {
	case outOfTime(err), errors.Is(err, context.Canceled):
		return &Unknown{operation, fault.NoWorker.Wrap(err, "task "+taskID)}
	case errors.As(err, &missing) && isEnded(missing):
		return ended(taskID)
	case errors.As(err, &missing):
		return fault.UnknownTask.New("task "+taskID, "")
	default:
		return fault.TemporalUnavailable.Wrap(err, "task "+taskID)
	}
}

func outOfTime(err error) bool {
	var timeout *client.WorkflowUpdateServiceTimeoutOrCanceledError
	return errors.As(err, &timeout) || isDeadline(err)
}

// isEnded tells a task that has ended from one that never was: Temporal calls
// both "not found" for updates.
func isEnded(missing *serviceerror.NotFound) bool {
	return strings.Contains(missing.Message, "completed")
}

// allowed asks the lifecycle table about what is no update of the task.
func allowed(a lifecycle.Action, taskID string, s lifecycle.Status) error {
	reason := a.Reason(s)
	if reason == "" {
		return nil
	}
	return &Refused{contract.Refusal{
		Code: fault.RefusedInState.Code, Object: "task " + taskID, Message: string(a) + ": " + reason, Remedy: fault.RefusedInState.Remedy,
		Status: s, AvailableActions: lifecycle.Available(s),
	}}
}

func ended(taskID string) error {
	return &Refused{contract.Refusal{
		Code: fault.RefusedInState.Code, Object: "task " + taskID, Message: "the task has ended and is never restarted",
		Remedy: "delete it, or create a new task", Status: lifecycle.ReleaseDone, Phase: lifecycle.PhaseDone,
		AvailableActions: lifecycle.Available(lifecycle.ReleaseDone),
	}}
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
	if command.Revision == 0 {
		command.Revision = view.Revision // an edit in between may have changed the host
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

// Edit replaces a task's file. A new name is reserved before, the old one given
// free after.
func (s *Service) Edit(ctx context.Context, taskID string, f task.File, command contract.Command, key string) (Outcome, error) {
	if err := s.validate(&f); err != nil {
		return Outcome{}, err
	}
	return s.edit(ctx, taskID, f, command, key)
}

func (s *Service) edit(ctx context.Context, taskID string, f task.File, command contract.Command, key string) (Outcome, error) {
	view, err := s.View(ctx, taskID)
	if err != nil {
		return Outcome{}, err
	}
	sides, err := s.newCredentials(taskID, view, f)
	if err != nil {
		return Outcome{}, err
	}
	spec, err := s.seal(taskID, f)
	if err != nil {
		return Outcome{}, err
	}
	renamed := contract.NameID(view.Spec.Name) != contract.NameID(f.Name)
	if renamed {
		if err := s.reserve(ctx, f.Name, taskID, abandonedAfter); err != nil {
			return Outcome{}, err
		}
	}
	out, err := Send(ctx, s, taskID, contract.UpdateEdit, contract.EditRequest{Command: command, Spec: spec, Credentials: sides}, key)
	if !renamed {
		return out, err
	}
	if _, refused := errors.AsType[*Refused](err); refused {
		return out, errors.Join(err, s.release(ctx, f.Name, taskID))
	}
	if err == nil && !out.Running {
		err = s.release(ctx, view.Spec.Name, taskID)
	}
	return out, err // unknown or running: the task keeps both names
}

// newCredentials are the sides whose credentials an edit after the start brings:
// those with a password. Host and port are fixed then.
func (s *Service) newCredentials(taskID string, view contract.View, f task.File) ([]task.Side, error) {
	if view.Phase == lifecycle.PhaseConfiguration {
		return nil, nil
	}
	var out []task.Side
	wrong := &Invalid{}
	for _, e := range []struct {
		side   task.Side
		sealed secret.Sealed
		want   task.Endpoint
	}{{task.SourceSide, view.Spec.Source.Shown, f.Source}, {task.DestinationSide, view.Spec.Destination.Shown, f.Destination}} {
		shown, err := s.Shown(taskID, e.side, e.sealed)
		if err != nil {
			return nil, err
		}
		if e.want.Host != shown.Host || e.want.Port != shown.Port {
			wrong.Fields = append(wrong.Fields, FieldError{string(e.side) + ".host", "cannot be changed after the start, port neither: reset the task, or make a new one"})
		}
		switch {
		case e.want.Password != "":
			out = append(out, e.side)
		case e.want.User != shown.User:
			wrong.Fields = append(wrong.Fields, FieldError{string(e.side) + ".password", "is needed for another user"})
		}
	}
	if len(wrong.Fields) > 0 {
		return nil, wrong
	}
	return out, nil
}

// Operation is what became of a command.
type Operation struct {
	ID    string
	State string // running, done, failed, unknown
	Err   error  // for failed
	// Result is what a command brought about, nil before its end and for a deletion.
	Result *contract.CommandResult
	// Warnings of a deletion say what remains.
	Warnings []string
}

// Operation asks about a command by its operation id.
func (s *Service) Operation(ctx context.Context, id string) (Operation, error) {
	taskID, update, ok := strings.Cut(id, "~")
	switch {
	case ok && taskID == deletionPrefix && idPattern.MatchString(update):
		return s.deletion(ctx, id, update)
	case !ok || update == "" || !idPattern.MatchString(taskID):
		return Operation{}, fault.UnknownOperation.New("operation "+id, "")
	}
	out := Operation{ID: id, State: "unknown"}
	ctx, cancel := context.WithTimeout(ctx, s.temporalTime())
	defer cancel()
	polled, err := s.Temporal.WorkflowService().PollWorkflowExecutionUpdate(ctx, &workflowservice.PollWorkflowExecutionUpdateRequest{
		Namespace: s.Namespace,
		UpdateRef: updateRef(taskID, update),
		Identity:  "shardlift-web",
	})
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		// Not in the history (yet): it may come with a worker, was refused, or is lost.
		if _, err := s.Temporal.DescribeWorkflowExecution(ctx, contract.MigrationID(taskID), ""); err != nil {
			if errors.Is(unavailable(err, ""), fault.UnknownTask) {
				return Operation{}, fault.UnknownOperation.New("operation "+id, "its task does not exist")
			}
			return Operation{}, unavailable(err, "operation "+id)
		}
		return out, nil
	}
	switch {
	case err != nil:
		return out, fault.TemporalUnavailable.Wrap(err, "operation "+id)
	case polled.GetStage() == enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED:
		return out, nil // no worker has seen it
	case polled.GetOutcome() == nil:
		out.State = "running"
		return out, nil
	}
	handle := s.Temporal.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: contract.MigrationID(taskID), UpdateID: update})
	var result contract.CommandResult
	out.State, out.Result = "done", &result
	if err := handle.Get(ctx, &result); err != nil {
		out.State, out.Result, out.Err = "failed", nil, commandError(err, id, taskID)
	}
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
