package activities

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// planAfter runs PlanCopy as the attempt after one that told former.
func (r *rig) planAfter(former contract.PlanBeat) contract.PlanCopyOut {
	r.t.Helper()
	env := activityEnvironment()
	env.SetHeartbeatDetails(former)
	env.RegisterActivityWithOptions(r.PlanCopy, activity.RegisterOptions{Name: "plan"})
	value, err := env.ExecuteActivity("plan", contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	require.NoError(r.t, err)
	var out contract.PlanCopyOut
	require.NoError(r.t, value.Get(&out))
	return out
}

// pair makes a table on both sides.
func (r *rig) pair(name string, rows int) {
	r.t.Helper()
	r.exec("CREATE TABLE "+name+" (id BIGINT PRIMARY KEY, v INT) ENGINE=InnoDB", "CREATE TABLE `"+r.to+"`."+name+" LIKE "+name)
	for i := range rows {
		r.exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, %d)", name, i, i))
	}
}

func TestPlan_AnInterruptedOneIsCarriedOn(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 10)
	r.pair("items", 3)
	r.exec("CREATE TABLE left_here (id INT PRIMARY KEY)") // a wildcard matches it, the destination lacks it
	first := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	require.Equal(t, 2, first.Tables)
	require.Equal(t, 2, first.Chunks)
	require.False(t, first.Start.IsZero())

	// The next attempt keeps start position and epoch, and what was planned.
	again := r.planAfter(contract.PlanBeat{Epoch: first.Epoch, Start: first.Start})
	require.Equal(t, first, again)

	// An attempt that told of an older epoch had nothing to do with this plan.
	fresh := r.planAfter(contract.PlanBeat{Epoch: first.Epoch - 1, Start: position.Position{File: "wrong", Offset: 4}})
	require.Greater(t, fresh.Epoch, first.Epoch)
	require.NotEqual(t, "wrong", fresh.Start.File)
	require.Equal(t, 2, fresh.Chunks)

	r.withMetadata(func(s *checkpoint.Store) {
		selected, err := effectiveSelection(t.Context(), s, r.resolve().Spec.Objects, 0)
		require.NoError(t, err)
		_, _, ok := selected.Match(table.Name{Schema: r.source, Table: "left_here"})
		require.False(t, ok, "its changes would stop the apply")
		_, _, ok = selected.Match(table.Name{Schema: r.source, Table: "orders"})
		require.True(t, ok)
		_, _, ok = selected.Match(table.Name{Schema: r.source, Table: "came_later"})
		require.True(t, ok, "its CREATE TABLE has to stop the apply")
	})
	log := inspectAs[contract.LogsAnswer](r, contract.InspectIn{Kind: contract.InspectLogs})
	require.Contains(t, log.Lines[0].Message, "planned 2 chunks of 2 tables")
}

func TestPlan_ANamedTableHasToBeThere(t *testing.T) {
	r := newRig(t, func(f *task.File) {
		f.Objects = selection.Selection{{Schema: f.Objects[0].Schema, To: f.Objects[0].To, Tables: []string{"orders", "missing"}}}
	})
	r.pair("orders", 1)
	r.exec("CREATE TABLE missing (id INT PRIMARY KEY)")
	_, err := do(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	require.ErrorContains(t, err, fault.DestinationTable.Code)
}

func TestCopyAndApply_MoveWhatIsThereAndWhatComes(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 20)
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	r.exec("INSERT INTO orders VALUES (100, 1)")
	owner := contract.Owner{Epoch: p.Epoch, Box: 1}
	copied := must(r, r.CopyLane, contract.CopyLaneIn{TaskRef: r.ref, Owner: owner, Lanes: 1, Box: time.Minute, Connections: 4, Start: p.Start})
	require.True(t, copied.Done)
	end := must(r, r.ReadHead, r.ref)
	r.exec("UPDATE orders SET v = 7 WHERE id = 3", "DELETE FROM orders WHERE id = 4")
	stop := must(r, r.ReadHead, r.ref)
	owner.Box++
	applied := must(r, r.ApplyBinlog, contract.ApplyIn{TaskRef: r.ref, Owner: owner, Box: time.Minute, Start: p.Start, CopyEnd: end.Position, Stop: &stop.Position})
	require.True(t, applied.Drained)
	require.Equal(t, 20, r.count(r.to))
	require.Equal(t, "CONSISTENT", r.comparison())

	// The same box again finds nothing to do: an outcome may get lost.
	again := must(r, r.ApplyBinlog, contract.ApplyIn{TaskRef: r.ref, Owner: owner, Box: time.Minute, Start: p.Start, CopyEnd: end.Position, Stop: &stop.Position})
	require.True(t, again.Drained)
	sequences := must(r, r.UpdateSequences, contract.SequencesIn{TaskRef: r.ref})
	require.Zero(t, sequences.Total, "no table counts by itself here")

	// An older owner is not let in any more.
	owner.Box--
	_, err := do(r, r.ApplyBinlog, contract.ApplyIn{TaskRef: r.ref, Owner: owner, Box: time.Minute, Start: p.Start, Stop: &stop.Position})
	require.ErrorContains(t, err, fault.Fenced.Code)
}

// comparison compares by objects, which needs no apply to wait for.
func (r *rig) comparison() string {
	r.t.Helper()
	return must(r, r.CompareTables, contract.CompareIn{TaskRef: r.ref, ID: "c9", Type: contract.CompareObjects, Box: time.Minute}).Result
}

func TestApply_AStatementStopsItAndResumePassesIt(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 2)
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	in := contract.ApplyIn{TaskRef: r.ref, Owner: contract.Owner{Epoch: p.Epoch, Box: 1}, Box: time.Minute, Start: p.Start}
	r.exec("ALTER TABLE orders ADD COLUMN w INT", "INSERT INTO orders VALUES (50, 1, 2)")
	stop := must(r, r.ReadHead, r.ref)
	in.Stop = &stop.Position
	_, err := do(r, r.ApplyBinlog, in)
	require.ErrorContains(t, err, fault.DDLStopped.Code)
	info := errorDetail(t, err)
	require.NotNil(t, info.Position)
	require.Contains(t, info.Object, "orders")

	r.exec("ALTER TABLE `" + r.to + "`.orders ADD COLUMN w INT")
	in.Owner.Box, in.PassDDL = 2, info.Position
	require.True(t, must(r, r.ApplyBinlog, in).Drained)
	var w int
	require.NoError(t, r.server.DB(t, r.to).QueryRowContext(t.Context(), "SELECT w FROM orders WHERE id = 50").Scan(&w))
	require.Equal(t, 2, w)
	require.Contains(t, inspectAs[contract.LogsAnswer](r, contract.InspectIn{Kind: contract.InspectLogs, Level: "error"}).Lines[0].Message, fault.DDLStopped.Code)
}

func TestWatch_AStatementDuringTheCopyNeedsAReset(t *testing.T) {
	for _, c := range []struct {
		statement string
		stops     bool
	}{
		{"ALTER TABLE orders ADD COLUMN w INT", true}, {"ALTER TABLE orders ADD INDEX by_v (v)", false}, {"TRUNCATE TABLE orders", false},
	} {
		r := newRig(t)
		r.pair("orders", 2)
		p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
		d, s, err := openStore(t.Context(), r.resolve(), 1)
		require.NoError(t, err)
		src, err := openSource(t.Context(), r.resolve(), 1)
		require.NoError(t, err)
		w := &watcher{t: r.resolve(), store: s, src: src, start: p.Start}
		copying, err := w.copying(t.Context())
		require.NoError(t, err)
		require.True(t, copying)
		r.exec(c.statement)
		patience := 2 * time.Second // nothing stops it: it would read for ever
		if c.stops {
			patience = 3 * time.Minute
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err = w.watchStatements(ctx, p.Start)
		cancel()
		if c.stops {
			require.ErrorIs(t, err, fault.DDLStopped, c.statement)
			f, ok := fault.As(err)
			require.True(t, ok)
			require.Contains(t, f.Remedy, "reset")
			_, placed := err.(interface{ SourcePosition() position.Position })
			require.False(t, placed, "no resume passes it")
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded, c.statement)
		}
		require.NoError(t, src.Close())
		require.NoError(t, d.Close())
	}
}
