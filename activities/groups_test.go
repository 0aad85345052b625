package activities

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

// parted is a task over tables a, b and c that follows the source.
type parted struct {
	*rig
	plan contract.PlanCopyOut
	end  position.Position // of the copy
	box  int64
	seed uint64
	from *sql.DB
	dest *sql.DB
	rule string // of sharding
}

const (
	partedRows = 40
	// behindDDM stands for a sharded destination, from mysql97.
	behindDDM = "ddm"
)

func newParted(t *testing.T, server string, change ...func(*task.File)) *parted {
	t.Helper()
	t.Parallel()
	var sim *simtest.Sim
	if server == behindDDM {
		server, sim = "mysql97", simtest.Start(t, 4)
		change = append(change, func(f *task.File) {
			f.Destination.Host, f.Destination.Port, f.Destination.User, f.Destination.Password = sim.Host, sim.Port, sim.User, sim.Password
			f.Destination.Kind, f.Destination.MetadataSchema, f.Objects[0].To = "auto", sim.Schema, sim.Schema
		})
	}
	p := &parted{rig: rigOn(t, testdb.Get(t, server), change...)}
	p.from = p.server.DB(t, p.source)
	if sim != nil {
		p.to, p.dest = sim.Schema, sim.DB(t)
		p.rule = " DBPARTITION BY HASH(id)"
	} else {
		p.dest = p.server.DB(t, p.to)
	}
	for _, name := range []string{"a", "b", "c"} {
		p.table(name)
	}
	return p
}

func (p *parted) table(name string) {
	create := "CREATE TABLE " + name + " (id INT PRIMARY KEY, u INT, v VARCHAR(20), UNIQUE KEY (u)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
	p.run(create)
	p.destExec(create + p.rule)
	values := make([]string, partedRows)
	for i := range partedRows {
		values[i] = fmt.Sprintf("(%d, %d, 'first')", i, 1000+i)
	}
	p.run("INSERT INTO " + name + " VALUES " + strings.Join(values, ", "))
}

func (p *parted) run(statements ...string) {
	p.t.Helper()
	for _, s := range statements {
		_, err := p.from.ExecContext(p.t.Context(), s)
		require.NoError(p.t, err, s)
	}
}

func (p *parted) owner() contract.Owner {
	p.box++
	return contract.Owner{Epoch: p.plan.Epoch, Box: p.box}
}

func named(names ...table.Name) []table.Name { return names }

func (p *parted) name(of string) table.Name { return table.Name{Schema: p.source, Table: of} }

func (p *parted) planAll() {
	p.plan = must(p.rig, p.PlanCopy, contract.PlanCopyIn{TaskRef: p.ref, Fresh: true})
}

func (p *parted) copyGroup(group int, deleteFirst bool) {
	p.t.Helper()
	out := must(p.rig, p.CopyLane, contract.CopyLaneIn{
		TaskRef: p.ref, Owner: p.owner(), Lanes: 1, Box: time.Minute, Connections: 4, Start: p.plan.Start, Group: group, DeleteFirst: deleteFirst,
	})
	require.True(p.t, out.Done)
}

// head asks again where the server has passing trouble: others use it, too.
func (p *parted) head() position.Position {
	p.t.Helper()
	var out contract.HeadOut
	require.Eventually(p.t, func() bool {
		var err error
		out, err = do(p.rig, p.ReadHead, p.ref)
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	return out.Position
}

func (p *parted) start() {
	p.planAll()
	p.copyGroup(0, false)
	p.end = p.head()
}

func (p *parted) applyIn(group int) contract.ApplyIn {
	stop := p.head()
	return contract.ApplyIn{TaskRef: p.ref, Owner: p.owner(), Group: group, Box: time.Minute, Start: p.plan.Start, CopyEnd: p.end, Stop: &stop}
}

func (p *parted) apply(group int) contract.ApplyOut {
	p.t.Helper()
	out := must(p.rig, p.ApplyBinlog, p.applyIn(group))
	require.True(p.t, out.Drained)
	require.Zero(p.t, out.Divergences)
	return out
}

// storm moves keys, swaps unique values, deletes and inserts in all three tables.
func (p *parted) storm(n int, names ...string) {
	p.t.Helper()
	p.seed++
	r := rand.New(rand.NewPCG(p.seed, 7))
	for range n {
		tx, err := p.from.BeginTx(p.t.Context(), nil)
		require.NoError(p.t, err)
		for _, name := range names {
			for _, s := range change(r, name) {
				_, err := tx.ExecContext(p.t.Context(), s)
				require.NoError(p.t, err, s)
			}
		}
		require.NoError(p.t, tx.Commit())
	}
}

var all = []string{"a", "b", "c"}

func change(r *rand.Rand, name string) []string {
	one, two := r.IntN(partedRows), r.IntN(partedRows)
	switch r.IntN(5) {
	case 0: // a swap of unique values
		return []string{
			fmt.Sprintf("UPDATE %s SET u = NULL WHERE id = %d", name, one),
			fmt.Sprintf("UPDATE IGNORE %s SET u = %d WHERE id = %d", name, 1000+one, two),
			fmt.Sprintf("UPDATE IGNORE %s SET u = %d WHERE id = %d", name, 1000+two, one),
		}
	case 1: // a key move
		return []string{fmt.Sprintf("DELETE FROM %s WHERE id = %d", name, two), fmt.Sprintf("UPDATE %s SET id = %d WHERE id = %d", name, two, one)}
	case 2:
		return []string{fmt.Sprintf("DELETE FROM %s WHERE id = %d", name, one)}
	case 3:
		return []string{fmt.Sprintf("UPDATE %s SET v = '%d' WHERE id = %d", name, r.IntN(1000), one)}
	default:
		return []string{fmt.Sprintf("INSERT IGNORE INTO %s VALUES (%d, %d, 'new')", name, one, 1000+two)}
	}
}

func texted(t *testing.T, db *sql.DB, name string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT id, u, v FROM "+name)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var out []string
	for rows.Next() {
		var id int
		var u sql.NullInt64
		var v string
		require.NoError(t, rows.Scan(&id, &u, &v))
		out = append(out, fmt.Sprint(id, u, v))
	}
	require.NoError(t, rows.Err())
	slices.Sort(out)
	return out
}

func (p *parted) equal(names ...string) {
	p.t.Helper()
	for _, name := range names {
		require.Equal(p.t, texted(p.t, p.from, name), texted(p.t, p.dest, name), name)
	}
}

func (p *parted) destExec(statement string) {
	p.t.Helper()
	_, err := p.dest.ExecContext(p.t.Context(), statement)
	require.NoError(p.t, err)
}

func (p *parted) park(group int, name string) contract.ParkOut {
	p.t.Helper()
	in := contract.ParkIn{TaskRef: p.ref, Owner: p.owner(), Group: group, Tables: []table.Name{p.name(name)}, Start: p.plan.Start}
	out := must(p.rig, p.ParkTables, in)
	require.Equal(p.t, out, must(p.rig, p.ParkTables, in), "the answer was lost")
	in.Owner = p.owner()
	require.Equal(p.t, out, must(p.rig, p.ParkTables, in), "and again by a later attempt")
	return out
}

func (p *parted) merge(group int) contract.MergeOut {
	p.t.Helper()
	in := contract.MergeIn{TaskRef: p.ref, Owner: p.owner(), Group: group}
	out := must(p.rig, p.MergeGroup, in)
	require.Equal(p.t, out, must(p.rig, p.MergeGroup, in), "the answer was lost")
	in.Owner = p.owner()
	require.Equal(p.t, out, must(p.rig, p.MergeGroup, in), "and again by a later attempt")
	p.nothingOf(group)
	return out
}

// nothingOf makes sure that nothing of a group's units stays behind.
func (p *parted) nothingOf(group int) {
	p.t.Helper()
	for _, name := range []string{"owner", "fence", "connection", "mark"} {
		var n int
		query := fmt.Sprintf("SELECT COUNT(*) FROM shardlift_%s WHERE unit LIKE 'apply/%d%%' OR unit LIKE 'copy-%d/%%'", name, group, group)
		require.NoError(p.t, p.dest.QueryRowContext(p.t.Context(), query).Scan(&n))
		require.Zero(p.t, n, name)
	}
}

// broken makes table b fail in the middle of a storm and parks it.
func (p *parted) broken(group int) {
	p.t.Helper()
	p.storm(30, all...)
	p.apply(0)
	p.destExec("RENAME TABLE b TO b_away")
	p.storm(30, all...)
	_, err := do(p.rig, p.ApplyBinlog, p.applyIn(0))
	require.Error(p.t, err)
	info := errorDetail(p.t, err)
	require.Equal(p.t, p.name("b").String(), info.Table, err)
	require.NotEqual(p.t, string(fault.Retry), info.Class)
	p.destExec("RENAME TABLE b_away TO b")
	require.True(p.t, p.park(group, "b").Copied)
	require.True(p.t, p.synced().IsZero(), "while a table stands apart")
}

// synced is what a sync point is compared with.
func (p *parted) synced() position.Position {
	return inspectAs[position.Position](p.rig, contract.InspectIn{Kind: contract.InspectApplied})
}

// TestGroups_AParkedTableCatchesUpAndMerges: one table fails in the middle of a
// window, the others go on without it; it catches up and comes back.
func TestGroups_AParkedTableCatchesUpAndMerges(t *testing.T) {
	for _, server := range []string{"mysql97", "mysql57", "mariadb"} {
		t.Run(server, func(t *testing.T) {
			p := newParted(t, server)
			p.start()
			p.broken(1)
			p.storm(20, all...)
			before := texted(t, p.dest, "b")
			p.apply(0)
			p.equal("a", "c")
			require.Equal(t, before, texted(t, p.dest, "b"), "group 0 leaves it out")
			tables := inspectAs[contract.TablesAnswer](p.rig, contract.InspectIn{Kind: contract.InspectTables}).Tables
			require.Equal(t, []string{"applying", "parked", "applying"}, []string{tables[0].State, tables[1].State, tables[2].State})
			p.storm(20, all...)
			stopped := p.apply(0).Applied
			p.storm(20, all...)
			caught := p.apply(1)
			p.equal("b")
			merged := p.merge(1).Position
			require.Equal(t, stopped, merged, "the older of both")
			require.Equal(t, merged, p.synced())
			covers, err := caught.Applied.Covers(merged)
			require.NoError(t, err)
			require.True(t, covers)
			p.storm(20, all...)
			p.apply(0)
			p.equal(all...)
			p.storm(20, all...) // strict mode by now
			p.apply(0)
			p.equal(all...)
			again := must(p.rig, p.ApplyBinlog, p.applyIn(1))
			require.True(t, again.Drained, "a group that is no more")
		})
	}
}

// TestGroups_OnAShardedDestination is the whole way on a sharded destination: the
// copy anew, the catch-up and the merge with marks on every shard.
func TestGroups_OnAShardedDestination(t *testing.T) {
	p := newParted(t, behindDDM)
	p.start()
	p.storm(20, all...)
	p.apply(0)
	p.park(1, "b")
	p.storm(20, all...)
	p.apply(0)
	p.equal("a", "c")
	p.recopy(1, true)
	p.merge(1)
	p.storm(20, all...)
	p.apply(0)
	p.equal(all...)
}

// TestGroups_TheGroupMayBeBehind: the merge goes back to the group's position, and
// everything converges.
func TestGroups_TheGroupMayBeBehind(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.broken(1)
	p.storm(10, all...)
	behind := p.apply(1).Applied
	p.storm(40, all...)
	p.apply(0)
	require.Equal(t, behind, p.merge(1).Position)
	p.storm(5, all...)
	p.apply(0)
	p.equal(all...)
}

// TestGroups_AFrozenWriterOfTheGroupIsShutOut: what held the group's fence before
// the merge writes nothing after it.
func TestGroups_AFrozenWriterOfTheGroupIsShutOut(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.broken(1)
	late := p.owner()
	d, s, err := openStore(t.Context(), p.resolve(), 4)
	require.NoError(t, err)
	defer func() { _ = d.Close() }()
	fence, err := s.Acquire(t.Context(), checkpoint.ApplyUnit(1), checkpoint.Token{Epoch: late.Epoch, Box: late.Box, Attempt: 1}, []string{p.to}, false)
	require.NoError(t, err)
	session, err := d.Session(t.Context())
	require.NoError(t, err)
	defer func() { _ = session.Close() }()
	require.NoError(t, fence.Register(t.Context(), session))
	require.NoError(t, session.Begin(t.Context()))
	require.NoError(t, fence.Guard(t.Context(), session, p.to, 0))
	_, err = session.Exec(t.Context(), "INSERT INTO `"+p.to+"`.b VALUES (999, 999, 'late')")
	require.NoError(t, err)

	p.merge(1)
	require.Error(t, session.Commit(t.Context()))
	fresh, err := d.Session(t.Context())
	require.NoError(t, err)
	defer func() { _ = fresh.Close() }()
	require.ErrorIs(t, fence.Register(t.Context(), fresh), fault.Fenced)
	require.ErrorIs(t, s.Save(t.Context(), fence, checkpoint.Checkpoint{Group: 1, Position: p.head()}), fault.Fenced)
	p.apply(0)
	p.equal(all...)

	// An attempt of the activity that wakes up only now is refused, too.
	stop := p.head()
	_, err = do(p.rig, p.ApplyBinlog, contract.ApplyIn{TaskRef: p.ref, Owner: late, Group: 1, Box: time.Minute, Start: p.plan.Start, Stop: &stop})
	require.NoError(t, err, "it finds no group and writes nothing")
	p.equal(all...)
	_, err = do(p.rig, p.ParkTables, contract.ParkIn{TaskRef: p.ref, Owner: late, Group: 1, Tables: []table.Name{p.name("b")}, Start: p.plan.Start})
	require.Error(t, err)
	require.Equal(t, fault.Fenced.Code, errorDetail(t, err).Code)
}

// TestGroups_ParkShutsOutGroup0sWriter: a box of group 0 that is thought to have
// returned writes nothing of the parked table any more.
func TestGroups_ParkShutsOutGroup0sWriter(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.apply(0)
	late := p.owner()
	p.withMetadata(func(s *checkpoint.Store) {
		token := checkpoint.Token{Epoch: late.Epoch, Box: late.Box, Attempt: 1}
		fence, err := s.Acquire(t.Context(), checkpoint.ApplyUnit(0), token, []string{p.to}, false)
		require.NoError(t, err)
		p.park(1, "b")
		require.ErrorIs(t, s.Save(t.Context(), fence, checkpoint.Checkpoint{Position: p.head()}), fault.Fenced)
	})
}

// TestGroups_ParkDuringTheCopy: chunks of the table wait, claimed ones go back; a
// retry gives them to the copy again.
func TestGroups_ParkDuringTheCopy(t *testing.T) {
	p := newParted(t, "mysql97")
	p.planAll()
	p.storm(10, all...)
	p.withMetadata(func(s *checkpoint.Store) { // a lane that has claimed everything, and is gone
		o := p.owner()
		fence, err := s.Acquire(t.Context(), checkpoint.CopyUnit(0, 0), checkpoint.Token{Epoch: o.Epoch, Box: o.Box, Attempt: 1}, []string{p.to}, false)
		require.NoError(t, err)
		for range all {
			c, err := s.Claim(t.Context(), fence, 0, 1, p.plan.Start)
			require.NoError(t, err)
			require.NotNil(t, c)
		}
	})
	require.False(t, p.park(1, "b").Copied)
	p.withMetadata(func(s *checkpoint.Store) {
		lows, err := s.Lows(t.Context())
		require.NoError(t, err)
		require.Empty(t, lows, "the gate waits for nobody")
	})
	p.copyGroup(0, false)
	require.Empty(t, texted(t, p.dest, "b"))
	require.Len(t, texted(t, p.dest, "a"), len(texted(t, p.from, "a")))
	p.withMetadata(func(s *checkpoint.Store) {
		left, err := s.Unfinished(t.Context())
		require.NoError(t, err)
		require.Zero(t, left, "group 0 has copied everything of its own")
		left, err = s.UnfinishedOf(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 1, left)
	})
	require.True(t, p.merge(1).Position.IsZero())
	p.storm(10, all...)
	p.copyGroup(0, false)
	p.end = p.head()
	p.storm(10, all...)
	p.apply(0)
	p.equal(all...)
}

// TestGroups_ParkedInTheCopyCopiedAfterIt: a table whose copy was cut off is
// copied by its group's own lanes, then catches up from before it.
func TestGroups_ParkedInTheCopyCopiedAfterIt(t *testing.T) {
	p := newParted(t, "mysql97")
	p.planAll()
	p.park(1, "b")
	p.storm(10, all...)
	p.copyGroup(0, false)
	p.end = p.head()
	p.storm(10, all...)
	p.apply(0)
	p.equal("a", "c")
	p.copyGroup(1, false)
	p.end = p.head()
	p.storm(10, all...)
	p.apply(0)
	p.apply(1)
	p.merge(1)
	p.apply(0)
	p.equal(all...)
}

// TestGroups_CopiedAnewWhileWritesGoOn repairs a table whose rows are wrong.
func TestGroups_CopiedAnewWhileWritesGoOn(t *testing.T) {
	for _, server := range []string{"mysql97", "mysql57", "mariadb"} {
		t.Run(server, func(t *testing.T) {
			p := newParted(t, server)
			p.start()
			p.broken(1)
			p.destExec("DELETE FROM b WHERE id % 2 = 0")
			p.destExec("INSERT INTO b VALUES (777, 1003, 'foreign') ON DUPLICATE KEY UPDATE v = 'foreign'")
			p.recopy(1, true)
			p.merge(1)
			p.storm(10, all...)
			p.apply(0)
			p.equal(all...)
			require.Equal(t, "CONSISTENT", p.comparison())
		})
	}
}

func (p *parted) recopy(group int, deleteFirst bool) {
	p.t.Helper()
	in := contract.PlanGroupIn{TaskRef: p.ref, Owner: p.owner(), Group: group, Tables: []table.Name{p.name("b")}}
	first := must(p.rig, p.PlanGroup, in)
	p.storm(5, all...)
	in.Owner = p.owner()
	again := must(p.rig, p.PlanGroup, in) // an attempt that begins anew
	require.Equal(p.t, first.Chunks, again.Chunks)
	covers, err := again.Start.Covers(first.Start)
	require.NoError(p.t, err)
	require.True(p.t, covers)
	p.storm(10, all...)
	p.copyGroup(group, deleteFirst)
	p.end = p.head()
	p.storm(10, all...)
	// Group 0 has not passed the start of the copy: the merge has to wait.
	_, err = do(p.rig, p.MergeGroup, contract.MergeIn{TaskRef: p.ref, Owner: p.owner(), Group: group})
	require.Error(p.t, err)
	require.Equal(p.t, fault.MergeEarly.Code, errorDetail(p.t, err).Code)
	p.apply(0)
	p.apply(group)
	p.equal("b")
}

// TestGroups_ATableJoinsWhileWritesGoOn adds a table to a running task.
func TestGroups_ATableJoinsWhileWritesGoOn(t *testing.T) {
	p := newParted(t, "mysql97", func(f *task.File) { f.Objects[0].Tables = []string{"a", "c"} })
	p.start()
	p.storm(10, all...)
	p.apply(0)
	require.Empty(t, texted(t, p.dest, "b"))
	resolved := p.resolve()
	in := contract.PlanGroupIn{TaskRef: p.ref, Owner: p.owner(), Group: 1, Tables: []table.Name{p.name("b")}}
	resolved.Spec.Objects = append(slices.Clone(resolved.Spec.Objects), selection.Rule{Schema: p.source, To: p.to, Tables: []string{"b"}})
	p.destExec("INSERT INTO b VALUES (1, 1, 'somebody')")
	_, err := do(p.rig, p.PlanGroup, in)
	require.Error(t, err)
	require.Equal(t, fault.AddedNotEmpty.Code, errorDetail(t, err).Code)
	p.destExec("DELETE FROM b")
	in.Owner = p.owner()
	must(p.rig, p.PlanGroup, in)
	must(p.rig, p.DropGroup, contract.MergeIn{TaskRef: p.ref, Owner: p.owner(), Group: 1}) // taken back, then given again
	p.nothingOf(1)
	in.Owner, in.Group = p.owner(), 2
	must(p.rig, p.PlanGroup, in) // could not be taken back, and is given again
	p.recopy(3, false)
	p.nothingOf(2)
	p.merge(3)
	p.storm(10, all...)
	p.apply(0)
	p.equal(all...)
	p.withMetadata(func(s *checkpoint.Store) {
		groups, err := s.Groups(t.Context())
		require.NoError(t, err)
		require.Empty(t, groups)
	})
	require.Equal(t, 3, must(p.rig, p.StoreReport, contract.ReportIn{TaskRef: p.ref}).Tables)
}

// TestGroups_ATableThatThePlanLeftOutJoins: a wildcard selects it, the destination
// did not have it. What the plan has is refused.
func TestGroups_ATableThatThePlanLeftOutJoins(t *testing.T) {
	p := newParted(t, "mysql97")
	p.destExec("RENAME TABLE b TO b_later")
	p.start()
	p.storm(10, all...)
	p.apply(0)
	p.equal("a", "c")
	p.destExec("RENAME TABLE b_later TO b")
	resolved := p.resolve()
	resolved.Spec.Objects = append(selection.Selection{{Schema: p.source, To: p.to, Tables: []string{"a", "b"}}}, resolved.Spec.Objects...)
	_, err := do(p.rig, p.PlanGroup, contract.PlanGroupIn{TaskRef: p.ref, Owner: p.owner(), Group: 1, Tables: named(p.name("a"))})
	require.Error(t, err)
	require.Equal(t, fault.AlreadySelected.Code, errorDetail(t, err).Code)
	p.recopy(2, false)
	p.merge(2)
	p.storm(10, all...)
	p.apply(0)
	p.equal(all...)
}

// TestGroups_DropLeavesTheOthersRight: a dropped table is out for ever, whatever
// happens to it on the source.
func TestGroups_DropLeavesTheOthersRight(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.broken(1)
	before := texted(t, p.dest, "b")
	in := contract.MergeIn{TaskRef: p.ref, Owner: p.owner(), Group: 1}
	must(p.rig, p.DropGroup, in)
	must(p.rig, p.DropGroup, in)
	p.nothingOf(1)
	require.False(t, p.synced().IsZero(), "a dropped table counts no more")
	p.storm(20, all...)
	p.run("ALTER TABLE b ADD COLUMN more INT", "DROP TABLE b")
	p.storm(20, "a", "c")
	p.apply(0)
	p.equal("a", "c")
	require.Equal(t, before, texted(t, p.dest, "b"))
	require.Equal(t, "CONSISTENT", p.comparison())
	report := must(p.rig, p.StoreReport, contract.ReportIn{TaskRef: p.ref})
	require.Equal(t, 2, report.Tables)
	log := inspectAs[contract.LogsAnswer](p.rig, contract.InspectIn{Kind: contract.InspectLogs})
	require.True(t, slices.ContainsFunc(log.Lines, func(l contract.LogLine) bool { return strings.Contains(l.Message, "leaves out 1 tables") }))
}

// TestGroups_AStatementOfAParkedTable stops its group alone, and is passed there;
// group 0 takes the table only when it is past the statement itself.
func TestGroups_AStatementOfAParkedTable(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.apply(0)
	p.run("ALTER TABLE b MODIFY v VARCHAR(30)")
	_, err := do(p.rig, p.ApplyBinlog, p.applyIn(0))
	require.Error(t, err)
	info := errorDetail(t, err)
	require.Equal(t, fault.DDLStopped.Code, info.Code)
	require.Equal(t, p.name("b").String(), info.Table)
	p.park(1, "b")
	p.storm(10, all...)
	p.destExec("ALTER TABLE b MODIFY v VARCHAR(30)")
	in := p.applyIn(1)
	in.PassDDL = info.Position
	p.apply(0)
	require.True(t, must(p.rig, p.ApplyBinlog, in).Drained)
	p.merge(1)
	p.apply(0)
	p.equal(all...)
}

// TestGroups_TheOldestPositionIsNeeded: the purge watch looks from there.
func TestGroups_TheOldestPositionIsNeeded(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.broken(1)
	parked := must(p.rig, p.ParkTables, contract.ParkIn{TaskRef: p.ref, Owner: p.owner(), Group: 1}).Position
	p.storm(10, all...)
	p.apply(0)
	err := p.withStore(context.WithoutCancel(t.Context()), p.resolve(), func(_ *destination.Destination, s *checkpoint.Store) error {
		oldest, err := s.Oldest(t.Context())
		require.NoError(t, err)
		require.Equal(t, parked, oldest.Position)
		return nil
	})
	require.NoError(t, err)
}
