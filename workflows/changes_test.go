package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/task"
)

func TestMigration_ResetBeginsAnew(t *testing.T) {
	for _, truncate := range []bool{false, true} {
		b := newBench(t)
		var planIn recorded[contract.PlanCopyIn]
		var itemIn recorded[contract.PrecheckItemIn]
		stub(b, contract.PlanCopy).Return(func(_ context.Context, in contract.PlanCopyIn) (contract.PlanCopyOut, error) {
			planIn.add(in)
			return plan(), nil
		})
		stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
			itemIn.add(in)
			return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Passed}, nil
		})
		b.usual()
		after(b, time.Second, contract.UpdateReset, contract.ResetRequest{Command: byAlice, TruncateDestination: truncate}, b.accepted("reset"))
		b.at(time.Minute, func() {
			v := b.view()
			require.Equal(t, lifecycle.Configuration, v.Status)
			require.Equal(t, "done", v.Precheck.State)
			require.Nil(t, v.Plan)
			require.Nil(t, v.Copy.EndPosition)
		})
		after(b, 2*time.Minute, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.accepted("start"))
		after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
		b.run(b.input(copied, func(s *state) { s.Mode = failed }))
		b.ended()
		require.Len(t, itemIn.all(), 2)
		require.Equal(t, !truncate, itemIn.all()[0].AfterReset)
		require.Equal(t, []contract.PlanCopyIn{{TaskRef: planIn.all()[0].TaskRef, Owner: contract.Owner{Box: 2}, Fresh: true, DeleteFirst: !truncate}}, planIn.all())
	}
}

func TestMigration_CredentialsInterruptThePhase(t *testing.T) {
	b := newBench(t)
	var revisions recorded[int]
	stub(b, contract.ApplyBinlog).After(time.Hour).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		revisions.add(in.Revision)
		return contract.ApplyOut{Drained: in.Stop != nil}, nil
	})
	b.usual()
	side := spec().Source
	side.Endpoint.Data = []byte("new")
	after(b, time.Minute, contract.UpdateSetCredentials, contract.CredentialsRequest{Command: byAlice, Side: task.SourceSide, Endpoint: side}, func(r contract.CommandResult, err error) {
		require.NoError(t, err)
		require.Equal(t, 2, r.Revision)
		require.Equal(t, lifecycle.IncreStarted, r.Status)
	})
	after(b, 2*time.Minute, contract.UpdatePause, contract.PauseRequest{Command: contract.Command{Actor: "bob", Revision: 1}}, b.refused(fault.LateRevision))
	after(b, 90*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	require.Equal(t, "new", string(b.ended().Spec.Source.Endpoint.Data))
	require.Equal(t, []int{1, 2, 2}, revisions.all()[:3], "the interrupted box, then boxes of the new revision")
}

func TestMigration_FenceConfirmationIsForOneBox(t *testing.T) {
	b := newBench(t)
	var confirmed recorded[bool]
	stub(b, contract.ApplyBinlog).After(time.Hour).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		confirmed.add(in.FenceConfirmed)
		return contract.ApplyOut{Drained: in.Stop != nil}, nil
	})
	b.usual()
	after(b, time.Second, contract.UpdateResume, contract.ResumeRequest{Command: byAlice, FenceConfirmed: true}, b.accepted("resume"))
	after(b, 150*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, func(s *state) { s.Mode = failed }))
	b.ended()
	require.Equal(t, []bool{true, false, false, false}, confirmed.all())
}

func TestMigration_ResumePassesTheStatementThatStoppedIt(t *testing.T) {
	b := newBench(t)
	var passed recorded[*position.Position]
	stub(b, contract.ApplyBinlog).After(time.Minute).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		passed.add(in.PassDDL)
		return contract.ApplyOut{Drained: in.Stop != nil}, nil
	})
	b.usual()
	ddl := at(700)
	after(b, time.Second, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	after(b, 90*time.Second, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, func(s *state) { s.Mode, s.LastError = failed, &contract.ErrorInfo{Code: "SL-5010", Position: &ddl} }))
	b.ended()
	require.Equal(t, ddl, *passed.all()[0])
}

func TestMigration_SyncPointsAreKept(t *testing.T) {
	b := newBench(t)
	b.usual()
	for i := range 25 {
		after(b, time.Duration(i+1)*time.Second, contract.UpdateSyncPoint, contract.SyncPointRequest{Command: byAlice}, func(r contract.CommandResult, err error) {
			require.NoError(t, err)
			require.Equal(t, i+1, r.SyncPoint)
		})
	}
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	points := b.ended().SyncPoints
	require.Len(t, points, keptSyncPoints)
	require.Equal(t, 25, points[len(points)-1].Number)
	require.Equal(t, at(900), points[0].Position)
}

// TestMigration_AlarmThresholdsReachTheControlRow: running steps follow an edit
// of thresholds alone, and switching an alarm off ends it.
func TestMigration_AlarmThresholdsReachTheControlRow(t *testing.T) {
	b := newBench(t)
	var stored recorded[contract.LimitsIn]
	stub(b, contract.StoreLimits).Return(func(_ context.Context, in contract.LimitsIn) (contract.Nothing, error) {
		stored.add(in)
		return contract.Nothing{}, nil
	})
	b.usual()
	edited := spec()
	edited.Alarms = task.Alarms{DelaySeconds: 5, ForSeconds: 9}
	after(b, time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.accepted("edit"))
	b.at(2*time.Second, func() {
		b.SignalWorkflow(contract.SignalAlarm, contract.TaskAlarm{Kind: contract.AlarmDelay, Active: true, Text: "late"})
	})
	b.at(3*time.Second, func() { require.Len(t, b.view().Alarms, 1) })
	after(b, 4*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: spec()}, b.accepted("edit"))
	b.at(5*time.Second, func() { require.Empty(t, b.view().Alarms) })
	after(b, 6*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: spec()}, b.accepted("edit"))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(planned))
	require.Len(t, stored.all(), 2)
	require.Equal(t, 5, stored.all()[0].Alarms.DelaySeconds)
	require.Zero(t, *stored.all()[1].Alarms)
}

func TestMigration_LimitsReachTheControlRow(t *testing.T) {
	b := newBench(t)
	var stored recorded[contract.LimitsIn]
	stub(b, contract.StoreLimits).Return(func(_ context.Context, in contract.LimitsIn) (contract.Nothing, error) {
		stored.add(in)
		return contract.Nothing{}, nil
	})
	b.usual()
	after(b, time.Second, contract.UpdateLimit, contract.LimitRequest{Command: byAlice, Limits: task.Limits{MBPerSecond: 5}}, b.accepted("limit"))
	edited := spec()
	edited.Description, edited.Limits = "new", task.Limits{RowsPerSecond: 9}
	after(b, 2*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.accepted("edit"))
	edited.Objects = selection.Selection{{Schema: "Other"}}
	after(b, 3*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.refused(fault.FixedField))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(planned))
	v := b.ended()
	require.Equal(t, "new", v.Spec.Description)
	require.Len(t, stored.all(), 2)
	require.Equal(t, 5, stored.all()[0].Limits.MBPerSecond)
	require.Equal(t, 9, stored.all()[1].Limits.RowsPerSecond)
}
