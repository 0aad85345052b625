package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
)

func (s *stage) playGroups(answer func(string, any)) {
	answer(contract.ParkTables.Name, func(ctx context.Context, _ contract.ParkIn) (contract.ParkOut, error) {
		return contract.ParkOut{Position: at(400), Copied: true}, s.work(ctx, 100*time.Millisecond)
	})
	answer(contract.PlanGroup.Name, func(ctx context.Context, _ contract.PlanGroupIn) (contract.PlanCopyOut, error) {
		return contract.PlanCopyOut{Start: at(450), Tables: 1, Chunks: 3}, s.work(ctx, 300*time.Millisecond)
	})
	answer(contract.MergeGroup.Name, func(ctx context.Context, _ contract.MergeIn) (contract.MergeOut, error) {
		return contract.MergeOut{Position: at(420)}, s.work(ctx, 100*time.Millisecond)
	})
	answer(contract.DropGroup.Name, func(context.Context, contract.MergeIn) (contract.Nothing, error) { return contract.Nothing{}, nil })
}

func (s *stage) openAre(n int32, what string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.open.Load() == n }, time.Minute, 10*time.Millisecond, what)
}

func (s *stage) ends() {
	s.t.Helper()
	require.NoError(s.t, s.GetWorkflow(s.t.Context(), contract.MigrationID(s.taskID), "").Get(s.t.Context(), nil))
	require.Zero(s.t, s.open.Load())
}

// TestServer_AGroupIsDrainedLikeGroup0: parked while it runs, copied anew, paused
// in the middle of that, gone on with, merged; then tables are added.
func TestServer_AGroupIsDrainedLikeGroup0(t *testing.T) {
	s := newStage(t)
	s.failTable = true
	s.holdCopy.Store(true)
	s.start(copied, parks)
	require.Eventually(t, func() bool { g := s.view().Groups; return len(g) == 1 && g[0].Position != nil }, time.Minute, 50*time.Millisecond)
	require.Equal(t, lifecycle.IncreStarted, s.view().Status)
	require.Eventually(t, func() bool {
		found, err := s.ListWorkflow(t.Context(), list("ShardliftAttention='parked' AND WorkflowId='"+contract.MigrationID(s.taskID)+"'"))
		return err == nil && len(found.GetExecutions()) == 1
	}, time.Minute, 100*time.Millisecond, "the list does not show it")
	s.openAre(2, "watch and apply")
	must(s, contract.UpdateTables, about(contract.TablesRecopy))
	s.openAre(6, "watch, apply, 4 lanes of the group")
	require.Equal(t, lifecycle.Paused, must(s, contract.UpdatePause, contract.PauseRequest{Command: byAlice}).Status)
	require.Zero(t, s.open.Load(), "an activity works on after the pause was answered")
	require.Equal(t, contract.GroupCopying, s.view().Groups[0].State)
	must(s, contract.UpdateResume, contract.ResumeRequest{Command: byAlice})
	s.openAre(6, "the same again")
	s.holdCopy.Store(false)
	require.Eventually(t, func() bool { return len(s.view().Groups) == 0 }, time.Minute, 50*time.Millisecond)
	s.openAre(2, "watch and apply after the merge")
	must(s, contract.UpdateTables, addition("crm", "people"))
	require.Eventually(t, func() bool { return len(s.view().Groups) == 0 }, time.Minute, 50*time.Millisecond)
	s.openAre(2, "watch and apply after the merge")
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice})
	s.ends()
	require.False(t, s.view().Report.Incomplete)
	s.keep(contract.MigrationID(s.taskID), "groups")
	s.keep(contract.CopyGroupID(s.taskID, 1), "groups-copy")
}

// TestServer_StopsWithAGroupAtWork: incomplete and by force.
func TestServer_StopsWithAGroupAtWork(t *testing.T) {
	for name, stop := range map[string]contract.StopRequest{"incomplete": {Incomplete: true}, "force": {Force: true}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.holdCopy.Store(true)
			s.start(copied, parked)
			s.openAre(2, "watch and apply")
			must(s, contract.UpdateTables, about(contract.TablesRecopy))
			s.openAre(6, "watch, apply, 4 lanes of the group")
			stop.Command = byAlice
			must(s, contract.UpdateStop, stop)
			s.ends()
			require.True(t, s.view().Report.Incomplete)
			require.Equal(t, contract.GroupCopying, s.view().Groups[0].State)
			s.keep(contract.MigrationID(s.taskID), "groups-stop-"+name)
		})
	}
}
