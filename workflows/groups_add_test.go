package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/selection"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// TestGroups_AddedTablesAreCheckedPlannedCopiedAndMerged: the pre-check looks at
// the added tables only, the new revision selects them, group 0 goes on meanwhile.
func TestGroups_AddedTablesAreCheckedPlannedCopiedAndMerged(t *testing.T) {
	b := newBench(t)
	var checks recorded[contract.PrecheckItemIn]
	var plans recorded[contract.PlanGroupIn]
	var played recorded[contract.ApplyIn]
	stub(b, contract.ListPrecheckItems).Return(itemsOfTables(), nil)
	stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		checks.add(in)
		verdict := contract.Passed
		if in.Code == "ROWS" {
			verdict = contract.Alarm
		}
		return contract.PrecheckItemResult{Code: in.Code, Verdict: verdict}, nil
	})
	stub(b, contract.PlanGroup).After(time.Second).Return(func(_ context.Context, in contract.PlanGroupIn) (contract.PlanCopyOut, error) {
		plans.add(in)
		return contract.PlanCopyOut{Start: at(450), Tables: 1, Chunks: 3}, nil
	})
	stub(b, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		played.add(in)
		return contract.ApplyOut{Applied: at(950), Drained: in.Stop != nil}, nil
	})
	b.usual()
	after(b, time.Minute, contract.UpdateTables, addition("old", "named"), b.refused(fault.AlreadySelected))
	wrong := addition("crm", "people")
	wrong.Objects[0].Tables = []string{"people", "more"}
	after(b, time.Minute, contract.UpdateTables, wrong, b.refused(fault.InvalidField))
	answered := false
	after(b, 2*time.Minute, contract.UpdateTables, addition("crm", "people"), func(r contract.CommandResult, err error) {
		require.NoError(t, err)
		require.Equal(t, 2, r.Revision)
		answered = true
	})
	b.at(3*time.Minute, func() {
		v := b.view()
		require.True(t, answered)
		require.Equal(t, contract.GroupCopying, v.Groups[0].State)
		require.True(t, v.Groups[0].Added)
		require.Equal(t, "done", v.Precheck.State)
		require.Len(t, v.Spec.Objects, 3)
		require.Equal(t, 2, v.Plan.Tables)
	})
	b.at(30*time.Minute, func() {
		require.Empty(t, b.view().Groups)
		require.Equal(t, 3, b.view().Plan.Tables)
	})
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, checked, func(s *state) {
		s.Spec.Objects = append(s.Spec.Objects, selection.Rule{Schema: "old", Tables: []string{"named"}})
	}))
	b.ended()
	var codes []string
	for _, in := range checks.all() {
		codes = append(codes, in.Code)
		require.Equal(t, selection.Selection{{Schema: "crm", Tables: []string{"people"}}}, in.Objects)
	}
	require.ElementsMatch(t, []string{"SOURCE", "ROWS", "KEYS"}, codes)
	require.Equal(t, "SOURCE", codes[0], "what others need comes first")
	require.Equal(t, 2, plans.all()[0].Revision)
	require.Equal(t, []table.Name{{Schema: "crm", Table: "people"}}, plans.all()[0].Tables)
	groups := 0
	for _, in := range played.all() {
		if in.Group == 1 {
			groups++
		}
		if in.Group == 0 && in.Revision == 1 {
			require.Zero(t, groups, "group 0 goes on with the new revision only after the merge, or with its next box")
		}
	}
	require.Positive(t, groups)
}

func itemsOfTables() []contract.PrecheckItemRef {
	return []contract.PrecheckItemRef{
		{Code: "SOURCE"},
		{Code: "BINLOG", Needs: []string{"SOURCE"}},
		{Code: "ROWS", Needs: []string{"SOURCE"}, Tables: true},
		{Code: "KEYS", Needs: []string{"SOURCE"}, Tables: true},
	}
}

// TestGroups_AnAdditionThatFailsLeavesNothing: a failed item, a plan that fails,
// a pause in the middle.
func TestGroups_AnAdditionThatFailsLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*bench)
		want    fault.Definition
		pause   bool
	}{
		"pre-check": {func(b *bench) {
			stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
				return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Failed, Reason: "no"}, nil
			})
			stub(b, contract.PlanGroup).Panic("not planned")
		}, fault.AddRefused, false},
		"plan": {func(b *bench) {
			stub(b, contract.PlanGroup).Return(contract.PlanCopyOut{}, applicationError(fault.NothingToMove))
		}, fault.NothingToMove, false},
		"pause": {func(b *bench) {
			stub(b, contract.PlanGroup).After(10*time.Minute).Return(contract.PlanCopyOut{}, nil)
		}, fault.AddInterrupted, true},
	} {
		b := newBench(t)
		dropped := 0
		stub(b, contract.ListPrecheckItems).Return(itemsOfTables(), nil)
		stub(b, contract.DropGroup).Return(func(context.Context, contract.MergeIn) (contract.Nothing, error) {
			dropped++
			return contract.Nothing{}, nil
		})
		c.prepare(b)
		b.usual()
		answered := false
		after(b, time.Minute, contract.UpdateTables, addition("crm", "people"), func(r contract.CommandResult, err error) {
			b.refused(c.want)(r, err)
			answered = true
		})
		if c.pause {
			after(b, 2*time.Minute, contract.UpdatePause, contract.PauseRequest{Command: byAlice}, b.accepted("pause"))
		}
		b.at(5*time.Minute, func() {
			v := b.view()
			require.True(t, answered, name)
			require.Empty(t, v.Groups)
			require.Len(t, v.Spec.Objects, 1)
			require.Equal(t, name != "pre-check", dropped == 1)
			require.False(t, v.Status.Failed())
		})
		after(b, 10*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
		b.run(b.input(copied))
		b.ended()
	}
}

// TestGroups_WhatAWildcardSelectsMayBeAdded: the plan left the table out, or has it
// and refuses. One that stands apart is none to add.
func TestGroups_WhatAWildcardSelectsMayBeAdded(t *testing.T) {
	b := newBench(t)
	stub(b, contract.ListPrecheckItems).Return(itemsOfTables(), nil)
	stub(b, contract.PlanGroup).Return(func(_ context.Context, in contract.PlanGroupIn) (contract.PlanCopyOut, error) {
		if in.Tables[0].Table == "planned" {
			return contract.PlanCopyOut{}, applicationError(fault.AlreadySelected)
		}
		return contract.PlanCopyOut{Start: at(450), Tables: 1, Chunks: 3}, nil
	})
	b.usual()
	after(b, time.Minute, contract.UpdateTables, addition("Shop", parkedTable.Table), b.refused(fault.AlreadySelected))
	after(b, 2*time.Minute, contract.UpdateTables, addition("Shop", "planned"), b.refused(fault.AlreadySelected))
	after(b, 3*time.Minute, contract.UpdateTables, addition("Shop", "late"), b.accepted("add"))
	b.at(4*time.Minute, func() {
		v := b.view()
		require.Len(t, v.Groups, 2)
		require.Equal(t, []string{"late"}, v.Spec.Objects[0].Tables, "its rule counts before the wildcard's")
		require.Len(t, v.Spec.Objects, 2)
	})
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(copied, checked, parked))
	b.ended()
}

// TestGroups_WhatAnAdditionLeftIsDroppedLater: the destination is away when an
// addition is taken back; the next start of a box removes the group.
func TestGroups_WhatAnAdditionLeftIsDroppedLater(t *testing.T) {
	b := newBench(t)
	var dropped recorded[int]
	stub(b, contract.ListPrecheckItems).Return(itemsOfTables(), nil)
	stub(b, contract.PlanGroup).Return(contract.PlanCopyOut{}, applicationError(fault.NothingToMove))
	stub(b, contract.DropGroup).Return(func(_ context.Context, in contract.MergeIn) (contract.Nothing, error) {
		if dropped.add(in.Group) < 3 {
			return contract.Nothing{}, applicationError(fault.ServerReadOnly)
		}
		return contract.Nothing{}, nil
	})
	b.usual()
	after(b, time.Minute, contract.UpdateTables, addition("crm", "people"), b.refused(fault.NothingToMove))
	b.at(30*time.Minute, func() { require.Equal(t, []int{1}, dropped.all()) })
	b.at(4*time.Hour, func() { require.Equal(t, []int{1, 1, 1}, dropped.all()) })
	after(b, 5*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
	require.Equal(t, []int{1, 1, 1}, dropped.all())
}

func addition(schema, name string) contract.TablesRequest {
	return contract.TablesRequest{
		Command: byAlice, Kind: contract.TablesAdd, Tables: []table.Name{{Schema: schema, Table: name}},
		Objects: selection.Selection{{Schema: schema, Tables: []string{name}}},
	}
}

// TestGroups_FollowEditsAndCredentials: the policy may change after the start,
// and new credentials reach the step of a group.
func TestGroups_FollowEditsAndCredentials(t *testing.T) {
	b := newBench(t)
	var revisions recorded[int]
	stub(b, contract.CopyLane).After(90 * time.Second).Return(func(_ context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
		revisions.add(in.Revision)
		return contract.CopyLaneOut{Done: true}, nil
	})
	b.usual()
	edited := spec()
	edited.Policy.TableError = task.ParkTable
	after(b, time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.accepted("edit"))
	edited.Policy.Divergence = "report"
	after(b, 2*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.refused(fault.FixedField))
	after(b, time.Minute, contract.UpdateTables, about(contract.TablesRecopy), b.accepted("recopy"))
	after(b, 2*time.Minute, contract.UpdateSetCredentials, contract.CredentialsRequest{Command: byAlice, Side: task.SourceSide, Endpoint: spec().Source}, b.accepted("credentials"))
	b.at(3*time.Minute, func() {
		require.Equal(t, task.ParkTable, b.view().Spec.Policy.TableError)
		require.Equal(t, contract.GroupCopying, b.view().Groups[0].State)
	})
	after(b, 5*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(copied, parked, func(s *state) { s.Spec.Policy.TableError = "" }))
	b.ended()
	require.Contains(t, revisions.all(), 3, "lanes with the new credentials")
}

// TestGroups_StateOfEveryStepIsCarried: a run that ends in the middle of a group's
// step is gone on with by the next.
func TestGroups_StateOfEveryStepIsCarried(t *testing.T) {
	for _, s := range []contract.GroupState{contract.GroupPlanning, contract.GroupCopying, contract.GroupApplying, contract.GroupMerging} {
		b := newBench(t)
		stub(b, contract.PlanGroup).After(time.Hour).Return(contract.PlanCopyOut{Start: at(450)}, nil)
		stub(b, contract.MergeGroup).After(time.Hour).Return(contract.MergeOut{}, nil)
		b.usual()
		b.at(time.Minute, func() { b.SetContinueAsNewSuggested(true) })
		b.at(2*time.Minute, func() { b.SignalWorkflow("unrelated", nil) })
		in := b.input(copied, parked, func(st *state) { st.Groups[0].State = s; st.Groups[0].Error = nil })
		b.run(in)
		next := b.next()
		require.Equal(t, s, next.Carry.Groups[0].State)

		c := newBench(t)
		stub(c, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
			return contract.ApplyOut{Applied: at(900), Drained: in.Stop != nil}, nil
		})
		c.usual()
		c.at(3*time.Hour, func() { require.Empty(t, c.view().Groups, s) })
		after(c, 4*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, c.accepted("stop"))
		c.run(next)
		c.ended()
	}
}
