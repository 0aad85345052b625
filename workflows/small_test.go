package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

func TestName_IsHeldUntilReleased(t *testing.T) {
	b := newBench(t)
	b.at(time.Hour, func() {
		value, err := b.QueryWorkflow(contract.QueryName)
		require.NoError(t, err)
		var id string
		require.NoError(t, value.Get(&id))
		require.Equal(t, taskID, id)
		b.SignalWorkflow(contract.SignalRelease, nil)
	})
	b.ExecuteWorkflow(contract.NameWorkflow, contract.NameIn{Name: "shop", TaskID: taskID})
	require.True(t, b.IsWorkflowCompleted())
	require.NoError(t, b.GetWorkflowError())
}

func TestTrigger_ARefusalFailsIt(t *testing.T) {
	b := newBench(t)
	b.OnActivity(contract.SendCommand.Name, mock.Anything, mock.Anything).Once().
		Return(contract.CommandResult{}, applicationError(fault.PrecheckMissing))
	b.ExecuteWorkflow(contract.TriggerWorkflow, contract.TriggerIn{Task: "shop", Command: "start"})
	var app *temporal.ApplicationError
	require.ErrorAs(t, b.GetWorkflowError(), &app)
	require.Equal(t, fault.PrecheckMissing.Code, app.Type())
}

func TestDelete_GoesOnWithoutTheDestination(t *testing.T) {
	b := newBench(t)
	stub(b, contract.CleanUp).Return(contract.CleanUpOut{}, applicationError(fault.StepFailed))
	var deleted contract.DeleteIn
	stub(b, contract.DeleteRuns).Return(func(_ context.Context, in contract.DeleteIn) (contract.Nothing, error) {
		deleted = in
		return contract.Nothing{}, nil
	})
	in := contract.DeleteIn{TaskID: taskID, Name: "shop", Actor: "alice"}
	b.ExecuteWorkflow(contract.DeleteTask, in)
	var out contract.CleanUpOut
	require.NoError(t, b.GetWorkflowResult(&out))
	require.Len(t, out.Warnings, 1)
	require.Contains(t, out.Warnings[0], "shardlift_*")
	require.Equal(t, in, deleted)
}

func TestDelete_OfAnOpenTaskFails(t *testing.T) {
	b := newBench(t)
	stub(b, contract.CleanUp).Return(contract.CleanUpOut{}, applicationError(fault.TaskStillOpen))
	stub(b, contract.DeleteRuns).Panic("nothing is removed")
	b.ExecuteWorkflow(contract.DeleteTask, contract.DeleteIn{TaskID: taskID})
	require.ErrorContains(t, b.GetWorkflowError(), "SL-7020")
}

func TestInspect_UsesTheTasksGroup(t *testing.T) {
	b := newBench(t)
	var queue string
	stub(b, contract.Inspect).Return(func(ctx context.Context, _ contract.InspectIn) (contract.InspectOut, error) {
		queue = activity.GetInfo(ctx).TaskQueue
		return contract.InspectOut{}, nil
	})
	b.ExecuteWorkflow(contract.InspectWorkflow, contract.InspectIn{Kind: contract.InspectTest, WorkerGroup: "east"})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, contract.QueueShort("east"), queue)
}
