package workflows

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// parkedTable is the table that fails in these tests.
var parkedTable = table.Name{Schema: "Shop", Table: "orders"}

func tableActions() []lifecycle.Action {
	return []lifecycle.Action{lifecycle.RetryTable, lifecycle.RecopyTable, lifecycle.DropTable, lifecycle.AddTables}
}

// parked gives a task a parked group.
func parked(s *state) {
	parks(s)
	p := at(400)
	info := tableInfo(fault.ValueRefused)
	s.GroupNo = 1
	s.Groups = []contract.Group{{No: 1, Tables: []table.Name{parkedTable}, State: contract.GroupParked, Position: &p, Copied: true, Error: &info}}
}

func parks(s *state) { s.Spec.Policy.TableError = task.ParkTable }

func about(kind string) contract.TablesRequest {
	return contract.TablesRequest{Command: byAlice, Kind: kind, Tables: []table.Name{parkedTable}}
}

func tableInfo(d fault.Definition) contract.ErrorInfo {
	info := infoOf(d.New("Shop.orders", ""))
	info.Table = parkedTable.String()
	return info
}

// tableError is an error that concerns one table alone.
func tableError(d fault.Definition, stoppedAt *position.Position) error {
	info := tableInfo(d)
	info.Position = stoppedAt
	return temporal.NewApplicationErrorWithOptions("x", d.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{info}})
}

// failOnce fails the first box of group 0 with an error of one table.
func failOnce(b *bench, played *recorded[contract.ApplyIn], stoppedAt *position.Position) {
	var failed atomic.Bool
	stub(b, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		played.add(in)
		if in.Group == 0 && !failed.Swap(true) {
			return contract.ApplyOut{}, tableError(fault.ValueRefused, stoppedAt)
		}
		return contract.ApplyOut{Applied: at(900), Drained: in.Stop != nil}, nil
	})
}

// TestGroups_ATableThatFailsIsParkedAndComesBack: parked with its error, told to
// people, brought on by a retry past the statement that stopped it, merged.
func TestGroups_ATableThatFailsIsParkedAndComesBack(t *testing.T) {
	b := newBench(t)
	var played recorded[contract.ApplyIn]
	var parkings, merges recorded[int]
	var told recorded[contract.NotifyIn]
	ddl := at(700)
	failOnce(b, &played, &ddl)
	stub(b, contract.ParkTables).Return(func(_ context.Context, in contract.ParkIn) (contract.ParkOut, error) {
		parkings.add(in.Group)
		require.Equal(t, []table.Name{parkedTable}, in.Tables)
		require.Equal(t, at(100), in.Start)
		return contract.ParkOut{Position: at(400), Copied: true}, nil
	})
	stub(b, contract.MergeGroup).Return(func(_ context.Context, in contract.MergeIn) (contract.MergeOut, error) {
		merges.add(in.Group)
		return contract.MergeOut{Position: at(420)}, nil
	})
	stub(b, contract.Notify).Return(func(_ context.Context, in contract.NotifyIn) (contract.Nothing, error) {
		told.add(in)
		return contract.Nothing{}, nil
	})
	b.usual()
	b.at(time.Minute, func() {
		v := b.view()
		require.Equal(t, lifecycle.IncreStarted, v.Status)
		require.Nil(t, v.LastError)
		require.Len(t, v.Groups, 1)
		require.Equal(t, contract.GroupParked, v.Groups[0].State)
		require.Equal(t, fault.ValueRefused.Code, v.Groups[0].Error.Code)
		require.True(t, v.Groups[0].Copied)
		require.Equal(t, contract.AlarmParked, v.Alarms[0].Kind)
		require.Contains(t, v.Alarms[0].Text, "Shop.orders")
	})
	after(b, 2*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.refused(fault.GroupsOpen))
	after(b, 3*time.Minute, contract.UpdateRetry, contract.RetryRequest{Command: byAlice, Table: "Shop.other"}, b.refused(fault.RetryTable))
	after(b, 4*time.Minute, contract.UpdateRetry, contract.RetryRequest{Command: byAlice, Table: "Shop.orders"}, b.accepted("retry"))
	b.at(10*time.Minute, func() {
		require.Empty(t, b.view().Groups)
		require.Empty(t, b.view().Alarms)
		require.Equal(t, lifecycle.IncreStarted, b.view().Status)
	})
	after(b, 20*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, parks))
	v := b.ended()
	require.False(t, v.Report.Incomplete)
	require.Equal(t, []int{1}, parkings.all())
	require.Equal(t, []int{1}, merges.all())
	var group []contract.ApplyIn
	for _, in := range played.all() {
		if in.Group == 1 {
			group = append(group, in)
		}
	}
	require.NotEmpty(t, group)
	require.Equal(t, at(900), *group[0].Stop)
	require.Equal(t, at(400), group[0].Start)
	require.Equal(t, at(500), group[0].CopyEnd)
	require.Equal(t, ddl, *group[0].PassDDL)
	require.Equal(t, contract.AlarmParked, told.all()[0].Kind)
	require.Contains(t, told.all()[0].Text, "Shop.orders")
	require.False(t, told.all()[1].Active)
}

// TestGroups_WhatIsNotParkedStopsTheTask: policy stop, no table named, the last
// table, a table that no rule selects, too many groups.
func TestGroups_WhatIsNotParkedStopsTheTask(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*state)
		err    error
	}{
		"policy stop":   {func(*state) {}, tableError(fault.ValueRefused, nil)},
		"no table":      {parks, applicationError(fault.Divergence)},
		"the last one":  {func(s *state) { parks(s); s.Plan.Tables = 1 }, tableError(fault.Divergence, nil)},
		"not selected":  {func(s *state) { parks(s); s.Spec.Objects = selection.Selection{{Schema: "x"}} }, tableError(fault.Divergence, nil)},
		"enough groups": {func(s *state) { manyGroups(s) }, tableError(fault.Divergence, nil)},
	} {
		b := newBench(t)
		stub(b, contract.ApplyBinlog).Return(contract.ApplyOut{}, c.err)
		stub(b, contract.ParkTables).Panic("parked: " + name)
		b.usual()
		b.at(time.Hour, func() { require.Equal(t, lifecycle.IncreFailed, b.view().Status, name) })
		after(b, 2*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
		b.run(b.input(copied, c.change))
		b.ended()
	}
}

// TestGroups_WhatCannotBeParkedStopsTheTaskWithItsOwnError: a statement that makes
// a new table concerns one table, too, and the plan does not have it.
func TestGroups_WhatCannotBeParkedStopsTheTaskWithItsOwnError(t *testing.T) {
	b := newBench(t)
	var played recorded[contract.ApplyIn]
	ddl := at(700)
	stub(b, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		played.add(in)
		if in.PassDDL == nil {
			return contract.ApplyOut{}, tableError(fault.TableChanged, &ddl)
		}
		return contract.ApplyOut{Drained: in.Stop != nil}, nil
	})
	stub(b, contract.ParkTables).Return(contract.ParkOut{}, applicationError(fault.TableUnplanned))
	b.usual()
	b.at(time.Hour, func() {
		v := b.view()
		require.Equal(t, lifecycle.IncreFailed, v.Status)
		require.Equal(t, ddl, *v.LastError.Position)
		require.Empty(t, v.Groups)
		require.Empty(t, v.Alarms)
	})
	after(b, 2*time.Hour, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	after(b, 3*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, parks))
	b.ended()
	last := played.all()[len(played.all())-1]
	require.Equal(t, ddl, *last.PassDDL)
}

// TestGroups_AParkingOfUnknownOutcomeIsCarriedOutAgain: a parking may have taken
// effect before it failed. The task stops with the table's own error, and group 0
// begins no box before the same group is known to be parked: it would leave out a
// table that nobody brings back.
func TestGroups_AParkingOfUnknownOutcomeIsCarriedOutAgain(t *testing.T) {
	b := newBench(t)
	var played recorded[contract.ApplyIn]
	var parkings recorded[int]
	stub(b, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		if played.add(in) == 1 {
			return contract.ApplyOut{}, tableError(fault.Divergence, nil)
		}
		return contract.ApplyOut{Applied: at(900), Drained: in.Stop != nil}, nil
	})
	stub(b, contract.ParkTables).Return(func(_ context.Context, in contract.ParkIn) (contract.ParkOut, error) {
		if parkings.add(in.Group) == 1 {
			return contract.ParkOut{}, applicationError(fault.ServerReadOnly)
		}
		return contract.ParkOut{Position: at(400), Copied: true}, nil
	})
	b.usual()
	b.at(time.Minute, func() {
		v := b.view()
		require.Equal(t, lifecycle.IncreFailed, v.Status)
		require.Equal(t, fault.Divergence.Code, v.LastError.Code)
		require.Len(t, v.Groups, 1)
		require.Len(t, played.all(), 1)
	})
	after(b, 3*time.Minute, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	b.at(4*time.Minute, func() {
		v := b.view()
		require.Equal(t, []int{1, 1}, parkings.all())
		require.Equal(t, lifecycle.IncreStarted, v.Status)
		require.Equal(t, at(400), *v.Groups[0].Position)
		require.Equal(t, 1, v.Groups[0].No)
	})
	after(b, 5*time.Minute, contract.UpdateTables, about(contract.TablesRetry), b.accepted("retry"))
	b.at(10*time.Minute, func() { require.Empty(t, b.view().Groups) })
	after(b, 11*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, parks))
	b.ended()
}

func manyGroups(s *state) {
	parks(s)
	p := at(400)
	s.Plan.Tables = 100
	for s.GroupNo < contract.MaxGroups {
		s.GroupNo++
		s.Groups = append(s.Groups, contract.Group{
			No: s.GroupNo, Tables: []table.Name{{Schema: "Shop", Table: fmt.Sprint("t", s.GroupNo)}}, State: contract.GroupParked, Position: &p,
		})
	}
}

// TestGroups_ARetryInTheCopyMergesAtOnce: the lanes are cut short and begin again
// with the table's chunks.
func TestGroups_ARetryInTheCopyMergesAtOnce(t *testing.T) {
	for name, change := range map[string]func(*state){"copy": planned, "copy and apply": beside, "full only": func(s *state) {
		planned(s)
		s.Spec.Type = task.Full
	}} {
		b := newBench(t)
		var failed, merged atomic.Bool
		stub(b, contract.CopyLane).After(time.Minute).Return(func(_ context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
			require.Zero(t, in.Group)
			if !failed.Swap(true) {
				return contract.CopyLaneOut{}, tableError(fault.ValueRefused, nil)
			}
			return contract.CopyLaneOut{Done: true}, nil
		})
		stub(b, contract.ParkTables).Return(contract.ParkOut{Position: at(100)}, nil)
		stub(b, contract.MergeGroup).Return(func(context.Context, contract.MergeIn) (contract.MergeOut, error) {
			merged.Store(true)
			return contract.MergeOut{}, nil
		})
		b.usual()
		after(b, 90*time.Second, contract.UpdateTables, about(contract.TablesRecopy), b.refused(fault.RefusedInState))
		after(b, 95*time.Second, contract.UpdateTables, about(contract.TablesRetry), b.accepted("retry"))
		b.at(98*time.Second, func() {
			require.Empty(t, b.view().Groups, name)
			require.Equal(t, lifecycle.FullStarted, b.view().Status)
			require.True(t, merged.Load())
		})
		if name != "full only" {
			after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
		}
		b.run(b.input(change, parks))
		require.False(t, b.ended().Report.Incomplete, name)
	}
}

// TestGroups_AFullOnlyTaskDoesNotEndWithoutParkedTables: it fails when the rest is
// done; a retry or a drop lets it end.
func TestGroups_AFullOnlyTaskDoesNotEndWithoutParkedTables(t *testing.T) {
	for _, kind := range []string{contract.TablesRetry, contract.TablesDrop} {
		b := newBench(t)
		b.usual()
		b.at(time.Hour, func() {
			require.Equal(t, lifecycle.FullFailed, b.view().Status)
			require.Equal(t, fault.GroupsOpen.Code, b.view().LastError.Code)
		})
		after(b, 2*time.Hour, contract.UpdateTables, about(kind), b.accepted(kind))
		b.run(b.input(planned, parked, func(s *state) { s.Spec.Type = task.Full; s.Groups[0].Copied = false }))
		v := b.ended()
		require.False(t, v.Report.Incomplete)
		require.Equal(t, kind == contract.TablesDrop, len(v.Groups) == 1)
		if kind == contract.TablesDrop {
			require.Contains(t, v.Report.Warnings[0], "Shop.orders")
		}
	}
}

// TestGroups_RecopyPlansCopiesAndMerges: chunks delete their range first, the
// copy is a child of its own, and the lanes are the group's.
func TestGroups_RecopyPlansCopiesAndMerges(t *testing.T) {
	b := newBench(t)
	var lanes recorded[contract.CopyLaneIn]
	var played recorded[contract.ApplyIn]
	stub(b, contract.CopyLane).After(time.Minute).Return(func(_ context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
		lanes.add(in)
		return contract.CopyLaneOut{Done: true}, nil
	})
	stub(b, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		played.add(in)
		return contract.ApplyOut{Applied: at(950), Drained: in.Stop != nil}, nil
	})
	b.usual()
	after(b, time.Minute, contract.UpdateTables, about(contract.TablesRecopy), b.accepted("recopy"))
	b.at(90*time.Second, func() { require.Equal(t, contract.GroupCopying, b.view().Groups[0].State) })
	b.at(10*time.Minute, func() { require.Empty(t, b.view().Groups) })
	after(b, 20*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, parked))
	b.ended()
	require.NotEmpty(t, lanes.all())
	for _, in := range lanes.all() {
		require.Equal(t, 1, in.Group)
		require.True(t, in.DeleteFirst)
		require.True(t, in.ApplyBeside)
		require.Equal(t, at(450), in.Start)
	}
	for _, in := range played.all() {
		if in.Group == 1 {
			require.Equal(t, at(900), in.CopyEnd, "of its own copy")
		}
	}
}

// TestGroups_AnErrorParksTheGroupAgain: group 0 goes on; what passes is tried again.
func TestGroups_AnErrorParksTheGroupAgain(t *testing.T) {
	b := newBench(t)
	turn := 0
	stub(b, contract.ApplyBinlog).After(10 * time.Second).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		if in.Group == 1 {
			switch turn++; turn {
			case 1:
				return contract.ApplyOut{}, applicationError(fault.ApplyBehind) // passes
			case 2:
				return contract.ApplyOut{}, tableError(fault.StatementRefused, nil)
			}
		}
		return contract.ApplyOut{Applied: at(950), Drained: in.Stop != nil}, nil
	})
	merges := 0
	stub(b, contract.MergeGroup).Return(func(context.Context, contract.MergeIn) (contract.MergeOut, error) {
		switch merges++; merges {
		case 1:
			return contract.MergeOut{}, applicationError(fault.ServerReadOnly)
		case 2: // not yet
			return contract.MergeOut{}, applicationError(fault.MergeEarly)
		}
		return contract.MergeOut{Position: at(420)}, nil
	})
	b.usual()
	after(b, time.Minute, contract.UpdateTables, about(contract.TablesRetry), b.accepted("retry"))
	b.at(90*time.Second, func() {
		g := b.view().Groups[0]
		require.Equal(t, contract.GroupApplying, g.State)
		require.NotNil(t, g.Error.NextRetryAt)
	})
	parkedWith := func(code string) func() {
		return func() {
			require.Equal(t, lifecycle.IncreStarted, b.view().Status)
			require.Equal(t, contract.GroupParked, b.view().Groups[0].State)
			require.Equal(t, code, b.view().Groups[0].Error.Code)
		}
	}
	b.at(5*time.Minute, parkedWith(fault.StatementRefused.Code))
	after(b, 6*time.Minute, contract.UpdateTables, about(contract.TablesRetry), b.accepted("retry"))
	b.at(10*time.Minute, parkedWith(fault.ServerReadOnly.Code))
	after(b, 11*time.Minute, contract.UpdateTables, about(contract.TablesRetry), b.accepted("retry"))
	b.at(11*time.Minute+40*time.Second, func() {
		g := b.view().Groups[0]
		require.Equal(t, contract.GroupApplying, g.State)
		require.NotNil(t, g.Error.NextRetryAt)
	})
	b.at(15*time.Minute, func() { require.Empty(t, b.view().Groups) })
	after(b, 20*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, parked))
	b.ended()
	require.Equal(t, 3, merges)
}

// TestGroups_ParkingIsCarriedOutAfterAnInterruption: a pause in the middle loses
// neither the table nor its error.
func TestGroups_ParkingIsCarriedOutAfterAnInterruption(t *testing.T) {
	b := newBench(t)
	var played recorded[contract.ApplyIn]
	failOnce(b, &played, nil)
	parkings := 0
	stub(b, contract.ParkTables).After(5 * time.Second).Return(func(context.Context, contract.ParkIn) (contract.ParkOut, error) {
		parkings++
		return contract.ParkOut{Position: at(400), Copied: true}, nil
	})
	b.usual()
	after(b, 12*time.Second, contract.UpdatePause, contract.PauseRequest{Command: byAlice}, b.accepted("pause"))
	after(b, 13*time.Second, contract.UpdateTables, about(contract.TablesDrop), b.refused(fault.RetryTable))
	after(b, time.Minute, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	b.at(2*time.Minute, func() {
		require.NotNil(t, b.view().Groups[0].Position)
		require.Equal(t, 2, parkings)
	})
	after(b, 3*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(copied, parks))
	v := b.ended()
	require.True(t, v.Report.Incomplete)
	require.Contains(t, v.Report.Warnings[0], "Shop.orders (parked with "+fault.ValueRefused.Code)
}

// TestGroups_DropLeavesTheRows: a dropped table is named in the report, and the
// stop is a normal one.
func TestGroups_DropLeavesTheRows(t *testing.T) {
	b := newBench(t)
	stub(b, contract.DropGroup).Return(contract.Nothing{}, applicationError(fault.ServerReadOnly)).Once()
	b.usual()
	after(b, time.Second, contract.UpdateTables, about(contract.TablesDrop), b.refused(fault.ServerReadOnly))
	after(b, 2*time.Second, contract.UpdateTables, about(contract.TablesDrop), b.accepted("drop"))
	after(b, 3*time.Second, contract.UpdateTables, about(contract.TablesRetry), b.refused(fault.RetryTable))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied, parked))
	v := b.ended()
	require.False(t, v.Report.Incomplete)
	require.Equal(t, contract.GroupDropped, v.Groups[0].State)
	require.Contains(t, v.Report.Warnings[0], "dropped")
}
