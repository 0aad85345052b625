package workflows

import (
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
)

// Time boxes: an activity ends after its box and the next one may run on another
// worker. StartToClose leaves room to finish a chunk or a window.
const (
	copyBox    = 12 * time.Minute
	applyBox   = 12 * time.Hour
	compareBox = 20 * time.Minute
)

const (
	// defaultHeartbeat is for tasks whose input names none.
	defaultHeartbeat = 60 * time.Second
	// precheckParallel bounds the connections that a pre-check opens at once.
	precheckParallel = 4
	// forceGrace is how long a forced stop waits for activities to end.
	forceGrace = 10 * time.Second
	// watchRestart is the wait before WatchSource, which never ends by itself, is started again.
	watchRestart = time.Minute
)

// place says where a task's activities run.
type place struct {
	TaskID    string
	Group     string
	Heartbeat time.Duration
}

func newPlace(taskID, group string, heartbeat time.Duration) place {
	if group == "" {
		group = "default"
	}
	if heartbeat <= 0 {
		heartbeat = defaultHeartbeat
	}
	return place{TaskID: taskID, Group: group, Heartbeat: heartbeat}
}

// retries returns a policy of so many attempts, 0 for as many as it takes. Only
// the interceptor decides that an error is not worth another attempt.
func retries(attempts int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute, MaximumAttempts: attempts,
	}
}

// options returns the options of an activity: all of them stand here.
func (p place) options(activity string) workflow.ActivityOptions {
	short := workflow.ActivityOptions{
		TaskQueue: contract.QueueShort(p.Group), StartToCloseTimeout: 2 * time.Minute, RetryPolicy: retries(3),
		Priority: temporal.Priority{FairnessKey: p.TaskID},
	}
	long := short
	long.HeartbeatTimeout = p.Heartbeat
	long.WaitForCancellation = true
	long.RetryPolicy = retries(0)

	o := short
	switch activity {
	case contract.ListPrecheckItems.Name, contract.RunPrecheckItem.Name:
	case contract.PlanCopy.Name, contract.PlanGroup.Name:
		o = long
		o.StartToCloseTimeout = 2 * time.Hour
	case contract.CopyLane.Name:
		o = long
		o.TaskQueue = contract.QueueCopy(p.Group)
		o.StartToCloseTimeout = copyBox + 18*time.Minute
	case contract.CompareTables.Name:
		o = long
		o.TaskQueue = contract.QueueCopy(p.Group)
		o.StartToCloseTimeout = compareBox + 40*time.Minute
	case contract.WatchSource.Name:
		o = long
		o.TaskQueue = contract.QueueApply(p.Group)
		o.StartToCloseTimeout = 24 * time.Hour
	case contract.ApplyBinlog.Name:
		o = long
		o.TaskQueue = contract.QueueApply(p.Group)
		o.StartToCloseTimeout = applyBox + time.Hour
	case contract.ParkTables.Name:
		o = long
		o.StartToCloseTimeout = 15 * time.Minute
	case contract.MergeGroup.Name:
		o = long
		o.StartToCloseTimeout = 15 * time.Minute
		o.RetryPolicy = retries(5) // group 0 stands still meanwhile
	case contract.DropGroup.Name:
	case contract.ReadHead.Name:
		o.RetryPolicy = retries(0) // a source that is away for an hour fails no phase
		o.WaitForCancellation = true
	case contract.UpdateSequences.Name:
		o = long
		o.StartToCloseTimeout = 15 * time.Minute
		o.RetryPolicy = retries(8)
	case contract.CleanUp.Name:
		o = long
		o.StartToCloseTimeout = 15 * time.Minute
		o.RetryPolicy = retries(3) // the last attempt says what remains: a destination that is away is no reason to wait
	case contract.ResetTask.Name:
		o = long
		o.StartToCloseTimeout = 2 * time.Hour
		o.RetryPolicy = retries(8)
	case contract.StoreReport.Name:
		o.StartToCloseTimeout = 5 * time.Minute
		o.WaitForCancellation = true
		o.RetryPolicy = retries(8)
	case contract.StoreLimits.Name:
		o.StartToCloseTimeout = 30 * time.Second
	case contract.Inspect.Name:
		o.StartToCloseTimeout = 25 * time.Second
		o.ScheduleToCloseTimeout = 30 * time.Second
	case contract.SendCommand.Name:
		o.TaskQueue = contract.QueueControl
		o.StartToCloseTimeout = time.Minute
		o.RetryPolicy = retries(5)
	case contract.Notify.Name:
		o.TaskQueue = contract.QueueControl
		o.StartToCloseTimeout = time.Minute
		o.ScheduleToCloseTimeout = time.Hour
		o.RetryPolicy = retries(0)
	case contract.DeleteRuns.Name:
		o = long
		o.TaskQueue = contract.QueueControl
		o.StartToCloseTimeout = 10 * time.Minute
		o.RetryPolicy = retries(20)
	}
	return o
}

// brief bounds an activity for which somebody waits: from the command to the
// answer at most so long, whether a worker runs or not.
func brief(o workflow.ActivityOptions, limit time.Duration) workflow.ActivityOptions {
	o.StartToCloseTimeout = limit
	o.ScheduleToCloseTimeout = limit
	o.WaitForCancellation = false
	o.RetryPolicy = retries(3)
	return o
}

// bounded is for a long activity whose outcome a command answers with.
func bounded(o workflow.ActivityOptions) workflow.ActivityOptions {
	o.StartToCloseTimeout = 15 * time.Minute
	o.ScheduleToCloseTimeout = 15 * time.Minute
	return o
}

// call runs an activity with its usual options.
func call[In, Out any](ctx workflow.Context, p place, a contract.Activity[In, Out], summary string, in In) (Out, error) {
	return callWith(ctx, p.options(a.Name), a, summary, in)
}

// callBriefly runs an activity that answers within limit or fails.
func callBriefly[In, Out any](ctx workflow.Context, p place, limit time.Duration, a contract.Activity[In, Out], summary string, in In) (Out, error) {
	return callWith(ctx, brief(p.options(a.Name), limit), a, summary, in)
}

func callWith[In, Out any](ctx workflow.Context, o workflow.ActivityOptions, a contract.Activity[In, Out], summary string, in In) (Out, error) {
	o.Summary = summary
	var out Out
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), a.Name, in).Get(ctx, &out)
	return out, err
}

// copyChild makes the options of the copy of a task (group 0) or of one of its
// groups: cancelled with its parent and waited for, since a lane may write until
// it has returned.
func copyChild(ctx workflow.Context, p place, group int, summary string) workflow.Context {
	id := contract.CopyID(p.TaskID)
	if group > 0 {
		id = contract.CopyGroupID(p.TaskID, group)
	}
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: contract.QueueControl,
		WaitForCancellation: true, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, StaticSummary: summary,
	})
}

// compareChild makes the options of a comparison, which outlives a
// continue-as-new of the task and is cancelled explicitly.
func compareChild(ctx workflow.Context, p place, comparison, summary string) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: contract.CompareID(p.TaskID, comparison), TaskQueue: contract.QueueControl,
		WaitForCancellation: true, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, StaticSummary: summary,
	})
}

// connections splits the source's max_connections: binlog 1, watch 1,
// inspection 1, comparison 2, short activities 1; the lanes of the copy have the
// rest, in equal shares, and no more lanes than half the destination's
// connections.
func connections(source, destination int) (lanes, each int) {
	free := max(source-6, 1)
	lanes = min(free, max(destination/2, 1), 16)
	return lanes, max(free/lanes, 1)
}
