package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

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
