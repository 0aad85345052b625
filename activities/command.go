package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// sendTime bounds one command: the task's worker has to answer.
const sendTime = 45 * time.Second

// SendCommand sends a task the update that a Temporal Schedule asked for. The
// update's id is the trigger's run, so that a repeated attempt is no second command.
func (a *Activities) SendCommand(ctx context.Context, in contract.TriggerIn) (contract.CommandResult, error) {
	request, update, err := commandOf(in)
	if err != nil {
		return contract.CommandResult{}, err
	}
	taskID, err := a.taskOf(ctx, in.Task)
	if err != nil {
		return contract.CommandResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	var out contract.CommandResult
	handle, err := a.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: contract.MigrationID(taskID), UpdateName: update, UpdateID: "trigger-" + activity.GetInfo(ctx).WorkflowExecution.RunID,
		WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{request},
	})
	if err == nil {
		err = handle.Get(ctx, &out)
	}
	return out, refusalOf(err, in.Task)
}

// commandOf makes the update of a command. Args hold what the command line's
// flags would: at, mode, type, tables, incomplete.
func commandOf(in contract.TriggerIn) (request any, update string, err error) {
	by := contract.Command{Actor: "trigger"}
	switch in.Command {
	case contract.UpdatePrecheck.Name:
		return contract.PrecheckRequest{Command: by}, in.Command, nil
	case contract.UpdateStart.Name:
		r := contract.StartRequest{Command: by}
		if text := in.Args["at"]; text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, "", fault.InvalidField.New("args.at", "must be a time as RFC 3339 has it")
			}
			r.At = &at
		}
		return r, in.Command, nil
	case contract.UpdatePause.Name:
		return contract.PauseRequest{Command: by, Mode: in.Args["mode"]}, in.Command, nil
	case contract.UpdateResume.Name:
		return contract.ResumeRequest{Command: by}, in.Command, nil
	case contract.UpdateRetry.Name:
		return contract.RetryRequest{Command: by}, in.Command, nil
	case contract.UpdateCompare.Name:
		return contract.CompareRequest{Command: by, Type: in.Args["type"], Tables: in.Args["tables"]}, in.Command, nil
	case contract.UpdateStop.Name:
		return contract.StopRequest{Command: by, Incomplete: in.Args["incomplete"] == "true"}, in.Command, nil
	default:
		return nil, "", fault.UnknownCommand.New(fmt.Sprintf("%q", in.Command), "")
	}
}

// taskOf resolves a name or an id.
func (a *Activities) taskOf(ctx context.Context, nameOrID string) (string, error) {
	d, err := a.temporal.DescribeWorkflowExecution(ctx, contract.NameID(nameOrID), "")
	if isGone(err) || isInvalid(err) {
		return nameOrID, nil
	}
	if err != nil {
		return "", fmt.Errorf("resolve task %s: %w", nameOrID, err)
	}
	var id string
	payload, ok := d.GetWorkflowExecutionInfo().GetMemo().GetFields()[memoTask]
	if !ok || converter.GetDefaultDataConverter().FromPayload(payload, &id) != nil {
		return nameOrID, nil
	}
	return id, nil
}

func isInvalid(err error) bool {
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	return invalid
}

// refusalOf turns the answer to an update into a fault; a refusal is not repeated.
func refusalOf(err error, object string) error {
	if err == nil {
		return nil
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		var r contract.Refusal
		if app.HasDetails() && app.Details(&r) == nil && r.Code != "" {
			return &fault.Error{Code: r.Code, Class: fault.Operator, Object: r.Object, Message: r.Message + ", status " + string(r.Status), Remedy: r.Remedy}
		}
	}
	if isGone(err) {
		return fault.UnknownTask.New("task "+object, "or it has ended")
	}
	return fmt.Errorf("send command to task %s: %w", object, err)
}
