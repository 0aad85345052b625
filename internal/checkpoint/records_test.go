package checkpoint

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

func TestLimits_AreReadBack(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	_, ok, err := s.Limits(t.Context())
	require.NoError(t, err)
	require.False(t, ok)
	for _, want := range []task.Limits{{MBPerSecond: 5, RowsPerSecond: 7}, {MBPerSecond: 5, RowsPerSecond: 7}, {
		MBPerSecond: 9999, TimeZone: "Europe/Berlin", Apply: true, Load: task.LoadLimits{HistoryList: 3},
		Windows: []task.LimitWindow{{From: "22:00", To: "06:00", RowsPerSecond: 9}},
	}, {}} {
		require.NoError(t, s.SetLimits(t.Context(), want))
		got, ok, err := s.Limits(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
}

func TestLog_IsBoundedAndPaged(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	other := p.store(t, "t2")
	require.NoError(t, other.AppendLog(t.Context(), "info", "somebody else's"))
	// Fill up by hand, then append until the next cleanup is due.
	var rows []string
	for i := range logLines + 300 {
		rows = append(rows, fmt.Sprintf("('t1', %d, 'info', 'filler', 1)", i))
	}
	for _, statement := range batches("INSERT INTO shardlift_log (task, at, level, message, counter) VALUES ", rows) {
		p.exec(t, statement)
	}
	for i := range logCleanup + 1 {
		require.NoError(t, s.AppendLog(t.Context(), "warn", fmt.Sprintf("line %d: 'quoted' \\ é %s", i, strings.Repeat("x", 3000))))
	}
	require.LessOrEqual(t, p.count(t, "SELECT COUNT(*) FROM shardlift_log WHERE task = 't1'"), int64(logLines+logCleanup))
	require.EqualValues(t, 1, p.count(t, "SELECT COUNT(*) FROM shardlift_log WHERE task = 't2'"))

	var got []contract.LogLine
	after := int64(0)
	for {
		lines, next, err := s.Logs(t.Context(), after, 100, "warn")
		require.NoError(t, err)
		got = append(got, lines...)
		if next == nil {
			break
		}
		after = *next
	}
	require.Len(t, got, logCleanup+1)
	require.True(t, strings.HasPrefix(got[3].Message, "line 3: 'quoted' \\ é x"))
	require.LessOrEqual(t, len(got[3].Message), logBytes)
	require.WithinDuration(t, time.Now(), got[3].At, time.Minute)
}

func TestReport_IsReadBack(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	none, err := s.Report(t.Context())
	require.NoError(t, err)
	require.Nil(t, none)
	want := contract.Report{Forced: true, Tables: 3, Warnings: []string{"it's \\ fine"}, At: time.Now().UTC().Round(0)}
	for range 2 {
		want.Tables++
		require.NoError(t, s.PutReport(t.Context(), want))
		got, err := s.Report(t.Context())
		require.NoError(t, err)
		require.Equal(t, &want, got)
	}
}

func TestDefinitions_KeepTheirOrderAndRepeatNothing(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	definition := planOf(1)[0].Definition
	want := []Definition{
		{Name: definition.Name, From: at(4), Table: definition},
		{Name: table.Name{Schema: "shop", Table: "other"}, From: at(4), Table: definition},
		{Name: definition.Name, From: at(900)}, // dropped there
		{Name: definition.Name, Group: 1, From: at(900), Table: definition},
	}
	for range 2 {
		for _, d := range want {
			require.NoError(t, s.AddDefinition(t.Context(), d))
		}
	}
	got, err := s.Definitions(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestDivergences_CountRepeats(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	name := table.Name{Schema: "shop", Table: "a"}
	for range 3 {
		require.NoError(t, s.AddDivergence(t.Context(), 0, name, 1<<63+1, "missing"))
	}
	require.NoError(t, s.AddDivergence(t.Context(), 0, name, 1<<63+1, "changed"))
	got, err := s.Divergences(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, got, 2)
	counts := map[string]int64{}
	for _, d := range got {
		require.Equal(t, name, d.Table)
		require.Equal(t, uint64(1<<63+1), d.KeyHash)
		counts[d.Kind] = d.Count
	}
	require.Equal(t, map[string]int64{"missing": 3, "changed": 1}, counts)
}

func TestComparison_IsAnsweredInPages(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	none, err := s.Answer(t.Context(), "c1", "", 10)
	require.NoError(t, err)
	require.Nil(t, none)

	begin := time.Now().UTC().Round(0)
	require.NoError(t, s.PutComparison(t.Context(), Comparison{ID: "c1", Type: "rows", Result: ResultConsistent, StartedAt: &begin}))
	require.NoError(t, s.PutComparison(t.Context(), Comparison{ID: "c2", Type: "values", Result: ResultComparing, StartedAt: &begin}))
	last, err := s.LastComparison(t.Context())
	require.NoError(t, err)
	require.Equal(t, "c2", last.ID)

	n := int64(5)
	one := Compared{No: 1, ComparedTable: contract.ComparedTable{Schema: "shop", Table: "a", SourceRows: &n, Result: ResultComparing}, Cursor: []byte(`{"after":3}`)}
	two := Compared{No: 2, ComparedTable: contract.ComparedTable{Schema: "shop", Table: "b", SourceRows: &n, DestinationRows: &n, Result: ResultConsistent}, Done: true}
	require.NoError(t, s.PutCompared(t.Context(), "c2", two))
	require.NoError(t, s.PutCompared(t.Context(), "c2", one))
	got, err := s.Compared(t.Context(), "c2", -1, 10)
	require.NoError(t, err)
	require.Equal(t, []Compared{one, two}, got)
	one.Result, one.Done, one.Cursor, one.Differences = ResultInconsistent, true, nil, 3
	require.NoError(t, s.PutCompared(t.Context(), "c2", one))
	counts, err := s.CountCompared(t.Context(), "c2", true)
	require.NoError(t, err)
	require.Equal(t, map[string]int{ResultInconsistent: 1, ResultConsistent: 1}, counts)

	var want []contract.Difference
	for i := range 5 {
		want = append(want, contract.Difference{Table: table.Name{Schema: "shop", Table: "a"}, Key: fmt.Sprintf("id=%d", i), Kind: "different"})
	}
	for range 2 {
		require.NoError(t, s.PutDifferences(t.Context(), "c2", 1, want))
	}
	require.NoError(t, s.PutDifferences(t.Context(), "c1", 1, want[:1]))
	var rows []contract.Difference
	after := ""
	for {
		a, err := s.Answer(t.Context(), "c2", after, 2)
		require.NoError(t, err)
		if after == "" {
			require.Equal(t, []contract.ComparedTable{one.ComparedTable, two.ComparedTable}, a.Tables)
		}
		rows = append(rows, a.Differences...)
		if a.Next == nil {
			break
		}
		after = *a.Next
	}
	require.Equal(t, want, rows)
}

func TestDrop_RemovesEverythingOfTheTaskAndNothingElse(t *testing.T) {
	p := newPlace(t, "mysql97")
	p.exec(t, "CREATE TABLE shardlift_mine (id INT)") // a user's, whatever its name
	one, two := p.store(t, "ends"), p.store(t, "stays")
	for _, s := range []*Store{one, two} {
		require.NoError(t, s.PutTables(t.Context(), planOf(2)))
		require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 2)))
		f := acquire(t, s, p, "apply/0", Token{1, 1, 1})
		require.NoError(t, s.Save(t.Context(), f, Checkpoint{Position: at(1)}))
		require.NoError(t, s.AppendLog(t.Context(), "info", "x"))
	}
	require.NoError(t, one.Drop(t.Context()))
	for _, name := range append(ofTask(), tableTask, tableFence) {
		require.Zero(t, p.count(t, "SELECT COUNT(*) FROM "+prefix+name+" WHERE task = 'ends'"), name)
	}
	left, err := two.Unfinished(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, left)
	require.EqualValues(t, 1, p.count(t, "SELECT COUNT(*) FROM shardlift_fence WHERE task = 'stays'"))

	require.NoError(t, two.Drop(t.Context()))
	require.NoError(t, two.Drop(t.Context()), "again")
	require.EqualValues(t, 1, p.count(t, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"))
	_, ok, err := Existing(t.Context(), p.d, p.schema, "stays")
	require.NoError(t, err)
	require.False(t, ok)
	p.store(t, "anew") // and it can begin anew
}

// TestDrop_LeavesWhatAnotherTaskIsAboutToUse: a task that has prepared its fence
// and marks and not written them yet keeps them when another one is deleted.
func TestDrop_LeavesWhatAnotherTaskIsAboutToUse(t *testing.T) {
	mine := newPlace(t, "mysql97")
	other := mine
	server := testdb.Get(t, "mysql97")
	other.schema = server.Schema(t)
	other.db = server.DB(t, other.schema)
	begins := other.store(t, "begins")
	require.NoError(t, begins.PrepareFences(t.Context(), []string{other.schema}))

	ends := mine.store(t, "left")
	require.NoError(t, ends.PutTables(t.Context(), planOf(1)))
	acquire(t, ends, mine, "apply/0", Token{1, 1, 1})
	require.NoError(t, ends.Drop(t.Context()))
	for _, name := range []string{tableFence, tableMark} {
		require.Zero(t, other.count(t, "SELECT COUNT(*) FROM "+prefix+name))
	}
}

func TestReset_KeepsWhatShutsOlderAttemptsOut(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	epoch, err := s.NewEpoch(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.PutTables(t.Context(), planOf(1)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 2)))
	old := acquire(t, s, p, "apply/0", Token{epoch, 1, 1})
	require.NoError(t, s.Save(t.Context(), old, Checkpoint{Position: at(1000)}))

	require.NoError(t, s.Reset(t.Context()))
	epoch, err = s.NewEpoch(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, epoch)
	c, err := s.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Nil(t, c)
	tables, err := s.Tables(t.Context())
	require.NoError(t, err)
	require.Empty(t, tables)
	require.ErrorIs(t, s.Save(t.Context(), old, Checkpoint{Position: at(1001)}), fault.Fenced, "its row is gone")
	delete(old.saved, 0)
	require.NoError(t, s.Save(t.Context(), old, Checkpoint{Position: at(1001)}), "nobody has shut it out yet")
	next := acquire(t, s, p, "apply/0", Token{epoch, 1, 1})
	c, err = s.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Nil(t, c, "what an older epoch saves after the reset counts for nothing")
	require.NoError(t, s.Save(t.Context(), next, Checkpoint{Position: at(4)}), "a new history begins")
	p.exec(t, "CREATE TABLE IF NOT EXISTS data (id INT PRIMARY KEY, v INT)")
	requireFenced(t, p, s, old)
}

func reportOf(tables int) contract.Report { return contract.Report{Tables: tables} }
