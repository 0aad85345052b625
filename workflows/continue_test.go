package workflows

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
)

// next decodes the input of the run that follows.
func (b *bench) next() Input {
	b.t.Helper()
	require.True(b.t, b.IsWorkflowCompleted())
	var again *workflow.ContinueAsNewError
	require.ErrorAs(b.t, b.GetWorkflowError(), &again)
	require.Equal(b.t, contract.MigrationWorkflow, again.WorkflowType.Name)
	var in Input
	require.NoError(b.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	return in
}

func TestContinueAsNew_CarriesEverythingInEveryStatus(t *testing.T) {
	for status, prepare := range statuses() {
		b := newBench(t)
		stub(b, contract.PlanCopy).After(time.Hour).Return(plan(), nil)
		stub(b, contract.ReadHead).After(time.Hour).Return(contract.HeadOut{Position: at(900)}, nil)
		b.usual()
		b.at(time.Minute, func() { b.SetContinueAsNewSuggested(true) })
		// The environment looks at the suggestion only when something happens.
		b.at(2*time.Minute, func() { b.SignalWorkflow("unrelated", nil) })
		before := b.input(prepare)
		wanted, err := json.Marshal(before.Carry)
		require.NoError(t, err)
		b.run(before)

		in := b.next()
		require.Equal(t, taskID, in.TaskID, status)
		require.Equal(t, 15*time.Second, in.HeartbeatTimeout)
		require.Equal(t, "alice", in.Actor)
		require.Equal(t, status, in.Carry.status())
		in.Carry.Box = before.Carry.Box              // boxes were counted
		in.Carry.Notified, in.Carry.NotifyNo = "", 0 // people were told of the failure
		got, err := json.Marshal(in.Carry)
		require.NoError(t, err)
		require.JSONEq(t, string(wanted), string(got), status)
		require.LessOrEqual(t, len(got), 100<<10)

		// The next run goes on where this one was.
		c := newBench(t)
		c.usual()
		c.at(time.Second, func() { require.Equal(t, status.Ended(), c.view().Status.Ended()) })
		c.endAt(10 * time.Second)
		c.at(5*time.Second, func() { require.Equal(t, in.Carry.Revision, c.view().Revision) })
		c.run(in)
	}
}

func TestContinueAsNew_WaitsForAnUpdateInFlight(t *testing.T) {
	b := newBench(t)
	stub(b, contract.ReadHead).After(10*time.Second).Return(contract.HeadOut{Position: at(901)}, nil)
	b.usual()
	answered := false
	after(b, time.Minute, contract.UpdateSyncPoint, contract.SyncPointRequest{Command: byAlice}, func(_ contract.CommandResult, err error) {
		require.NoError(t, err)
		answered = true
	})
	b.at(time.Minute+time.Second, func() { b.SetContinueAsNewSuggested(true); b.SignalWorkflow("unrelated", nil) })
	b.run(b.input(copied))
	in := b.next()
	require.True(t, answered)
	require.Equal(t, at(901), in.Carry.SyncPoints[0].Position)
}

func TestContinueAsNew_OfTheCopyGoesOnWithBoxes(t *testing.T) {
	b := newBench(t)
	var boxes recorded[int64]
	stub(b, contract.CopyLane).After(copyBox).Return(func(_ context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
		boxes.add(in.Owner.Box)
		return contract.CopyLaneOut{Rows: 1, Done: in.Lane == 0}, nil
	})
	b.usual()
	b.at(time.Hour, func() { b.SetContinueAsNewSuggested(true) })
	b.ExecuteWorkflow(contract.CopyWorkflow, CopyInput{TaskRef: contract.TaskRef{TaskID: taskID}, Box: 5, Lanes: 3, Connections: 1})
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, b.GetWorkflowError(), &again)
	var in CopyInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	used := boxes.all()
	require.Equal(t, int64(5+len(used)), in.Box)
	require.Equal(t, int64(len(used)), in.Rows)
	slices.Sort(used)
	require.Len(t, slices.Compact(used), len(boxes.all()), "a box number is used once")
}

func TestComparison_OutcomeReachesTheTask(t *testing.T) {
	b := newBench(t)
	boxes := 0
	stub(b, contract.CompareTables).After(compareBox).Return(func(_ context.Context, in contract.CompareIn) (contract.CompareOut, error) {
		boxes++
		require.Equal(t, "c1", in.ID)
		return contract.CompareOut{Done: boxes == 3, Result: "INCONSISTENT"}, nil
	})
	b.usual()
	compare := contract.CompareRequest{Command: byAlice, Type: contract.CompareValues, Tables: "shop.*"}
	after(b, time.Second, contract.UpdateCompare, compare, func(r contract.CommandResult, err error) {
		require.NoError(t, err)
		require.Equal(t, "c1", r.Comparison)
		require.Equal(t, "COMPARING", b.view().Comparison.Result)
	})
	b.at(2*time.Hour, func() {
		v := b.view()
		require.Equal(t, "INCONSISTENT", v.Comparison.Result)
		require.NotNil(t, v.Comparison.FinishedAt)
		require.Equal(t, []string{"c1"}, v.Comparisons)
		require.Equal(t, lifecycle.IncreStarted, v.Status)
	})
	b.endAt(3 * time.Hour)
	b.run(b.input(copied))
	b.ended()
}

// TestComparison_CancelledFromOutside: whoever requests the cancellation of a
// comparison's workflow ends it, and the task may compare again.
func TestComparison_CancelledFromOutside(t *testing.T) {
	b := newBench(t)
	stub(b, contract.CompareTables).After(100*time.Hour).Return(contract.CompareOut{}, nil)
	b.usual()
	compare := contract.CompareRequest{Command: byAlice, Type: contract.CompareRows}
	after(b, time.Second, contract.UpdateCompare, compare, b.accepted("compare"))
	b.at(time.Minute, func() { b.CancelWorkflowByID(contract.CompareID(taskID, "c1"), "") })
	b.at(2*time.Minute, func() {
		require.Equal(t, "CANCELLED", b.view().Comparison.Result)
		require.NotNil(t, b.view().Comparison.FinishedAt)
	})
	after(b, 3*time.Minute, contract.UpdateCompare, compare, b.accepted("compare again"))
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
}

func TestComparison_OneAtATimeAndCancelledAtStop(t *testing.T) {
	b := newBench(t)
	stub(b, contract.CompareTables).After(100*time.Hour).Return(contract.CompareOut{}, nil)
	b.usual()
	compare := contract.CompareRequest{Command: byAlice, Type: contract.CompareRows}
	after(b, time.Second, contract.UpdateCompare, compare, b.accepted("compare"))
	after(b, time.Minute, contract.UpdateCompare, compare, func(_ contract.CommandResult, err error) { require.ErrorContains(t, err, "SL-7012") })
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	cancelled := false
	b.SetOnChildWorkflowCanceledListener(func(info *workflow.Info) { cancelled = info.WorkflowExecution.ID == contract.CompareID(taskID, "c1") })
	b.run(b.input(copied))
	b.ended()
	require.True(t, cancelled)
}
