package ddmsim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

func TestShow_LogicalNames(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE Orders (id BIGINT NOT NULL, k INT, at DATETIME(6), PRIMARY KEY (id), KEY x (k)) DBPARTITION BY RIGHT_SHIFT(id, 4) TBPARTITION BY WEEK(at) TBPARTITIONS 7")
	exec(t, db, "CREATE TABLE g (id BIGINT PRIMARY KEY) BROADCAST")
	exec(t, db, "CREATE TABLE u (id BIGINT PRIMARY KEY)")
	exec(t, db, "CREATE TABLE r (id INT, d DATE, PRIMARY KEY (id)) DBPARTITION BY RANGE(MONTH(d)) {1-6=0, default=1}")

	require.Equal(t, [][]string{
		{"Orders", "0", "id,4", "RIGHT_SHIFT", "2", "0", "", "at", "WEEK", "7", "0"},
		{"g", "1", "", "", "1", "", "", "", "", "1", ""},
		{"r", "0", "MONTH(d)", "RANGE", "2", "0", "1-6=0,default=1", "", "", "1", ""},
		{"u", "0", "", "", "1", "", "", "", "", "1", ""},
	}, rows(t, db, "SHOW RULE"))
	topology := rows(t, db, "SHOW TOPOLOGY FROM orders")
	require.Len(t, topology, 14)
	require.Equal(t, []string{s.Physical(1), "Orders_06"}, topology[13][3:5])
	require.Len(t, rows(t, db, "SHOW DATA NODE"), 2)
	require.Equal(t, [][]string{{"Orders"}, {"g"}, {"r"}, {"u"}}, rows(t, db, "SHOW TABLES"))
	require.Equal(t, [][]string{{"u", "BASE TABLE"}}, rows(t, db, "SHOW FULL TABLES FROM "+s.Schema+" LIKE 'u%'"))
	require.Contains(t, rows(t, db, "SHOW DATABASES"), []string{s.Schema})
	create := rows(t, db, "SHOW CREATE TABLE orders")
	require.Equal(t, "Orders", create[0][0])
	require.True(t, strings.HasPrefix(create[0][1], "CREATE TABLE `Orders` ("), create[0][1])
	require.Len(t, rows(t, db, "SHOW COLUMNS FROM orders"), 3)
	require.Len(t, rows(t, db, "SHOW FULL COLUMNS FROM orders FROM "+s.Schema+" LIKE 'i%'"), 1)
	require.Equal(t, "Orders", rows(t, db, "SHOW KEYS FROM orders FROM "+s.Schema)[1][0])
	require.Equal(t, "Orders", rows(t, db, "SHOW INDEX FROM orders")[0][0])
	require.Equal(t, "Orders", rows(t, db, "SHOW TABLE STATUS LIKE 'orders'")[0][0])
	require.Len(t, rows(t, db, "DESC g"), 1)
	require.Equal(t, [][]string{{"version", "5.7.25-ddmsim-3.1.0.7"}}, rows(t, db, "SHOW VARIABLES LIKE 'version'"))
	require.Equal(t, [][]string{{"5.7.25-ddmsim-3.1.0.7", s.Schema, "ddmuser@%"}}, rows(t, db, "SELECT version(), DATABASE(), USER()"))
	require.Contains(t, rows(t, db, "SELECT @@version_comment")[0][0], "stand-in")
	require.Contains(t, rows(t, db, "SHOW GRANTS"), []string{"GRANT ALL PRIVILEGES ON " + s.Schema + ".* TO 'ddmuser'"})
	require.Equal(t, [][]string{{s.Schema, "RUNNING"}}, rows(t, db, "show db status"))
	refused(t, db, 1146, "doesn't exist", "SHOW CREATE TABLE nothing")
	refused(t, db, 1049, "Unknown database", "USE nothing")
}

// D-40: simple queries on information_schema know the logical names.
func TestShow_InformationSchema(t *testing.T) {
	s := simtest.Start(t, 2, simtest.On("mysql97", "mysql57"))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT NOT NULL, k INT, PRIMARY KEY (id), UNIQUE KEY x (k, id)) DBPARTITION BY MOD_HASH(k) TBPARTITION BY MOD_HASH(k) TBPARTITIONS 3")
	exec(t, db, "CREATE TABLE u (id BIGINT AUTO_INCREMENT PRIMARY KEY, v TEXT)")
	require.Equal(t, [][]string{{s.Schema}}, rows(t, db, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"))
	require.Equal(t, [][]string{{s.Schema, "o", "InnoDB"}, {s.Schema, "u", "InnoDB"}},
		rows(t, db, "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.ENGINE FROM information_schema.tables t WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME IN ('o', 'u', 'o_01')", s.Schema))
	require.Equal(t, [][]string{{"id", "PRI"}, {"k", "MUL"}}, rows(t, db, "SELECT COLUMN_NAME, COLUMN_KEY FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='"+s.Schema+"' AND TABLE_NAME LIKE 'o' AND ORDINAL_POSITION < 9"))
	require.ElementsMatch(t, [][]string{{s.Schema, "o", "PRIMARY", "id"}, {s.Schema, "o", "x", "k"}, {s.Schema, "o", "x", "id"}},
		rows(t, db, "SELECT INDEX_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA='"+s.Schema+"' AND TABLE_NAME='o'"))
	require.Len(t, rows(t, db, "SELECT * FROM information_schema.TABLES WHERE TABLE_SCHEMA='"+s.Schema+"'"), 2)
	require.Empty(t, rows(t, db, "SELECT * FROM information_schema.TABLES WHERE TABLE_SCHEMA='"+s.Physical(0)+"'"))
}

func TestShow_CheckTable(t *testing.T) {
	s := simtest.Start(t, 3)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE g (id BIGINT PRIMARY KEY, v INT) BROADCAST")
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY) DBPARTITION BY MOD_HASH(id)")
	exec(t, s.PhysicalDB(t, 2), "ALTER TABLE g ADD COLUMN w INT")
	require.Equal(t, [][]string{
		{s.Schema, "g", "BROADCAST", "N", "3", "1", s.Physical(2) + ".g"},
		{s.Schema, "o", "SHARDING", "Y", "3", "0", ""},
	}, rows(t, db, "CHECK TABLE"))
	require.Len(t, rows(t, db, "CHECK TABLE o"), 1)
}

func TestShow_DefinitionsChangeEverywhere(t *testing.T) {
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.CreateDatabase = true }))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE IF NOT EXISTS o (id BIGINT PRIMARY KEY) DBPARTITION BY MOD_HASH(id) TBPARTITION BY HASH(id) TBPARTITIONS 2")
	exec(t, db, "CREATE TABLE IF NOT EXISTS o (id BIGINT PRIMARY KEY)")
	refused(t, db, 1050, "already exists", "CREATE TABLE o (id INT)")
	exec(t, db, "ALTER TABLE o ADD COLUMN v VARBINARY(9), ADD KEY (v)")
	exec(t, db, "INSERT INTO o VALUES (1, x'41'), (2, x'42')")
	refused(t, db, 1105, "D-16", "INSERT INTO o VALUES (3, 'x')") // the new column is known
	exec(t, db, "CREATE UNIQUE INDEX w ON o (v, id)")
	exec(t, db, "DROP INDEX w ON o")
	exec(t, db, "TRUNCATE o")
	require.Equal(t, [][]string{{"0"}}, rows(t, db, "SELECT COUNT(*) FROM o"))
	exec(t, db, "DROP TABLE o")
	exec(t, db, "DROP TABLE IF EXISTS o")
	refused(t, db, 1051, "Unknown table", "DROP TABLE o")
	require.Empty(t, onShard(t, s, 1, "SHOW TABLES"))
	refused(t, db, 1064, "", "CREATE TABLE bad (id BIGINT PRIMARY KEY) DBPARTITION BY MOD_HASH(id) nonsense")
	refused(t, db, 1101, "default value", "CREATE TABLE bad (id BIGINT PRIMARY KEY, v BLOB DEFAULT 'x') DBPARTITION BY MOD_HASH(id)")
	require.Empty(t, onShard(t, s, 0, "SHOW TABLES"))

	name := s.Schema + "x"
	exec(t, db, "CREATE DATABASE "+name)
	exec(t, db, "CREATE DATABASE IF NOT EXISTS "+name)
	require.Contains(t, rows(t, db, "SHOW DATABASES"), []string{name})
	exec(t, db, "DROP DATABASE "+name)
	require.NotContains(t, rows(t, db, "SHOW DATABASES"), []string{name})
}
