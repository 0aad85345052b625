package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

// plan puts one table into the plan, as PlanCopy does.
func (r *rig) plan() {
	r.t.Helper()
	r.exec("CREATE TABLE orders (id BIGINT PRIMARY KEY, v INT) ENGINE=InnoDB", "INSERT INTO orders VALUES (1, 1), (2, 2)",
		"CREATE TABLE `"+r.to+"`.orders LIKE orders", "INSERT INTO `"+r.to+"`.orders SELECT * FROM orders")
	r.withMetadata(func(s *checkpoint.Store) {
		src, err := openSource(r.t.Context(), r.resolve(), 1)
		require.NoError(r.t, err)
		defer src.Close()
		definition, err := src.Table(r.t.Context(), table.Name{Schema: r.source, Table: "orders"})
		require.NoError(r.t, err)
		require.NoError(r.t, s.PutTables(r.t.Context(), []checkpoint.Table{{
			No: 1, Source: definition.Name, Destination: table.Name{Schema: r.to, Table: "orders"}, Definition: definition, RowsEstimated: 2, Planned: true,
		}}))
	})
}

func (r *rig) resolve() *resolved {
	t, err := r.tasks.task(r.t.Context(), r.ref)
	require.NoError(r.t, err)
	return t
}

func (r *rig) withMetadata(f func(*checkpoint.Store)) {
	r.t.Helper()
	require.NoError(r.t, r.withStore(r.t.Context(), r.resolve(), func(_ *destination.Destination, s *checkpoint.Store) error {
		f(s)
		return nil
	}))
}

// applied puts a checkpoint of group 0 there.
func (r *rig) applied(p position.Position) {
	r.withMetadata(func(s *checkpoint.Store) {
		epoch, err := s.NewEpoch(r.t.Context())
		require.NoError(r.t, err)
		fence, err := s.Acquire(r.t.Context(), "apply/0", checkpoint.Token{Epoch: epoch, Box: 1, Attempt: 1}, []string{r.to}, false)
		require.NoError(r.t, err)
		require.NoError(r.t, s.Save(r.t.Context(), fence, checkpoint.Checkpoint{Position: p, Rows: 7, Transactions: 3}))
		require.NoError(r.t, fence.Release(r.t.Context()))
	})
}

func (r *rig) count(schema string) (n int) {
	r.t.Helper()
	require.NoError(r.t, r.server.DB(r.t, schema).QueryRowContext(r.t.Context(), "SELECT COUNT(*) FROM orders").Scan(&n))
	return n
}

func TestInspect_AnswersSealed(t *testing.T) {
	r := newRig(t)
	for _, side := range []task.Side{task.SourceSide, task.DestinationSide} {
		got := inspectAs[contract.TestAnswer](r, contract.InspectIn{Kind: contract.InspectTest, Side: string(side)})
		require.True(t, got.OK, got.Error)
		require.Equal(t, "mysql", got.Kind)
		require.NotEmpty(t, got.Version)
	}
	require.Empty(t, inspectAs[contract.TablesAnswer](r, contract.InspectIn{Kind: contract.InspectTables}).Tables)
	require.True(t, inspectAs[position.Position](r, contract.InspectIn{Kind: contract.InspectApplied}).IsZero())
	r.plan()
	tables := inspectAs[contract.TablesAnswer](r, contract.InspectIn{Kind: contract.InspectTables}).Tables
	require.Len(t, tables, 1)
	require.Equal(t, "orders", tables[0].Table)
	require.Equal(t, int64(2), tables[0].RowsEstimated)
	head := must(r, r.ReadHead, r.ref)
	r.applied(head.Position)
	require.Equal(t, head.Position, inspectAs[position.Position](r, contract.InspectIn{Kind: contract.InspectApplied}))
	require.Equal(t, "applying", inspectAs[contract.TablesAnswer](r, contract.InspectIn{Kind: contract.InspectTables}).Tables[0].State)

	r.withMetadata(func(s *checkpoint.Store) { require.NoError(t, s.AppendLog(t.Context(), "warn", "look here")) })
	require.Equal(t, "look here", inspectAs[contract.LogsAnswer](r, contract.InspectIn{Kind: contract.InspectLogs}).Lines[0].Message)
}

func TestInspect_AFailedConnectionIsAnAnswerWithoutNames(t *testing.T) {
	r := newRig(t)
	web, err := secret.NewKeyRing()
	require.NoError(t, err)
	in := contract.InspectIn{Kind: contract.InspectTest, Side: "source", RequestID: "q1", AnswerKey: web.Public()}
	sealed, err := r.ring.Public().SealJSON(contract.InspectUse("q1", "endpoint"), task.Endpoint{
		Host: r.server.Host, Port: r.server.Port, User: "canary-user", Password: "canary-password", TLS: task.TLS{Mode: "disabled"},
	})
	require.NoError(t, err)
	in.Endpoint = &sealed
	out := must(r, r.Inspect, in)
	var answer contract.TestAnswer
	require.NoError(t, web.OpenJSON(contract.InspectUse("q1", "answer"), out.Answer, &answer))
	require.False(t, answer.OK)
	require.Equal(t, fault.AccessDenied.Code, answer.Error.Code)
	require.NotContains(t, answer.Error.Message, "canary")
	require.NotContains(t, answer.Error.Remedy, "canary")
}

func TestReset_ClearsProgressAndTruncatesOnRequestOnly(t *testing.T) {
	r := newRig(t)
	r.plan()
	head := must(r, r.ReadHead, r.ref)
	r.applied(head.Position)
	must(r, r.StoreLimits, contract.LimitsIn{TaskRef: r.ref, Limits: task.Limits{MBPerSecond: 3}})
	var before int64
	r.withMetadata(func(s *checkpoint.Store) {
		var err error
		before, err = s.Epoch(t.Context())
		require.NoError(t, err)
		limits, ok, err := s.Limits(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, 3, limits.MBPerSecond)
	})
	must(r, r.ResetTask, contract.ResetIn{TaskRef: r.ref})
	require.Equal(t, 2, r.count(r.to))
	r.withMetadata(func(s *checkpoint.Store) {
		c, err := s.Load(t.Context(), 0)
		require.NoError(t, err)
		require.Nil(t, c)
		epoch, err := s.Epoch(t.Context())
		require.NoError(t, err)
		require.Greater(t, epoch, before, "older attempts stay out")
	})
	r.exec("DROP TABLE orders", "DROP TABLE `"+r.to+"`.orders")
	r.plan()
	must(r, r.ResetTask, contract.ResetIn{TaskRef: r.ref, Truncate: true})
	require.Zero(t, r.count(r.to))
	require.Equal(t, 2, r.count(r.source))
}

func TestReport_SaysWhetherTheSourceWasWrittenAfterTheStop(t *testing.T) {
	r := rigOn(t, testdb.Own(t, "mysql97"))
	r.plan()
	stop := must(r, r.ReadHead, r.ref)
	r.applied(stop.Position)
	in := contract.ReportIn{TaskRef: r.ref, StopPosition: &stop.Position, Head: &stop}
	got := must(r, r.StoreReport, in)
	require.Equal(t, 1, got.Tables)
	require.Equal(t, int64(7), got.RowsApplied)

	other := r.server.Schema(t) // other work of the server is nobody's loss
	r.exec("CREATE TABLE `"+other+"`.x (id INT PRIMARY KEY)", "INSERT INTO `"+other+"`.x VALUES (1)")
	require.Equal(t, "none", must(r, r.StoreReport, in).WritesAfterStop)
	r.exec("INSERT INTO orders VALUES (3, 3)")
	require.Equal(t, "some", must(r, r.StoreReport, in).WritesAfterStop)
	in.StopPosition = nil // incomplete: where the apply ended counts
	require.Equal(t, "some", must(r, r.StoreReport, in).WritesAfterStop)
	r.withMetadata(func(s *checkpoint.Store) {
		stored, err := s.Report(t.Context())
		require.NoError(t, err)
		require.Equal(t, "some", stored.WritesAfterStop)
	})
}

func TestCompare_FindsAChangedRowAndShowsIt(t *testing.T) {
	r := newRig(t, func(f *task.File) { f.Type = task.Full }) // nothing applies here that a comparison could wait for
	r.plan()
	in := contract.CompareIn{TaskRef: r.ref, ID: "c1", Type: contract.CompareValues, Box: time.Minute}
	out := must(r, r.CompareTables, in)
	require.True(t, out.Done)
	require.Equal(t, "CONSISTENT", out.Result)

	r.exec("UPDATE `" + r.to + "`.orders SET v = 9 WHERE id = 2")
	in.ID = "c2"
	out = must(r, r.CompareTables, in)
	require.Equal(t, "INCONSISTENT", out.Result)
	answer := inspectAs[contract.ComparisonAnswer](r, contract.InspectIn{Kind: contract.InspectDifferences, Comparison: "c2"})
	require.Equal(t, "INCONSISTENT", answer.Result)
	require.Len(t, answer.Differences, 1)
	require.Equal(t, "different", answer.Differences[0].Kind)
	require.Equal(t, "INCONSISTENT", inspectAs[contract.TablesAnswer](r, contract.InspectIn{Kind: contract.InspectTables}).Tables[0].Compare)

	in.ID, in.Tables = "c3", "nothing.*"
	_, err := do(r, r.CompareTables, in)
	require.ErrorContains(t, err, fault.InvalidField.Code)
}

func TestWatch_TellsProgressAndLostHistory(t *testing.T) {
	r := rigOn(t, testdb.Own(t, "mysql97"))
	r.plan()
	r.exec("SET GLOBAL binlog_expire_logs_seconds = 86400")
	planned := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	require.EqualValues(t, 86400, planned.RetentionSeconds, "for a task that can ask nobody later")
	head := must(r, r.ReadHead, r.ref)
	d, s, err := openStore(t.Context(), r.resolve(), 1)
	require.NoError(t, err)
	defer d.Close()
	src, err := openSource(t.Context(), r.resolve(), 1)
	require.NoError(t, err)
	defer src.Close()
	w := &watcher{t: r.resolve(), store: s, src: src, start: head.Position, began: time.Now()}
	beat, err := w.look(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, beat.Progress.Tables)
	require.GreaterOrEqual(t, beat.GapBytes, int64(0))
	require.Nil(t, beat.PurgeAt, "nothing that is needed can be purged")

	r.exec("INSERT INTO orders VALUES (3, 3)")
	w.looked = time.Time{} // it is time again
	beat, err = w.look(t.Context())
	require.NoError(t, err)
	require.Positive(t, beat.GapBytes)
	require.NotNil(t, beat.PurgeAt)

	// What the source keeps may change while the task runs, and on Amazon RDS a
	// setting of its own decides.
	again := func() contract.WatchBeat {
		w.looked = time.Time{}
		beat, err := w.look(t.Context())
		require.NoError(t, err)
		return beat
	}
	r.exec("SET GLOBAL binlog_expire_logs_seconds = 7200")
	require.WithinDuration(t, w.began.Add(2*time.Hour), *again().PurgeAt, time.Second)
	require.NotEmpty(t, again().Warnings)
	r.exec("SET GLOBAL binlog_expire_logs_auto_purge = OFF")
	require.Nil(t, again().PurgeAt)
	r.exec("CREATE TABLE mysql.rds_configuration (name VARCHAR(100), value VARCHAR(100), description VARCHAR(300))")
	r.exec("INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', '24', '')")
	require.WithinDuration(t, w.began.Add(24*time.Hour), *again().PurgeAt, time.Second)
	require.Empty(t, again().Warnings)
	r.exec("UPDATE mysql.rds_configuration SET value = NULL")
	require.Contains(t, again().Warnings[0], "at any time")
	require.WithinDuration(t, time.Now(), *w.lastLook(t.Context()).PurgeAt, time.Minute, "a task at rest needs everything from now on")

	// A position that this server never had: the address leads to another one.
	lost := "00000000-0000-0000-0000-00000000dead:1-5"
	w.start.GTID = &lost
	w.looked = time.Time{}
	_, err = w.look(t.Context())
	require.ErrorIs(t, err, fault.HistoryLost)
}

// TestWatch_FilesAlsoGoBySize: binlog_space_limit and max_binlog_total_size know no age.
func TestWatch_FilesAlsoGoBySize(t *testing.T) {
	w := &watcher{}
	for gap, warnings := range map[int64]int{-1: 0, 700 << 20: 0, 900 << 20: 1} {
		beat := contract.WatchBeat{At: time.Now(), GapBytes: gap}
		w.purgeRisk(&beat, source.Retention{Bytes: 1 << 30, BytesBy: "binlog_space_limit"}, time.Now())
		require.Len(t, beat.Warnings, warnings)
		require.Nil(t, beat.PurgeAt)
	}
}

func TestCleanUp_LeavesNothingOfOurs(t *testing.T) {
	r := newRig(t)
	r.plan()
	open := func() (*destination.Destination, *checkpoint.Store, error) { return existing(t.Context(), r.resolve()) }
	d, s, err := open()
	require.NoError(t, err)
	defer func() { _ = d.Close() }()
	err = r.stores.read(r.ref, open, func(kept *checkpoint.Store) error {
		require.NoError(t, s.PrepareFences(t.Context(), []string{r.to}))
		require.NoError(t, checkpoint.KeepSamples(t.Context(), d, r.to, r.ref.TaskID, "A", []checkpoint.Sample{{}}))
		there := r.metadataTables()
		require.Greater(t, len(there), 15)
		for _, name := range there { // what a deletion says when it cannot do this
			require.Contains(t, checkpoint.Remains(r.to, []string{r.to}), dialect.QuoteName(r.to, name))
		}
		_, err := kept.Progress(t.Context())
		return err
	})
	require.NoError(t, err)
	require.NoError(t, s.Drop(context.WithoutCancel(t.Context())))
	require.Empty(t, r.metadataTables())
	// What is kept open for pages sees that it is gone.
	err = r.stores.read(r.ref, open, func(kept *checkpoint.Store) error { _, err := kept.Progress(t.Context()); return err })
	require.ErrorIs(t, err, fault.NoMetadata)
	require.Equal(t, 2, r.count(r.to))
}

// metadataTables are the tables of ours in the destination's schema.
func (r *rig) metadataTables() (names []string) {
	r.t.Helper()
	found, err := r.server.DB(r.t, r.to).QueryContext(r.t.Context(),
		"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME LIKE 'shardlift%'", r.to)
	require.NoError(r.t, err)
	defer found.Close()
	for found.Next() {
		var name string
		require.NoError(r.t, found.Scan(&name))
		names = append(names, name)
	}
	require.NoError(r.t, found.Err())
	return names
}
