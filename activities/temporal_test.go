package activities

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/testtemporal"
)

// queue is where the stand-ins of this package's tests run.
const queue = "activities-test"

// standIn plays a task's workflow: it refuses to pause, and ends when told.
func standIn(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdatePause.Name,
		func(workflow.Context, contract.PauseRequest) (contract.CommandResult, error) {
			return contract.CommandResult{Status: "PAUSING"}, nil
		},
		workflow.UpdateHandlerOptions{Validator: func(r contract.PauseRequest) error {
			if r.Mode == "" {
				return nil
			}
			return temporal.NewApplicationErrorWithOptions("no", fault.PauseMode.Code, temporal.ApplicationErrorOptions{
				NonRetryable: true, Details: []any{contract.Refusal{Code: fault.PauseMode.Code, Message: "no", Status: "PAUSING"}},
			})
		}})
	if err != nil {
		return err
	}
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return nil
}

// call runs a step as an activity of a workflow.
func runStep[In, Out any](t *testing.T, c client.Client, step contract.Activity[In, Out], in In) (Out, error) {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: uuid.NewString(), TaskQueue: queue}, "caller", step.Name, in)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out Out
	return out, run.Get(ctx, &out)
}

func startStandIns(t *testing.T) (client.Client, *Activities) {
	t.Helper()
	c := testtemporal.Get(t).Client(t)
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	a := New(c, "shardlift", ring, &Redactor{})
	w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: time.Second})
	w.RegisterWorkflowWithOptions(standIn, workflow.RegisterOptions{Name: "standIn"})
	w.RegisterWorkflowWithOptions(standIn, workflow.RegisterOptions{Name: contract.NameWorkflow})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, name string, in any) (any, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: 2 * time.Minute, HeartbeatTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		})
		var out any
		err := workflow.ExecuteActivity(ctx, name, in).Get(ctx, &out)
		return out, err
	}, workflow.RegisterOptions{Name: "caller"})
	a.RegisterControl(w)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return c, a
}

func startStandIn(t *testing.T, c client.Client, id, kind, holder string) {
	t.Helper()
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: queue, Memo: map[string]any{memoTask: holder}, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, kind)
	require.NoError(t, err)
}

func TestSendCommand_SendsTheUpdateOrFails(t *testing.T) {
	c, _ := startStandIns(t)
	id, name := uuid.NewString(), "n-"+uuid.NewString()
	startStandIn(t, c, contract.MigrationID(id), "standIn", "")
	startStandIn(t, c, contract.NameID(name), contract.NameWorkflow, id)

	for _, who := range []string{id, name} {
		out, err := runStep(t, c, contract.SendCommand, contract.TriggerIn{Task: who, Command: "pause"})
		require.NoError(t, err)
		require.Equal(t, "PAUSING", string(out.Status))
	}
	_, err := runStep(t, c, contract.SendCommand, contract.TriggerIn{Task: name, Command: "pause", Args: map[string]string{"mode": "target"}})
	require.ErrorContains(t, err, fault.PauseMode.Code)
	_, err = runStep(t, c, contract.SendCommand, contract.TriggerIn{Task: "nobody", Command: "pause"})
	require.ErrorContains(t, err, fault.UnknownTask.Code)
	_, err = runStep(t, c, contract.SendCommand, contract.TriggerIn{Task: name, Command: "drop"})
	require.ErrorContains(t, err, fault.UnknownCommand.Code)
	_, err = runStep(t, c, contract.SendCommand, contract.TriggerIn{Task: name, Command: "start", Args: map[string]string{"at": "noon"}})
	require.ErrorContains(t, err, fault.InvalidField.Code)
}

func TestDeleteRuns_LeavesNothingOfTheTask(t *testing.T) {
	c, a := startStandIns(t)
	id, other, name := uuid.NewString(), uuid.NewString(), "n-"+uuid.NewString()
	mine := []string{contract.CopyID(id), contract.CompareID(id, "c1"), contract.InspectID(id, "1"), contract.NameID(name)}
	theirs := []string{contract.MigrationID(other), contract.InspectID(other, "1")}
	startStandIn(t, c, contract.MigrationID(id), "standIn", "")
	for _, w := range mine {
		kind := "standIn"
		if w == contract.NameID(name) {
			kind = contract.NameWorkflow
		}
		startStandIn(t, c, w, kind, id)
	}
	for _, w := range theirs {
		startStandIn(t, c, w, "standIn", other)
	}
	in := contract.DeleteIn{TaskID: id, Name: name, Actor: "alice"}
	_, err := runStep(t, c, contract.DeleteRuns, in)
	require.ErrorContains(t, err, fault.TaskStillOpen.Code)

	require.NoError(t, c.SignalWorkflow(t.Context(), contract.MigrationID(id), "", "end", nil))
	require.NoError(t, c.GetWorkflow(t.Context(), contract.MigrationID(id), "").Get(t.Context(), nil))
	_, err = runStep(t, c, contract.DeleteRuns, in)
	require.NoError(t, err)
	for _, w := range append(mine, contract.MigrationID(id)) {
		_, err := c.DescribeWorkflowExecution(t.Context(), w, "")
		require.True(t, isGone(err), w)
	}
	left, err := a.runsOf(t.Context(), in)
	require.NoError(t, err)
	require.Empty(t, left)
	for _, w := range theirs {
		_, err := c.DescribeWorkflowExecution(t.Context(), w, "")
		require.NoError(t, err, w)
	}

	// The name may belong to somebody else by the time of a second attempt.
	startStandIn(t, c, contract.NameID(name), contract.NameWorkflow, other)
	_, err = runStep(t, c, contract.DeleteRuns, in)
	require.NoError(t, err)
	_, err = c.DescribeWorkflowExecution(t.Context(), contract.NameID(name), "")
	require.NoError(t, err)
}

// TestStep_BeatsWhileItMoves lets a step work for longer than its heartbeat
// timeout; what it shows reaches whoever describes the workflow.
func TestStep_BeatsWhileItMoves(t *testing.T) {
	c := testtemporal.Get(t).Client(t)
	queue := uuid.NewString()
	w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: time.Second})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Minute, HeartbeatTimeout: 3 * time.Second,
			// Without its beats every attempt ends; a machine may stand still under one.
			RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 5, BackoffCoefficient: 1},
		})
		return workflow.ExecuteActivity(ctx, "work").Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "working"})
	w.RegisterActivityWithOptions(func(ctx context.Context) error {
		work, s := beginWith(ctx, 10*time.Second, time.Second, 100*time.Millisecond)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := range int64(50) {
			s.beat(contract.CopyBeat{Rows: i + 1}, i, false)
			select {
			case <-work.Done():
				return s.end(context.Cause(work))
			case <-tick.C:
			}
		}
		return s.end(nil)
	}, activity.RegisterOptions{Name: "work"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "working")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		if err != nil || len(d.GetPendingActivities()) != 1 {
			return false
		}
		var beat contract.CopyBeat
		details := d.GetPendingActivities()[0].GetHeartbeatDetails()
		return details != nil && converter.GetDefaultDataConverter().FromPayloads(details, &beat) == nil && beat.Rows > 10
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, run.Get(t.Context(), nil))
}

// TestStep_PauseDrainsBeforeItCancels needs a real server: the SDK's test
// environment has no cancellation of a running activity.
func TestStep_PauseDrainsBeforeItCancels(t *testing.T) {
	c := testtemporal.Get(t).Client(t)
	queue := uuid.NewString()
	order := make(chan string, 3)
	w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: time.Second})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Minute, HeartbeatTimeout: time.Minute, WaitForCancellation: true,
		})
		return workflow.ExecuteActivity(ctx, "work").Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "pausing"})
	w.RegisterActivityWithOptions(func(ctx context.Context) error {
		work, s := beginWith(ctx, time.Minute, 3*time.Second, 10*time.Millisecond)
		order <- "begun"
		<-s.drain
		if work.Err() == nil {
			order <- "drain"
		}
		<-work.Done()
		order <- "cancelled"
		return s.end(context.Cause(work))
	}, activity.RegisterOptions{Name: "work"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "pausing")
	require.NoError(t, err)
	require.Equal(t, "begun", <-order)
	require.NoError(t, c.CancelWorkflow(t.Context(), run.GetID(), ""))
	require.Equal(t, "drain", <-order)
	require.Equal(t, "cancelled", <-order)
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, run.Get(t.Context(), nil), &cancelled)
}
