package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

// beside is a planned task that applies during the copy.
func beside(s *state) {
	planned(s)
	s.Plan.ApplyDuring = true
}

// TestMigration_AppliesBesideTheCopy: the apply runs behind its gate until the
// copy has ended, then without it; the operator's word on fences reaches both.
func TestMigration_AppliesBesideTheCopy(t *testing.T) {
	b := newBench(t)
	var applied recorded[contract.ApplyIn]
	var lanes recorded[contract.CopyLaneIn]
	stub(b, contract.ApplyBinlog).After(5 * time.Minute).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		applied.add(in)
		return contract.ApplyOut{Applied: at(300), Drained: in.Stop != nil}, nil
	})
	stub(b, contract.CopyLane).After(copyBox).Return(func(_ context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
		lanes.add(in)
		return contract.CopyLaneOut{Done: true}, nil
	})
	b.usual()
	after(b, time.Second, contract.UpdateResume, contract.ResumeRequest{Command: byAlice, FenceConfirmed: true}, b.accepted("resume"))
	b.at(7*time.Minute, func() { require.Equal(t, lifecycle.FullStarted, b.view().Status) })
	after(b, 60*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(beside, func(s *state) { s.Mode = failed }))
	b.ended()

	all := applied.all()
	require.True(t, all[0].BesideCopy)
	require.True(t, all[0].FenceConfirmed)
	require.True(t, all[0].CopyEnd.IsZero())
	last := all[len(all)-1]
	require.False(t, last.BesideCopy)
	require.False(t, last.FenceConfirmed)
	require.Equal(t, at(900), last.CopyEnd)
	for _, in := range all {
		require.Equal(t, in.BesideCopy, in.CopyEnd.IsZero(), "behind the gate until the copy's end is known")
	}
	require.True(t, lanes.all()[0].ApplyBeside)
	require.True(t, lanes.all()[0].FenceConfirmed)
}

// TestMigration_AnErrorBesideTheCopyFailsIt: what stops the apply stops the copy.
func TestMigration_AnErrorBesideTheCopyFailsIt(t *testing.T) {
	b := newBench(t)
	first := true
	stub(b, contract.ApplyBinlog).After(time.Minute).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		if first {
			first = false
			return contract.ApplyOut{}, applicationError(fault.TableChanged)
		}
		return contract.ApplyOut{Drained: in.Stop != nil}, nil
	})
	b.usual()
	b.at(5*time.Minute, func() {
		require.Equal(t, lifecycle.FullFailed, b.view().Status)
		require.Equal(t, fault.TableChanged.Code, b.view().LastError.Code)
	})
	after(b, 10*time.Minute, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	after(b, 60*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(beside))
	b.ended()
}

// TestServer_PauseDrainsCopyAndApply: on a real server a pause in the middle
// waits for lanes, watch and apply, and the copy's end ends the apply beside it.
func TestServer_PauseDrainsCopyAndApply(t *testing.T) {
	s := newStage(t)
	s.holdCopy.Store(true)
	s.start(beside)
	require.Eventually(t, func() bool { return s.open.Load() == 6 }, time.Minute, 10*time.Millisecond, "4 lanes, watch, apply")
	require.Equal(t, lifecycle.Paused, must(s, contract.UpdatePause, contract.PauseRequest{Command: byAlice}).Status)
	require.Zero(t, s.open.Load(), "an activity works on after the pause was answered")
	s.holdCopy.Store(false)
	must(s, contract.UpdateResume, contract.ResumeRequest{Command: byAlice})
	s.reaches(lifecycle.IncreStarted)
	require.Eventually(t, func() bool { return s.open.Load() == 2 }, time.Minute, 10*time.Millisecond, "watch and apply")
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice})
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	require.Zero(t, s.open.Load())
	require.False(t, s.view().Report.Incomplete)
	s.keep(contract.MigrationID(s.taskID), "copy-and-apply")
}
