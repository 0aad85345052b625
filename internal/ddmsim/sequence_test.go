package ddmsim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

func TestSequence_FillsShardedAndBroadcast(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, k BIGINT) DBPARTITION BY MOD_HASH(k)")
	exec(t, db, "CREATE TABLE b (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_INCREMENT=100 BROADCAST")
	exec(t, db, "CREATE TABLE own (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "CREATE TABLE u (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)")

	r, err := db.Exec("INSERT INTO o (k) VALUES (10), (11), (12)")
	require.NoError(t, err)
	id, err := r.LastInsertId()
	require.NoError(t, err)
	require.EqualValues(t, 1, id)
	exec(t, db, "INSERT INTO o (id, k) VALUES (NULL, 1), (0, 2), (DEFAULT, 3), (500, 4)")
	require.Equal(t, [][]string{{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}, {"500"}}, rows(t, db, "SELECT id FROM o ORDER BY id"))
	exec(t, db, "SET sql_mode='NO_AUTO_VALUE_ON_ZERO'; ")

	exec(t, db, "INSERT INTO b (v) VALUES (1)")
	exec(t, db, "INSERT INTO b () VALUES ()")
	for shard := range 4 {
		require.Equal(t, [][]string{{"100", "1"}, {"101", "NULL"}}, onShard(t, s, shard, "SELECT * FROM b ORDER BY id"))
	}
	exec(t, db, "INSERT INTO own (v) VALUES (7), (8)")
	require.Equal(t, [][]string{{"1", "7"}}, onShard(t, s, 1, "SELECT * FROM own"), "a drawn id routes its row")
	exec(t, db, "INSERT INTO own VALUES (?, ?)", nil, 9)
	require.Equal(t, [][]string{{"3", "9"}}, rows(t, db, "SELECT * FROM own WHERE id = 3"))
	exec(t, db, "INSERT INTO u (v) VALUES (1)")
	exec(t, db, "INSERT INTO u (id, v) VALUES (50, 1)")
	exec(t, db, "INSERT INTO u (v) VALUES (1)")
	require.Equal(t, [][]string{{"51"}}, rows(t, db, "SELECT MAX(id) FROM u"), "unsharded tables count on their node")
}

// NO_AUTO_VALUE_ON_ZERO keeps a zero id.
func TestSequence_ZeroIsKeptOnRequest(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t, "sql_mode='NO_AUTO_VALUE_ON_ZERO'")
	exec(t, db, "CREATE TABLE o (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "INSERT INTO o VALUES (0, 1)")
	require.Equal(t, [][]string{{"0", "1"}}, onShard(t, s, 0, "SELECT * FROM o"))
}

// S-02, S-01: START WITH sets one sequence, fresh moves all past the largest id.
func TestSequence_AlterAndFresh(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "CREATE TABLE b (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) BROADCAST")
	exec(t, db, "INSERT INTO o VALUES (1, 1), (2000, 2)")
	refused(t, db, 1062, "Duplicate entry", "INSERT INTO o (v) VALUES (3)") // explicit ids do not move the sequence
	exec(t, db, "ALTER SEQUENCE "+s.Schema+".o START WITH 3000")
	exec(t, db, "INSERT INTO o (v) VALUES (3)")
	require.Equal(t, [][]string{{"3000"}}, rows(t, db, "SELECT MAX(id) FROM o"))
	exec(t, db, "ALTER SEQUENCE O CACHE 5")
	require.Equal(t, [][]string{{"b", "1", "1000", "0.00%"}, {"o", "3001", "5", "0.00%"}}, rows(t, db, "SHOW SEQUENCES"))

	exec(t, db, "INSERT INTO o VALUES (70000, 1)")
	exec(t, db, "INSERT INTO b VALUES (42, 1)")
	exec(t, db, "fresh all sequence start value")
	exec(t, db, "INSERT INTO o (v) VALUES (3)")
	exec(t, db, "INSERT INTO b (v) VALUES (3)")
	require.Equal(t, [][]string{{"70001"}}, rows(t, db, "SELECT MAX(id) FROM o"))
	require.Equal(t, [][]string{{"43"}}, rows(t, db, "SELECT MAX(id) FROM b"))
	refused(t, db, 1105, "S-03", "ALTER SEQUENCE nothing START WITH 3")
	refused(t, db, 1105, "S-03", "DROP SEQUENCE o")
	exec(t, db, "DROP TABLE o")
	require.Equal(t, [][]string{{"b"}}, func() (out [][]string) {
		for _, r := range rows(t, db, "SHOW SEQUENCES") {
			out = append(out, r[:1])
		}
		return out
	}())
}

func TestSequence_ExplicitIDMovesWhenConfigured(t *testing.T) {
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.ExplicitIDMovesSequence = true }))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "INSERT INTO o VALUES (100, 1)")
	exec(t, db, "REPLACE INTO o VALUES (200, 1)")
	exec(t, db, "INSERT INTO o (v) VALUES (1)")
	require.Equal(t, [][]string{{"100"}, {"101"}, {"200"}}, rows(t, db, "SELECT id FROM o ORDER BY id"))
}

func TestSequence_FreeOnesAndRestart(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE SEQUENCE q START WITH 10")
	require.Equal(t, [][]string{{"0"}}, rows(t, db, "SELECT q.currval"))
	require.Equal(t, [][]string{{"10"}}, rows(t, db, "SELECT q.nextval"))
	require.Equal(t, [][]string{{"11"}, {"12"}}, rows(t, db, "SELECT "+s.Schema+".q.nextval(2)"))
	require.Equal(t, [][]string{{"12"}}, rows(t, db, "SELECT q.currval"))
	exec(t, db, "CREATE TABLE o (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id) TBPARTITION BY MOD_HASH(id) TBPARTITIONS 2")
	exec(t, db, "INSERT INTO o (v) VALUES (1), (2)")
	s.Restart(t)
	exec(t, db, "INSERT INTO o (v) VALUES (3)")
	require.Equal(t, [][]string{{"1"}, {"2"}, {"1001"}}, rows(t, db, "SELECT id FROM o ORDER BY id"), "what was cached is lost, nothing comes twice")
	require.Equal(t, [][]string{{"1010"}}, rows(t, db, "SELECT q.nextval"))
	exec(t, db, "DROP SEQUENCE q")
}
