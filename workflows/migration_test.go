package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
)

const taskID = "t1"

// bench is a test environment with every activity mocked: short ones answer at
// once, long ones work for their box.
type bench struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	updates int
}

func stub[In, Out any](b *bench, a contract.Activity[In, Out]) *testsuite.MockCallWrapper {
	return b.OnActivity(a.Name, mock.Anything, mock.Anything).Maybe()
}

func register[In, Out any](b *bench, a contract.Activity[In, Out]) {
	b.RegisterActivityWithOptions(func(context.Context, In) (Out, error) {
		var out Out
		return out, fmt.Errorf("%s is not mocked", a.Name)
	}, activity.RegisterOptions{Name: a.Name})
}

func newBench(t *testing.T) *bench {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	b.SetTestTimeout(30 * time.Second)
	b.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.MigrationID(taskID), TaskQueue: contract.QueueControl})
	Register(b)
	register(b, contract.ListPrecheckItems)
	register(b, contract.RunPrecheckItem)
	register(b, contract.PlanCopy)
	register(b, contract.CopyLane)
	register(b, contract.ReadHead)
	register(b, contract.WatchSource)
	register(b, contract.ApplyBinlog)
	register(b, contract.CompareTables)
	register(b, contract.UpdateSequences)
	register(b, contract.StoreReport)
	register(b, contract.StoreLimits)
	register(b, contract.ResetTask)
	register(b, contract.CleanUp)
	register(b, contract.Inspect)
	register(b, contract.SendCommand)
	register(b, contract.DeleteRuns)
	return b
}

// usual mocks what a test does not care about; call it after the test's own mocks.
func (b *bench) usual() {
	stub(b, contract.ListPrecheckItems).Return(items(), nil)
	stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Passed}, nil
	})
	stub(b, contract.PlanCopy).Return(plan(), nil)
	stub(b, contract.CopyLane).After(copyBox).Return(contract.CopyLaneOut{Done: true, Rows: 10, Bytes: 100}, nil)
	stub(b, contract.ReadHead).Return(contract.HeadOut{Position: at(900)}, nil)
	stub(b, contract.WatchSource).After(100*24*time.Hour).Return(contract.WatchOut{}, nil)
	stub(b, contract.ApplyBinlog).After(time.Hour).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		return contract.ApplyOut{Applied: at(900), Drained: in.Stop != nil}, nil
	})
	stub(b, contract.CompareTables).After(time.Minute).Return(contract.CompareOut{Done: true, Result: "CONSISTENT"}, nil)
	stub(b, contract.UpdateSequences).Return(contract.SequencesOut{Refreshed: 3, Total: 3}, nil)
	stub(b, contract.StoreReport).Return(func(_ context.Context, in contract.ReportIn) (contract.Report, error) {
		return contract.Report{Forced: in.Forced, Incomplete: in.Incomplete, StopPosition: in.StopPosition, Sequences: in.Sequences, Warnings: in.Warnings}, nil
	})
	stub(b, contract.StoreLimits).Return(contract.Nothing{}, nil)
	stub(b, contract.ResetTask).Return(contract.Nothing{}, nil)
	stub(b, contract.CleanUp).Return(contract.CleanUpOut{}, nil)
	stub(b, contract.DeleteRuns).Return(contract.Nothing{}, nil)
}

func items() []contract.PrecheckItemRef {
	return []contract.PrecheckItemRef{{Code: "SOURCE_CONNECTION"}, {Code: "BINLOG", Needs: []string{"SOURCE_CONNECTION"}}}
}

func plan() contract.PlanCopyOut {
	return contract.PlanCopyOut{Epoch: 7, Start: at(100), Tables: 2, Chunks: 20}
}

func at(offset uint64) position.Position {
	return position.Position{Flavor: position.MySQL, Server: "s1", File: "bin.000001", Offset: offset}
}

func spec() task.Spec {
	sealed := secret.Sealed{KeyID: "k", Data: []byte("x")}
	return task.Spec{
		Name: "shop", Type: task.FullIncremental, WorkerGroup: "default",
		Source:      task.SealedSide{MaxConnections: 10, Endpoint: sealed, Shown: sealed},
		Destination: task.SealedSide{Kind: "ddm", MaxConnections: 16, MetadataSchema: "shop", Endpoint: sealed, Shown: sealed},
		Objects:     selection.Selection{{Schema: "Shop", Tables: []string{"*"}, Rename: map[string]string{"a": "b", "c": "d"}}},
		Tags:        map[string]string{"team": "payments", "env": "test"},
	}
}

// input starts a task; change makes it an older one.
func (b *bench) input(change ...func(*state)) Input {
	in := Input{MigrationInput: contract.MigrationInput{TaskID: taskID, Spec: spec(), Actor: "alice", HeartbeatTimeout: 15 * time.Second}}
	if len(change) == 0 {
		return in
	}
	s := newState(in.Spec, b.Now())
	for _, c := range change {
		c(&s)
	}
	in.Carry = &s
	return in
}

func (b *bench) run(in Input) { b.ExecuteWorkflow(contract.MigrationWorkflow, in) }

// after sends a command at a time of the workflow's clock and hands its outcome on.
func after[R any](b *bench, d time.Duration, u contract.Update[R], r R, then func(contract.CommandResult, error)) {
	b.RegisterDelayedCallback(func() { send(b, u, r, then) }, d)
}

func send[R any](b *bench, u contract.Update[R], r R, then func(contract.CommandResult, error)) {
	b.updates++
	b.UpdateWorkflow(u.Name, fmt.Sprintf("u%d", b.updates), &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { then(contract.CommandResult{}, err) },
		OnComplete: func(result any, err error) {
			out, _ := result.(contract.CommandResult)
			then(out, err)
		},
	}, r)
}

func (b *bench) accepted(what string) func(contract.CommandResult, error) {
	return func(_ contract.CommandResult, err error) { require.NoError(b.t, err, what) }
}

// refused expects a refusal with a code.
func (b *bench) refused(want fault.Definition) func(contract.CommandResult, error) {
	return func(_ contract.CommandResult, err error) {
		var app *temporal.ApplicationError
		require.ErrorAs(b.t, err, &app)
		require.Equal(b.t, want.Code, app.Type())
		var detail contract.Refusal
		require.NoError(b.t, app.Details(&detail))
		require.Equal(b.t, lifecycle.Available(detail.Status), detail.AvailableActions)
	}
}

func (b *bench) view() contract.View {
	b.t.Helper()
	value, err := b.QueryWorkflow(contract.QueryView)
	require.NoError(b.t, err)
	var v contract.View
	require.NoError(b.t, value.Get(&v))
	return v
}

func (b *bench) at(d time.Duration, f func()) { b.RegisterDelayedCallback(f, d) }

func (b *bench) ended() contract.View {
	b.t.Helper()
	require.True(b.t, b.IsWorkflowCompleted())
	require.NoError(b.t, b.GetWorkflowError())
	v := b.view()
	require.Equal(b.t, lifecycle.ReleaseDone, v.Status)
	return v
}

var byAlice = contract.Command{Actor: "alice"}

func planned(s *state) {
	p := plan()
	s.Plan, s.Phase = &p, lifecycle.PhaseFull
}

func copied(s *state) {
	planned(s)
	end := at(500)
	s.CopyDone, s.CopyEnd, s.Phase = true, &end, lifecycle.PhaseIncremental
}

func checked(s *state) {
	s.Precheck = precheckState{Revision: s.Revision, At: s.CreatedAt, Items: []contract.PrecheckItemResult{
		{Code: "A", Verdict: contract.Passed}, {Code: "B", Verdict: contract.Alarm, Confirmed: &contract.Confirmation{Actor: "alice"}},
	}}
}

func TestMigration_RunsFromPrecheckToReport(t *testing.T) {
	b := newBench(t)
	var played recorded[contract.ApplyIn]
	stub(b, contract.ApplyBinlog).After(time.Hour).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		n := played.add(in)
		return contract.ApplyOut{Applied: at(800), Drained: in.Stop != nil && n > 3}, nil
	})
	b.usual()
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	after(b, time.Minute, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.accepted("start"))
	b.at(2*time.Minute, func() { require.Equal(t, lifecycle.FullStarted, b.view().Status) })
	b.at(20*time.Minute, func() {
		require.Equal(t, lifecycle.IncreStarted, b.view().Status)
		require.Equal(t, uint64(900), b.view().Copy.EndPosition.Offset)
	})
	after(b, 90*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, func(r contract.CommandResult, err error) {
		require.NoError(t, err)
		require.Equal(t, lifecycle.Releasing, r.Status)
	})
	b.run(b.input())
	v := b.ended()
	require.Equal(t, "done", v.Sequences.State)
	require.False(t, v.Report.Incomplete)
	require.Equal(t, uint64(900), v.StopPosition.Offset)

	// The one that ran was cancelled; the drain took boxes until one said so itself.
	applied := played.all()
	require.Nil(t, applied[0].Stop)
	last := applied[len(applied)-1]
	require.Equal(t, uint64(900), last.Stop.Offset)
	require.Equal(t, at(900), last.CopyEnd)
	for i := 1; i < len(applied); i++ {
		require.Greater(t, applied[i].Owner.Box, applied[i-1].Owner.Box)
		require.Equal(t, int64(7), applied[i].Owner.Epoch)
	}
}

func TestMigration_FullOnlyEndsByItself(t *testing.T) {
	b := newBench(t)
	stub(b, contract.ReadHead).Panic("a full-only task needs no binlog")
	b.usual()
	in := b.input(checked)
	in.Carry.Spec.Type = task.Full
	after(b, time.Second, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.accepted("start"))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.refused(fault.NotSynced))
	b.run(in)
	v := b.ended()
	require.True(t, v.Copy.Done)
	require.False(t, v.Report.Incomplete)
	require.Equal(t, "done", v.Sequences.State)
	require.Equal(t, at(100), *v.Report.StopPosition)
}

func TestMigration_StopPositionIsReadOnce(t *testing.T) {
	b := newBench(t)
	heads := 0
	stub(b, contract.ReadHead).Return(func(context.Context, contract.TaskRef) (contract.HeadOut, error) {
		heads++
		return contract.HeadOut{Position: at(900)}, nil
	})
	stub(b, contract.ApplyBinlog).After(time.Minute).Return(contract.ApplyOut{}, applicationError(fault.Divergence)).Times(3) // the first is the box that the stop interrupts
	b.usual()
	after(b, time.Second, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.at(10*time.Minute, func() { require.Equal(t, lifecycle.ReleaseFailed, b.view().Status) })
	after(b, 11*time.Minute, contract.UpdateRetry, contract.RetryRequest{Command: byAlice}, b.accepted("retry"))
	b.at(20*time.Minute, func() {
		v := b.view()
		require.Equal(t, lifecycle.ReleaseFailed, v.Status)
		require.Equal(t, fault.Divergence.Code, v.LastError.Code)
	})
	after(b, 21*time.Minute, contract.UpdateRetry, contract.RetryRequest{Command: byAlice}, b.accepted("retry"))
	b.run(b.input(copied))
	b.ended()
	require.Equal(t, 1, heads)
}

func applicationError(d fault.Definition) error {
	info := infoOf(d.New("shop.orders", ""))
	return temporal.NewApplicationErrorWithOptions("x", d.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{info}})
}

func TestMigration_FailedIsAStateOfTheOpenWorkflow(t *testing.T) {
	for phase, c := range map[lifecycle.Phase]struct {
		prepare func(*state)
		fail    func(*bench)
		status  lifecycle.Status
	}{
		lifecycle.PhaseStart: {func(s *state) { s.Phase = lifecycle.PhaseStart }, func(b *bench) {
			stub(b, contract.PlanCopy).Return(contract.PlanCopyOut{}, applicationError(fault.Divergence)).Once()
		}, lifecycle.StartFailed},
		lifecycle.PhaseFull: {planned, func(b *bench) {
			stub(b, contract.CopyLane).Return(contract.CopyLaneOut{}, applicationError(fault.Divergence)).Once()
		}, lifecycle.FullFailed},
		lifecycle.PhaseIncremental: {copied, func(b *bench) {
			stub(b, contract.ApplyBinlog).Return(contract.ApplyOut{}, applicationError(fault.Divergence)).Once()
		}, lifecycle.IncreFailed},
		"watch": {copied, func(b *bench) {
			stub(b, contract.WatchSource).Return(contract.WatchOut{}, applicationError(fault.Divergence)).Once()
		}, lifecycle.IncreFailed},
	} {
		b := newBench(t)
		c.fail(b)
		b.usual()
		b.at(time.Minute, func() {
			v := b.view()
			require.Equal(t, c.status, v.Status, phase)
			require.Equal(t, fault.Divergence.Code, v.LastError.Code)
			require.Equal(t, "shop.orders", v.LastError.Object)
			require.NotEmpty(t, v.LastError.Remedy)
		})
		after(b, 2*time.Minute, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
		b.at(3*time.Minute, func() {
			require.False(t, b.view().Status.Failed(), phase)
			require.Nil(t, b.view().LastError)
		})
		after(b, 4*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
		b.run(b.input(c.prepare))
		b.ended()
	}
}

func TestMigration_PauseAndResumeInEveryPhase(t *testing.T) {
	for phase, prepare := range map[lifecycle.Phase]func(*state){
		lifecycle.PhaseStart:       func(s *state) { s.Phase = lifecycle.PhaseStart },
		lifecycle.PhaseFull:        planned,
		lifecycle.PhaseIncremental: copied,
	} {
		b := newBench(t)
		stub(b, contract.PlanCopy).After(time.Hour).Return(plan(), nil)
		var boxes recorded[int64]
		stub(b, contract.CopyLane).After(copyBox).Return(func(_ context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
			boxes.add(in.Owner.Box)
			return contract.CopyLaneOut{Done: true}, nil
		})
		b.usual()
		after(b, time.Minute, contract.UpdatePause, contract.PauseRequest{Command: byAlice}, func(r contract.CommandResult, err error) {
			require.NoError(t, err)
			require.Equal(t, lifecycle.Paused, r.Status)
			require.Equal(t, phase, r.Phase)
		})
		b.at(time.Hour, func() { require.Equal(t, lifecycle.Paused, b.view().Status) })
		after(b, 2*time.Hour, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, func(r contract.CommandResult, err error) {
			require.NoError(t, err)
			require.Equal(t, phase.Running(), r.Status)
		})
		after(b, 4*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
		b.run(b.input(prepare))
		b.ended()
		for _, box := range boxes.all() {
			require.Greater(t, box, int64(copyBoxes), "boxes after a resume are beyond the ones before")
		}
	}
}

func TestMigration_PauseOfTargetOnlyIsRefused(t *testing.T) {
	b := newBench(t)
	b.usual()
	after(b, time.Second, contract.UpdatePause, contract.PauseRequest{Command: byAlice, Mode: "target"}, b.refused(fault.PauseMode))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
}

func TestMigration_StopDuringCopyNeedsIncomplete(t *testing.T) {
	b := newBench(t)
	b.usual()
	after(b, time.Second, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.refused(fault.NotSynced))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(planned))
	v := b.ended()
	require.True(t, v.Report.Incomplete)
	require.Equal(t, "done", v.Sequences.State)
}

func TestMigration_ForcedStopEndsAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*state){
		"start": func(s *state) { s.Phase = lifecycle.PhaseStart }, "copy": planned, "apply": copied,
		"stop": func(s *state) {
			copied(s)
			s.Phase, s.Stop = lifecycle.PhaseStop, &stopState{From: lifecycle.PhaseIncremental}
		},
		"failed": func(s *state) { copied(s); s.Mode = failed },
		"paused": func(s *state) { copied(s); s.Mode = paused },
	} {
		b := newBench(t)
		stub(b, contract.PlanCopy).After(time.Hour).Return(plan(), nil)
		stub(b, contract.ApplyBinlog).After(time.Hour).Return(contract.ApplyOut{}, nil)
		stub(b, contract.UpdateSequences).Panic("a forced stop refreshes no sequences")
		b.usual()
		in := b.input(prepare)
		begin := b.Now()
		after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
		b.run(in)
		v := b.ended()
		require.Less(t, v.EndedAt.Sub(begin), time.Minute+forceGrace+reportLimit, name)
		if in.Carry.Plan == nil {
			continue
		}
		require.Equal(t, "skipped", v.Sequences.State, name)
		require.NotEmpty(t, v.Warnings)
		require.True(t, v.Report.Forced)
		require.True(t, v.Report.Incomplete)
	}
}

func TestMigration_CancellationFromOutsideIsAStop(t *testing.T) {
	for name, prepare := range map[string]func(*state){
		"configuration": func(*state) {}, "start": func(s *state) { s.Phase = lifecycle.PhaseStart }, "copy": planned, "apply": copied,
		"paused": func(s *state) { planned(s); s.Mode = paused }, "failed": func(s *state) { copied(s); s.Mode = failed },
	} {
		b := newBench(t)
		stub(b, contract.PlanCopy).After(time.Hour).Return(plan(), nil)
		b.usual()
		b.at(time.Minute, b.CancelWorkflow)
		in := b.input(prepare)
		b.run(in)
		v := b.ended()
		if in.Carry.Plan != nil {
			require.Equal(t, "done", v.Sequences.State, name)
			require.Equal(t, !in.Carry.CopyDone, v.Report.Incomplete, name)
		}
	}
}

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
		require.Equal(t, []contract.PlanCopyIn{{TaskRef: planIn.all()[0].TaskRef, Fresh: true, DeleteFirst: !truncate}}, planIn.all())
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
	require.Equal(t, 5, stored.all()[0].MBPerSecond)
	require.Equal(t, 9, stored.all()[1].RowsPerSecond)
}
