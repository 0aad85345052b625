package ddmsim_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
)

// fillNumbers makes a sharded table (with physical tables) and an unsharded one
// with the same 60 rows.
func fillNumbers(t *testing.T) (*simtest.Sim, func(q string) [][]string, func(q string) [][]string) {
	t.Helper()
	s := simtest.Start(t, 4)
	db := s.DB(t)
	columns := " (id BIGINT PRIMARY KEY, k INT, v DECIMAL(10,2), f DOUBLE, s VARCHAR(20) COLLATE utf8mb4_bin) "
	exec(t, db, "CREATE TABLE o"+columns+"DBPARTITION BY MOD_HASH(k) TBPARTITION BY MOD_HASH(id) TBPARTITIONS 3")
	exec(t, db, "CREATE TABLE u"+columns)
	exec(t, db, "CREATE TABLE g (k INT PRIMARY KEY, name VARCHAR(20)) BROADCAST")
	for i := range 60 {
		row := fmt.Sprintf("(%d, %d, %d.%02d, %d.5, 's%d')", i, i%11, i-30, i, i, i%7)
		if i%13 == 0 {
			row = fmt.Sprintf("(%d, %d, NULL, NULL, NULL)", i, i%11)
		}
		exec(t, db, "INSERT INTO o VALUES "+row)
		exec(t, db, "INSERT INTO u VALUES "+row)
	}
	for k := range 11 {
		exec(t, db, fmt.Sprintf("INSERT INTO g VALUES (%d, 'n%d')", k, k))
	}
	ask := func(table string) func(string) [][]string {
		return func(q string) [][]string { return rows(t, db, fmt.Sprintf(q, table)) }
	}
	return s, ask("o"), ask("u")
}

// TestQuery_ScatterEqualsOneServer: what the merge answers is what one server
// with all rows answers.
func TestQuery_ScatterEqualsOneServer(t *testing.T) {
	_, sharded, single := fillNumbers(t)
	for _, q := range []string{
		"SELECT * FROM %[1]s ORDER BY id",
		"SELECT s, v FROM %[1]s ORDER BY v DESC, id LIMIT 10",
		"SELECT id FROM %[1]s ORDER BY s, id LIMIT 20 OFFSET 15",
		"SELECT id x FROM %[1]s ORDER BY x DESC LIMIT 3, 4",
		"SELECT id, f FROM %[1]s ORDER BY 2, 1",
		"SELECT COUNT(*), COUNT(v), SUM(v), MIN(v), MAX(s), SUM(f), MAX(f) FROM %[1]s",
		"SELECT COUNT(*), BIT_XOR(CRC32(CONCAT_WS('#', id, s))), BIT_OR(id), BIT_AND(id) FROM %[1]s",
		"SELECT COALESCE(MAX(id), 0) + 1 AS following, COUNT(*) * 2 FROM %[1]s WHERE k < 5",
		"SELECT MAX(id), SUM(v) FROM %[1]s WHERE id > 1000",
		"SELECT s, COUNT(*) c, SUM(v) FROM %[1]s GROUP BY s ORDER BY s",
		"SELECT COUNT(*) c FROM %[1]s GROUP BY s ORDER BY c DESC, 1 LIMIT 2",
		"SELECT DISTINCT s FROM %[1]s ORDER BY s",
		"SELECT id FROM %[1]s WHERE k IN (3, 4) AND id IN (3, 14, 15) ORDER BY id",
		"SELECT id FROM %[1]s WHERE (k = 3 AND id = 14) OR (id = 25 AND k = 3) ORDER BY id",
		"SELECT id FROM %[1]s WHERE (k, id) IN ((3, 14), (4, 15), (9, 1)) ORDER BY id",
		"SELECT id FROM %[1]s WHERE id > 10 AND id <= 20 ORDER BY id",
		"SELECT a.id, g.name FROM %[1]s a JOIN g ON g.k = a.k WHERE a.id < 20 ORDER BY a.id",
		"SELECT %[1]s.id FROM %[1]s WHERE %[1]s.k = 3 ORDER BY %[1]s.id",
	} {
		require.Equal(t, single(q), sharded(q), q)
	}
}

// TestQuery_RewrittenTextKeepsLiterals: the physical tables' names are put in,
// and literals with every escape arrive as they were written.
func TestQuery_RewrittenTextKeepsLiterals(t *testing.T) {
	s, _, _ := fillNumbers(t)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE x (id BIGINT PRIMARY KEY, a VARCHAR(100), b VARBINARY(100), d DOUBLE, n DECIMAL(40,20), j JSON) DBPARTITION BY MOD_HASH(id) TBPARTITION BY MOD_HASH(id) TBPARTITIONS 2")
	exec(t, db, "CREATE TABLE y (id BIGINT PRIMARY KEY, a VARCHAR(100), b VARBINARY(100), d DOUBLE, n DECIMAL(40,20), j JSON)")
	set := ` SET a = 'ü💾 \' \\ \" \n\r\t\b\0\Z \% \_ ''doubled'' "', b = x'00ff27225c', d = 1.7976931348623157e308, n = -12345678901234567890.12345678901234567890, j = '{"a\\"b": [1, "\\u00fc"]}' WHERE id = 1`
	for _, table := range []string{"x", "y"} {
		exec(t, db, "INSERT INTO "+table+" (id) VALUES (1)")
		require.EqualValues(t, 1, exec(t, db, "UPDATE "+table+set))
	}
	require.Equal(t, rows(t, db, "SELECT *, HEX(a), HEX(b) FROM y"), rows(t, db, "SELECT *, HEX(a), HEX(b) FROM x"))
	require.EqualValues(t, 1, exec(t, db, "UPDATE "+s.Schema+".x SET x.d = 0x10 WHERE "+s.Schema+".x.id = 1 AND a LIKE 'ü%\\\\\\\\%'"))
	require.EqualValues(t, 1, exec(t, db, "DELETE FROM "+s.Schema+".x WHERE x.id = 1 AND b = 0x00ff27225c"))
}

// TestQuery_AffectedRows: upserts count 1 for a new row, 2 for a changed one and
// 0 for an unchanged one, summed over the shards.
func TestQuery_AffectedRows(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "INSERT INTO o VALUES (1,1),(2,2)")
	require.EqualValues(t, 1+2+0, exec(t, db, "INSERT INTO o VALUES (1,1),(2,3),(3,3) ON DUPLICATE KEY UPDATE v = VALUES(v)"))
	require.EqualValues(t, 4, exec(t, db, "REPLACE INTO o VALUES (1,5),(2,5)"))
	require.EqualValues(t, 1, exec(t, db, "INSERT IGNORE INTO o VALUES (1,9),(4,4)"))
	require.EqualValues(t, 1, exec(t, db, "INSERT INTO o (v, id) VALUES (2, 1) AS new ON DUPLICATE KEY UPDATE v = new.v")-1)
	require.EqualValues(t, 1, exec(t, db, "INSERT INTO o SET id = 9, v = 1"))
	refused(t, db, 1136, "Column count", "INSERT INTO o VALUES (1)")
	refused(t, db, 1136, "Column count", "INSERT INTO o VALUES (1,2,3)")
	refused(t, db, 1054, "Unknown column", "INSERT INTO o (id, nothing) VALUES (1,2)")
	refused(t, db, 1146, "doesn't exist", "INSERT INTO nothing VALUES (1)")
	refused(t, db, 1366, "", "INSERT INTO o VALUES (5,'x'),(6,2)")
	refused(t, db, 1064, "", "INSERT INTO o VALUES (1,2),(3")
	refused(t, db, 1064, "", "SELEC 1")
}

// Prepared branches that a killed simulator left behind are rolled back at the
// next start.
func TestTransaction_RecoversXA(t *testing.T) {
	node := testdb.Get(t, "mysql97")
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.XA = true }))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	conn, err := s.PhysicalDB(t, 1).Conn(t.Context())
	require.NoError(t, err)
	id := "'ddmsim." + s.Config.MetaDatabase + ".1.1','" + s.Physical(1) + "'"
	for _, q := range []string{"XA START " + id, "INSERT INTO o VALUES (1,1)", "XA END " + id, "XA PREPARE " + id} {
		exec(t, conn, q)
	}
	require.NoError(t, conn.Close())
	s.Restart(t)
	exec(t, db, "INSERT INTO o VALUES (1,2),(2,2)")
	for _, r := range rows(t, node.DB(t, ""), "XA RECOVER") {
		require.NotContains(t, r[3], s.Config.MetaDatabase)
	}
}

// The manual does not say how a negative key is reduced: either way the row is
// found again.
func TestQuery_NegativeKeys(t *testing.T) {
	for _, floor := range []bool{false, true} {
		s := simtest.Start(t, 4, simtest.With(func(c *simtest.SimConfig) { c.FloorModulo = floor }))
		db := s.DB(t)
		exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY) DBPARTITION BY MOD_HASH(id) TBPARTITION BY MOD_HASH(id) TBPARTITIONS 2")
		exec(t, db, "INSERT INTO o VALUES (-5), (?)", -13)
		s.Restart(t)
		require.Equal(t, [][]string{{"-13"}}, rows(t, db, "SELECT id FROM o WHERE id = -13"))
		require.EqualValues(t, 2, exec(t, db, "DELETE FROM o WHERE id IN (-5, ?)", -13))
	}
}
