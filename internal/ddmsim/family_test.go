package ddmsim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

// The surprises of DDM's relatives (shared/reference/dble.md).

// D-35: primary and unique keys hold within a physical table only.
func TestFamily_KeysAreUniquePerPhysicalTable(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, k BIGINT, email VARCHAR(40) UNIQUE, n INT) DBPARTITION BY MOD_HASH(k)")
	exec(t, db, "INSERT INTO o VALUES (1, 1, 'a', 0)")
	exec(t, db, "INSERT INTO o VALUES (1, 2, 'a', 0)")
	require.EqualValues(t, 1, exec(t, db, "REPLACE INTO o VALUES (1, 3, 'a', 0)"), "no old row on that shard")
	require.Equal(t, [][]string{{"3"}}, rows(t, db, "SELECT COUNT(*) FROM o"))
	require.EqualValues(t, 2, exec(t, db, "REPLACE INTO o VALUES (1, 3, 'a', 5)"))
	refused(t, db, 1062, "Duplicate entry", "INSERT INTO o VALUES (1, 5, 'b', 0)")

	require.EqualValues(t, 3, exec(t, db, "UPDATE o SET n = 9 WHERE id = 1"), "every copy is changed")
	require.EqualValues(t, 1, exec(t, db, "UPDATE o SET n = 8 WHERE id = 1 AND k = 2"))
}

// D-31: NULL goes to shard 0 and table 0.
func TestFamily_NullKeyGoesToShardZero(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, k BIGINT) DBPARTITION BY MOD_HASH(k) TBPARTITION BY MOD_HASH(k) TBPARTITIONS 2")
	exec(t, db, "INSERT INTO o VALUES (1, NULL), (2, 3)")
	require.Equal(t, [][]string{{"1", "NULL"}}, onShard(t, s, 0, "SELECT * FROM o_00"))
	require.Equal(t, [][]string{{"1"}}, rows(t, db, "SELECT id FROM o WHERE k IS NULL"))
}

// D-39: date-time sharding keys lose their fraction, other columns keep it.
func TestFamily_FractionOfShardKeyIsDropped(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, at DATETIME(6), other DATETIME(6)) DBPARTITION BY YYYYMM(at)")
	exec(t, db, "INSERT INTO o VALUES (1, '2012-11-20 01:02:03.999999', '2012-11-20 01:02:03.999999')")
	exec(t, db, "INSERT INTO o VALUES (2, ?, ?)", "2012-11-20 01:02:03.999999", "2012-11-20 01:02:03.999999")
	want := [][]string{{"1", "2012-11-20 01:02:03.000000", "2012-11-20 01:02:03.999999"}, {"2", "2012-11-20 01:02:03.000000", "2012-11-20 01:02:03.999999"}}
	require.Equal(t, want, rows(t, db, "SELECT * FROM o ORDER BY id"))
	require.Equal(t, want, onShard(t, s, (2012*12+11)%4, "SELECT * FROM o ORDER BY id"))
}

// The client's CLIENT_FOUND_ROWS flag is ignored: the proxy's setting decides.
func TestFamily_FoundRowsIsTheProxysChoice(t *testing.T) {
	for _, found := range []bool{false, true} {
		s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.FoundRows = found }))
		for _, flag := range []string{"clientFoundRows=true", "clientFoundRows=false"} {
			db := s.DB(t, flag)
			exec(t, db, "CREATE TABLE IF NOT EXISTS o (id BIGINT PRIMARY KEY, n INT) DBPARTITION BY MOD_HASH(id)")
			exec(t, db, "REPLACE INTO o VALUES (1, 1)")
			want := int64(0)
			if found {
				want = 1
			}
			require.Equal(t, want, exec(t, db, "UPDATE o SET n = 1 WHERE id = 1"), "%s, proxy %v", flag, found)
		}
	}
}

// Text merged over shards is ordered by bytes though each shard orders by
// collation: a keyset read over the middleware can skip rows.
func TestFamily_MergeOrdersTextByBytes(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (name VARCHAR(20) COLLATE utf8mb4_unicode_ci PRIMARY KEY, k INT) DBPARTITION BY MOD_HASH(k)")
	exec(t, db, "INSERT INTO o VALUES ('a',0),('B',1),('c',2),('ä',3),('Z',3)")
	require.Equal(t, [][]string{{"B"}, {"a"}, {"c"}, {"ä"}, {"Z"}}, rows(t, db, "SELECT name FROM o ORDER BY name"))
}

func TestFamily_BroadcastCountsOnce(t *testing.T) {
	s := simtest.Start(t, 3)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE g (id BIGINT PRIMARY KEY, n INT) BROADCAST")
	require.EqualValues(t, 2, exec(t, db, "INSERT INTO g VALUES (1,1),(2,2)"))
	require.EqualValues(t, 2, exec(t, db, "UPDATE g SET n = 7"))
	require.EqualValues(t, 2, exec(t, db, "INSERT INTO g VALUES (1,8) ON DUPLICATE KEY UPDATE n=VALUES(n)"))
	require.EqualValues(t, 1, exec(t, db, "DELETE FROM g WHERE id = 2"))
	for shard := range 3 {
		require.Equal(t, [][]string{{"1", "8"}}, onShard(t, s, shard, "SELECT * FROM g"))
	}
	require.Equal(t, [][]string{{"1"}}, rows(t, db, "SELECT COUNT(*) FROM g"))
}
