package compare

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

const twoColumns = "CREATE TABLE t (id INT PRIMARY KEY, v INT)"

func TestRun_RefusesAnUnknownType(t *testing.T) {
	_, err := Run(t.Context(), Config{Type: "colours"})
	require.ErrorIs(t, err, fault.ComparisonType)
}

func TestRows_CountsBothSides(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, twoColumns)
	p.both(t, "INSERT INTO t VALUES "+insertNumbers(50, strconv.Itoa))
	require.Equal(t, contract.CompareOut{Done: true, Result: checkpoint.ResultConsistent, Tables: 1}, p.compare(t, contract.CompareRows, "t"))
	p.onDestination(t, "DELETE FROM t WHERE id = 7")
	require.Equal(t, contract.CompareOut{Done: true, Result: checkpoint.ResultInconsistent, Tables: 1, Inconsistent: 1}, p.compare(t, contract.CompareRows, "t"))
	found := p.results.table(t, 0)
	require.EqualValues(t, 50, *found.SourceRows)
	require.EqualValues(t, 49, *found.DestinationRows)
	require.EqualValues(t, 1, found.Differences)
}

func TestValues_NamesEachKindOfDifference(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	for _, statement := range []string{
		"CREATE TABLE t (a VARCHAR(20) COLLATE utf8mb4_bin, b VARBINARY(9), v INT, PRIMARY KEY (a,b))",
		"INSERT INTO t VALUES ('it''s',0x00ff,1),('B','x',2),('b','',3),('ä','y',4)",
	} {
		p.both(t, statement)
	}
	p.onDestination(t, "UPDATE t SET v = 9 WHERE a = 'ä'")
	p.onDestination(t, "DELETE FROM t WHERE b = 0x00ff")
	p.onDestination(t, "INSERT INTO t VALUES ('new','',5)")
	p.compare(t, contract.CompareValues, "t")
	require.Equal(t, map[string]string{
		"`a` = 'it''s' AND `b` = 0x00ff": onlySource, "`a` = 'ä' AND `b` = 0x79": different, "`a` = 'new' AND `b` = ''": onlyDestination,
	}, p.results.kinds())
}

// Keys that are equal under the collation but not by bytes are a difference.
func TestValues_KeysCompareByBytes(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, "CREATE TABLE t (a VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY)")
	p.onSource(t, "INSERT INTO t VALUES ('a'),('b')")
	p.onDestination(t, "INSERT INTO t VALUES ('A'),('b')")
	p.compare(t, contract.CompareValues, "t")
	require.Equal(t, map[string]string{"`a` = 'a'": onlySource, "`a` = 'A'": onlyDestination}, p.results.kinds())
}

// Every chunk boundary is compared once: with rows missing or added on each of them.
func TestValues_ChunksCoverTheWholeTable(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, "CREATE TABLE t (a INT UNSIGNED, b VARCHAR(9) COLLATE utf8mb4_general_ci, v MEDIUMBLOB, PRIMARY KEY (a,b))")
	values := "INSERT INTO t VALUES "
	for i := range 400 {
		if i > 0 {
			values += ","
		}
		values += fmt.Sprintf("(%d,'k%d',REPEAT('x',100000))", i/20, i%20)
	}
	p.both(t, values)
	p.onSource(t, "ANALYZE TABLE t")
	source, err := p.Table(t.Context(), table.Name{Schema: p.sourceName, Table: "t"})
	require.NoError(t, err)
	require.Less(t, rowsPerChunk(source), 250, "the table must have several chunks")
	require.Equal(t, checkpoint.ResultConsistent, p.compare(t, contract.CompareValues, "t").Result)
	require.EqualValues(t, 400, *p.results.table(t, 0).DestinationRows)

	p.onDestination(t, "UPDATE t SET v = CONCAT(v,'y') WHERE b = 'k7'")
	p.onDestination(t, "INSERT INTO t VALUES (0,'',''),(4294967295,'z','')")
	p.onSource(t, "INSERT INTO t VALUES (4294967294,'z','')")
	p.compare(t, contract.CompareValues, "t")
	require.Len(t, p.results.kinds(), 23)
}

// A box that ends at once makes progress by a chunk a run, and the result is
// that of one run.
func TestRun_GoesOnAfterTheBox(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)")
	p.both(t, "CREATE TABLE u (id INT PRIMARY KEY)")
	for i := range 8 {
		p.both(t, fmt.Sprintf("INSERT INTO t VALUES (%d,REPEAT('x',7000000))", i))
	}
	p.onSource(t, "ANALYZE TABLE t")
	p.onDestination(t, "UPDATE t SET v = CONCAT(v,'y') WHERE id IN (0,7)")
	c := p.config(contract.CompareValues, "t", "u")
	c.Box = time.Nanosecond
	for runs := 1; ; runs++ {
		require.Less(t, runs, 20)
		c.Box = time.Nanosecond
		if runs%2 == 0 { // every other box is long enough for its start
			c.Box = 10 * time.Millisecond
		}
		out, err := Run(t.Context(), c)
		require.NoError(t, err)
		if !out.Done {
			require.Equal(t, checkpoint.ResultComparing, out.Result)
			continue
		}
		require.Greater(t, runs, 3)
		require.Equal(t, checkpoint.ResultInconsistent, out.Result)
		break
	}
	found := p.results.table(t, 0)
	require.EqualValues(t, 8, *found.SourceRows)
	require.EqualValues(t, 8, *found.DestinationRows)
	require.EqualValues(t, 2, found.Differences)
	require.Equal(t, map[string]string{"`id` = 0": different, "`id` = 7": different}, p.results.kinds())
}

func TestRun_StopsAtEnoughDifferences(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, twoColumns)
	p.onSource(t, "INSERT INTO t VALUES "+insertNumbers(enough+2500, strconv.Itoa))
	require.Equal(t, checkpoint.ResultInconsistent, p.compare(t, contract.CompareValues, "t").Result)
	require.Len(t, p.results.differences[0], keysKept)
	require.GreaterOrEqual(t, p.results.table(t, 0).Differences, int64(enough))
}

func TestRun_SaysWhyATableCannotBeCompared(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, twoColumns)
	p.onSource(t, "CREATE TABLE missing (id INT PRIMARY KEY)")
	p.both(t, "CREATE TABLE keyless (id INT)")
	p.onSource(t, "SET SESSION sql_generate_invisible_primary_key = OFF")
	out := p.compare(t, contract.CompareValues, "t", "missing", "keyless")
	require.Equal(t, checkpoint.ResultInconsistent, out.Result)
	require.Equal(t, 1, out.Inconsistent)
	require.Equal(t, []string{checkpoint.ResultConsistent, checkpoint.ResultMissing, checkpoint.ResultImpossible},
		[]string{p.results.table(t, 0).Result, p.results.table(t, 1).Result, p.results.table(t, 2).Result})
	require.Equal(t, checkpoint.ResultImpossible, p.compare(t, contract.CompareValues, "t", "keyless").Result, "never CONSISTENT when a table was not compared")
}

func TestObjects_ComparesDefinitions(t *testing.T) {
	p := newPair(t, "mysql97", "mysql57")
	p.both(t, "CREATE TABLE same (id INT UNSIGNED PRIMARY KEY, a VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, e ENUM('a','b') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, KEY a (a(5))) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	p.onSource(t, "CREATE TABLE other (id INT PRIMARY KEY, a DECIMAL(10,2), b INT, c INT NOT NULL, UNIQUE KEY u (a), KEY k (b)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	p.onDestination(t, "CREATE TABLE other (id INT PRIMARY KEY, a DECIMAL(10,3), c INT, d INT, KEY u (a), KEY extra (c)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
	p.onSource(t, "CREATE TABLE missing (id INT PRIMARY KEY)")
	out := p.compare(t, contract.CompareObjects, "same", "other", "missing")
	require.Equal(t, checkpoint.ResultInconsistent, out.Result)
	require.Equal(t, 2, out.Inconsistent)
	require.Equal(t, checkpoint.ResultConsistent, p.results.table(t, 0).Result)
	require.Equal(t, map[string]string{
		"table collation: source utf8mb4_bin, destination utf8mb4_general_ci": different,
		"column a: source decimal(10,2), destination decimal(10,3)":           different,
		"column c: source int not null, destination int":                      different,
		"column b": onlySource, "column d": onlyDestination, "index k": onlySource, "index extra": onlyDestination,
		"index u: source unique (a), destination (a)": different, "table": onlySource,
	}, p.results.kinds())
}

// Where a server is away, the run ends with its error and keeps its state.
func TestRun_ServerAwayIsAnErrorNotAResult(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, twoColumns)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, p.config(contract.CompareValues, "t"))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, checkpoint.ResultComparing, p.results.whole.Result)
}
