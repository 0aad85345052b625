package ddmsim_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

// ruleTables are the tables that the refusals below name.
func ruleTables(t *testing.T) (*simtest.Sim, *sql.DB) {
	t.Helper()
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, k BIGINT, n INT, b VARBINARY(20), bl BLOB, d DATETIME(3), j JSON) DBPARTITION BY MOD_HASH(k)")
	exec(t, db, "CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "CREATE TABLE g (id BIGINT PRIMARY KEY, j JSON) BROADCAST")
	exec(t, db, "CREATE TABLE u (id BIGINT AUTO_INCREMENT PRIMARY KEY, j JSON, b BLOB)")
	return s, db
}

// TestRules_Refused: each statement is refused and the text names the rule.
func TestRules_Refused(t *testing.T) {
	s, db := ruleTables(t)
	factors := strings.Repeat("1,", 1000) + "1"
	ors := strings.Repeat("(id=1 AND k=2) OR ", 500) + "id=3"
	for _, c := range []struct{ rule, sql string }{
		{"D-10", "SELECT 1 -- comment"},
		{"D-10", "SELECT /* comment */ 1"},
		{"D-10", "SELECT 1 # comment"},
		{"D-12", "SELECT * FROM o WHERE id IN (" + factors + ")"},
		{"D-12", "DELETE FROM o WHERE " + ors},
		{"D-14", "SET @a = 1"},
		{"D-14", "SELECT @a"},
		{"D-14", "SELECT @a := 1"},
		{"D-14", "SET GLOBAL max_connections = 5"},
		{"D-14", "SET @@global.max_connections = 5"},
		{"D-14", "SET SESSION sql_log_bin = 0"},
		{"D-15", "PREPARE s FROM 'SELECT 1'"},
		{"D-15", "EXECUTE s"},
		{"D-16", "INSERT INTO o (id, k, b) VALUES (1, 1, 'x')"},
		{"D-16", "INSERT INTO o (id, k, bl) VALUES (1, 1, _binary'x')"},
		{"D-16", "INSERT INTO u (b) VALUES ('x')"},
		{"D-16", "UPDATE o SET b = 'x' WHERE id = 1"},
		{"D-16", "INSERT INTO o (id, k) VALUES (1, 1) ON DUPLICATE KEY UPDATE b = 'x'"},
		{"D-16", "SELECT * FROM o WHERE b = 'x'"},
		{"D-16", "DELETE FROM o WHERE b IN ('x')"},
		{"D-17", "SELECT * FROM o LIMIT 2147483648"},
		{"D-17", "SELECT * FROM o LIMIT 3000000000, 1"},
		{"D-18", "SAVEPOINT a"},
		{"D-18", "ROLLBACK TO SAVEPOINT a"},
		{"D-18", "XA START 'a'"},
		{"D-19", "SELECT ROW_COUNT()"},
		{"D-19", "SELECT MD5(n) FROM o"},
		{"D-19", "SELECT SHA1(n) FROM o"},
		{"D-19", "SELECT STDDEV(n) FROM o"},
		{"D-19", "SELECT JSON_ARRAYAGG(n) FROM o"},
		{"D-20", "SELECT j->'$.a' FROM o"},
		{"D-20", "SELECT j->>'$.a' FROM g"},
		{"D-21", "SHOW PROFILES"},
		{"D-22", "CREATE TABLE x LIKE o"},
		{"D-22", "CREATE TABLE x AS SELECT * FROM u"},
		{"D-22", "CREATE TABLE x (id INT) AS SELECT * FROM u"},
		{"D-22", "DROP TABLE o, g"},
		{"D-22", "ALTER TABLE other.o ADD COLUMN x INT"},
		{"D-30", "INSERT INTO o (id) VALUES (1)"},
		{"D-30", "REPLACE INTO o (id) VALUES (1)"},
		{"D-30", "INSERT INTO o (id, k) VALUES (1, DEFAULT)"},
		{"D-30", "INSERT INTO o (id, k) VALUES (1, 1+1)"},
		{"D-32", "UPDATE o SET k = 2 WHERE id = 1"},
		{"D-32", "UPDATE o SET k = k WHERE k = 1"},
		{"D-32", "INSERT INTO o (id, k) VALUES (1, 1) ON DUPLICATE KEY UPDATE k = VALUES(k)"},
		{"D-33", "UPDATE o SET n = 1, n = 2 WHERE k = 1"},
		{"D-33", "UPDATE o SET n = (SELECT 1) WHERE k = 1"},
		{"D-33", "DELETE FROM o WHERE id IN (SELECT id FROM u)"},
		{"D-33", "UPDATE o SET n = 1 WHERE n + 1 = 2"},
		{"D-33", "DELETE FROM o WHERE n = 1 LIMIT 1"},
		{"D-34", "INSERT INTO o (id, k, d) VALUES (1, 1, '1582-10-15 00:00:00')"},
		{"D-34", "UPDATE o SET d = '0000-00-00 00:00:00' WHERE k = 1"},
		{"D-36", "INSERT INTO o PARTITION (p0) (id, k) VALUES (1, 1)"},
		{"D-36", "SELECT * FROM o PARTITION (p0)"},
		{"D-36", "DELETE FROM o PARTITION (p0) WHERE k = 1"},
		{"D-38", "LOAD DATA LOCAL INFILE 'x' INTO TABLE o"},
		{"D-40", "SELECT COUNT(*) FROM information_schema.TABLES"},
		{"D-40", "SELECT * FROM information_schema.TABLES ORDER BY TABLE_NAME"},
		{"D-40", "SELECT * FROM information_schema.TABLES LIMIT 1"},
		{"D-40", "SELECT * FROM information_schema.TABLES t JOIN information_schema.COLUMNS c ON t.TABLE_NAME=c.TABLE_NAME"},
		{"D-40", "SELECT * FROM information_schema.TABLES WHERE TABLE_NAME='a' OR TABLE_NAME='b'"},
		{"D-40", "SELECT * FROM information_schema.STATISTICS WHERE NON_UNIQUE < 1"},
		{"D-40", "SELECT * FROM information_schema.PROCESSLIST"},
		{"D-40", "SELECT * FROM mysql.user"},
		{"D-41", "SHOW MASTER STATUS"},
		{"D-43", "/*+db=" + s.Schema + "_0009*/ SELECT * FROM o"},
		{"D-43", "/*+db=" + s.Schema + "_0000*/ DROP TABLE o"},
		{"D-45", "WITH x AS (SELECT 1) SELECT * FROM x"},
		{"D-45", "SELECT ROW_NUMBER() OVER (ORDER BY id) FROM o"},
		{"D-45", "SELECT n, COUNT(*) FROM o GROUP BY n WITH ROLLUP"},
		{"D-45", "SELECT n, COUNT(*) FROM o WHERE k=1 GROUP BY n HAVING COUNT(*) > (SELECT 1)"},
		{"D-45", "SELECT DISTINCT n FROM o FOR UPDATE"},
		{"D-51", "CREATE TABLE x (id FLOAT PRIMARY KEY) DBPARTITION BY MOD_HASH(id)"},
		{"D-51", "CREATE TABLE x (id INT PRIMARY KEY) DBPARTITION BY MOD_HASH(nothing)"},
		{"D-51", "CREATE TABLE x (id INT PRIMARY KEY) DBPARTITION BY YYYYMM(id)"},
		{"D-51", "CREATE TABLE x (id DATE) DBPARTITION BY MM(id)"},
		{"D-51", "CREATE TABLE x (id DATE) DBPARTITION BY YYYYMM(id) TBPARTITION BY MM(id) TBPARTITIONS 13"},
		{"D-51", "CREATE TABLE x (id INT) TBPARTITION BY HASH(id) TBPARTITIONS 2"},
		{"D-52", "CREATE TABLE x (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES u (id)) DBPARTITION BY HASH(id)"},
		{"D-52", "CREATE TABLE x (id INT PRIMARY KEY, c INT AS (id+1)) DBPARTITION BY HASH(id)"},
		{"D-52", "CREATE TABLE x (id INT PRIMARY KEY, c INT GENERATED ALWAYS AS (id+1) STORED) BROADCAST"},
		{"D-52", "CREATE TABLE x (id INT PRIMARY KEY, c TEXT, FULLTEXT KEY (c)) DBPARTITION BY HASH(id)"},
		{"D-52", "CREATE TABLE x (id INT PRIMARY KEY, c POINT) DBPARTITION BY HASH(id)"},
		{"D-52", "CREATE VIEW v AS SELECT 1"},
		{"D-52", "CREATE TRIGGER x BEFORE INSERT ON o FOR EACH ROW SET NEW.n=1"},
		{"D-52", "CREATE PROCEDURE p() SELECT 1"},
		{"D-52", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1"},
		{"D-52", "CREATE TEMPORARY TABLE x (id INT)"},
		{"D-52", "CALL p()"},
		{"D-52", "LOCK TABLES o READ"},
		{"D-53", "CREATE TABLE `a-b` (id INT)"},
		{"D-53", "CREATE TABLE _ddm_x (id INT)"},
		{"D-53", "CREATE DATABASE x"},
		{"D-56", "ALTER TABLE o DROP COLUMN k"},
		{"D-56", "ALTER TABLE o ADD COLUMN x INT, MODIFY COLUMN k INT"},
		{"D-56", "ALTER TABLE o CHANGE k kk BIGINT"},
		{"D-56", "ALTER TABLE a MODIFY id INT"},
		{"D-72", "CREATE USER x"},
		{"D-72", "GRANT SELECT ON a.* TO x"},
		{"D-74", "CREATE TABLE MYCAT_SEQUENCE (id INT)"},
	} {
		refused(t, db, 1105, "ddmsim: "+c.rule+":", c.sql)
	}
	require.Empty(t, rows(t, db, "SELECT * FROM o"))
}

// D-11: several statements in a packet, also where the client may send them.
func TestRules_OneStatementPerPacket(t *testing.T) {
	s := simtest.Start(t, 2)
	refused(t, s.DB(t), 1105, "D-11", "SELECT 1; SELECT 2")
	refused(t, s.DB(t, "multiStatements=true"), 1105, "D-11", "SELECT 1; SELECT 2")
	exec(t, s.DB(t), "SELECT ';' ;")
}

// What looks like a refused form and is allowed.
func TestRules_Allowed(t *testing.T) {
	s, db := ruleTables(t)
	for _, q := range []string{
		"INSERT INTO o (id, k, b, bl) VALUES (1, 1, x'00ff27', 0x41), (2, 2, '', NULL)",
		"UPDATE o SET b = 0x4142 WHERE b = x'00ff27'",
		"INSERT INTO o (id, k, n) VALUES (1, 1, 5) ON DUPLICATE KEY UPDATE n = VALUES(n), d = '2024-01-01'",
		"UPDATE o SET n = n + 1 WHERE k = 1",
		"INSERT INTO u (j) VALUES ('{\"a\": \"-- # /* ; @x\"}')",
		"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
		"SET SESSION transaction_isolation = 'REPEATABLE-READ'",
		"START TRANSACTION READ ONLY", "ROLLBACK",
		"DELETE FROM o WHERE k = 1 AND n = 1 LIMIT 1",
		"DELETE IGNORE FROM o WHERE id = 99",
		"ALTER TABLE o ADD COLUMN extra INT, ADD KEY (n)",
		"/*+ allow_alter_rerun=true*/ ALTER TABLE o DROP COLUMN extra",
		"CREATE INDEX x ON g (id)", "DROP INDEX x ON g",
		"SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', foreign_key_checks = 0",
		"SET NAMES utf8mb4",
	} {
		exec(t, db, q)
	}
	require.Equal(t, [][]string{{`-- # /* ; @x`}}, rows(t, db, "SELECT j->>'$.a' FROM u"))
	require.Equal(t, [][]string{{"2"}}, rows(t, db, "/*+ db_type=master */ SELECT COUNT(*) FROM o"))
	require.Equal(t, [][]string{{"2"}}, rows(t, db, "/*!mycat:db_type=master*/ SELECT /*!40001 SQL_NO_CACHE */ COUNT(*) FROM o"))
	require.Len(t, rows(t, db, "/*+db="+s.Physical(1)+"*/ SELECT SHA2(id, 256) FROM o"), 1, "one shard computes what the middleware cannot")
	require.Empty(t, rows(t, db, "SHOW WARNINGS"))
}

// D-43: the shard hint works in the text protocol only, for TRUNCATE too.
func TestRules_ShardHint(t *testing.T) {
	s, db := ruleTables(t)
	exec(t, db, "INSERT INTO o (id, k) VALUES (1, 0), (2, 1), (3, 2), (4, 3), (5, 5)")
	require.Equal(t, [][]string{{"2"}}, rows(t, db, "/*+db="+s.Physical(1)+"*/ SELECT COUNT(*) FROM o"))
	st, err := db.Prepare("/*+db=" + s.Physical(1) + "*/ SELECT COUNT(*) FROM o WHERE id > ?")
	if err == nil {
		_, err = st.Query(0)
	}
	require.ErrorContains(t, err, "D-43")
	exec(t, db, "/*+db="+s.Physical(1)+"*/ TRUNCATE TABLE o")
	require.Equal(t, [][]string{{"3"}}, rows(t, db, "SELECT COUNT(*) FROM o"))
	require.EqualValues(t, 1, exec(t, db, "/*+db="+s.Physical(2)+"*/ UPDATE o SET n = 1"))
	require.EqualValues(t, 1, exec(t, db, "/*+db="+s.Physical(2)+"*/ DELETE FROM o WHERE id IN (1, 3)"))
}
