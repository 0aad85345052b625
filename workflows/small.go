package workflows

import (
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// InspectWorkflow asks the databases one question; it answers or fails within
// 30 seconds.
func InspectWorkflow(ctx workflow.Context, in contract.InspectIn) (contract.InspectOut, error) {
	p := newPlace(in.Task.TaskID, in.WorkerGroup, 0)
	return call(ctx, p, contract.Inspect, "inspect: "+in.Kind, in)
}

// DeleteTask removes everything of a task that has ended: its metadata on the
// destination, then every run in Temporal, endpoints included. A destination
// that is away for good does not keep the task: the result says what remains there.
func DeleteTask(ctx workflow.Context, in contract.DeleteIn) (contract.CleanUpOut, error) {
	p := newPlace(in.TaskID, in.WorkerGroup, 0)
	out, err := call(ctx, p, contract.CleanUp, "drop the task's metadata tables", contract.TaskRef{TaskID: in.TaskID})
	if err != nil {
		if ctx.Err() != nil {
			return out, err
		}
		info := errorInfo(ctx, err)
		if info.Code == fault.TaskStillOpen.Code {
			return out, err
		}
		out.Warnings = append(out.Warnings, "the task's metadata, tables shardlift_*, may remain in its schemas on the destination: "+info.Code+" "+info.Message)
	}
	_, err = call(ctx, p, contract.DeleteRuns, "remove every run of the task", in)
	return out, err
}

// TriggerWorkflow lets a Temporal Schedule command a task. A refusal fails it,
// so that the schedule's page shows it.
func TriggerWorkflow(ctx workflow.Context, in contract.TriggerIn) (contract.CommandResult, error) {
	p := newPlace(in.Task, "", 0)
	return call(ctx, p, contract.SendCommand, in.Command+" "+in.Task, in)
}

// NameWorkflow holds a name for a task: that a second one cannot start under
// the same workflow id makes names unique. It ends when told to release it.
func NameWorkflow(ctx workflow.Context, in contract.NameIn) error {
	if err := workflow.SetQueryHandler(ctx, contract.QueryName, func() (string, error) { return in.TaskID, nil }); err != nil {
		return err
	}
	workflow.SetCurrentDetails(ctx, "held by task `"+in.TaskID+"`")
	workflow.GetSignalChannel(ctx, contract.SignalRelease).Receive(ctx, nil)
	return ctx.Err()
}
