package precheck

import (
	"testing"
)

func TestSharding_KeyInPrimaryAndUniqueKeys(t *testing.T) {
	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY, c INT NOT NULL, x INT, UNIQUE KEY u (id, x))", "CREATE TABLE s (id INT PRIMARY KEY)")
	d.onTarget("CREATE TABLE a (id INT NOT NULL, c INT NOT NULL, x INT, PRIMARY KEY (id), UNIQUE KEY u (id, x)) DBPARTITION BY MOD_HASH(id)", "CREATE TABLE s (id INT NOT NULL, PRIMARY KEY (id))")
	for _, code := range []string{"dstShardingKeyInPrimaryKey", "dstShardingKeyInUniqueKey", "dstShardingKeyNullable", "dstShardingKeyDateTime"} {
		d.passes(code)
	}
	d.onSource("CREATE TABLE b (id INT PRIMARY KEY, c INT NOT NULL, x INT, UNIQUE KEY u (x))")
	d.onTarget("CREATE TABLE b (id INT NOT NULL, c INT NOT NULL, x INT, PRIMARY KEY (id), UNIQUE KEY u (x)) DBPARTITION BY MOD_HASH(c)")
	d.alarms("dstShardingKeyInPrimaryKey", ".b: sharded by c, primary key (id)")
	d.alarms("dstShardingKeyInUniqueKey", ".b: unique key u (x)")

	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY, x INT, UNIQUE KEY (x))")
	for _, code := range []string{"dstShardingKeyInPrimaryKey", "dstShardingKeyInUniqueKey", "dstShardingKeyNullable", "dstShardingKeyDateTime"} {
		f.passes(code)
	}
}

func TestSharding_NullAndFractionsOfTheKey(t *testing.T) {
	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY, c INT)", "CREATE TABLE e (id INT, at DATETIME(3) NOT NULL, PRIMARY KEY (id))")
	d.onTarget("CREATE TABLE a (id INT NOT NULL, c INT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(c)",
		"CREATE TABLE e (id INT NOT NULL, at DATETIME(3) NOT NULL, PRIMARY KEY (id)) DBPARTITION BY YYYYMM(at)")
	d.alarms("dstShardingKeyNullable", ".a.c: may be NULL; no row has no value now")
	d.onSource("INSERT INTO a VALUES (1, 1), (2, NULL), (3, NULL)")
	d.alarms("dstShardingKeyNullable", ".a.c: 2 rows have no value")
	d.onSource("ALTER TABLE a ADD KEY (c)")
	d.alarms("dstShardingKeyNullable", ".a.c: 2 rows have no value")
	d.alarms("dstShardingKeyDateTime", ".e.at is datetime(3)")
}

func TestDates_ThatDDMRefuses(t *testing.T) {
	d := ddmFixture(t)
	d.both("CREATE TABLE a (id INT NOT NULL, at DATETIME, day DATE, PRIMARY KEY (id))")
	d.onSource("INSERT INTO a VALUES (1, '1583-01-01', '2024-02-29'), (2, NULL, NULL)")
	d.passes("srcDateRange")
	d.onSource("INSERT INTO a VALUES (3, NULL, '1500-01-01')")
	d.alarms("srcDateRange", ".a.day: 1 rows before 1583")
	d.onSource("SET SESSION sql_mode = ''; INSERT INTO a VALUES (4, '1582-12-31 23:59:59', NULL), (5, '0000-00-00', NULL)")
	d.fails("srcDateRange", ".a.at: 2 rows before 1583")

	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY, at DATETIME)")
	f.onSource("INSERT INTO a VALUES (1, '1000-01-01')")
	f.passes("srcDateRange")
}

// TestScan_OldServersAreAskedForTheFirstRowsOnly: 5.6 does not end a statement
// that we gave up.
func TestScan_OldServersAreAskedForTheFirstRowsOnly(t *testing.T) {
	d := ddmFixture(t)
	old := plainFixture(t, "mysql56")
	d.source, d.from, d.src = old.source, old.from, old.src
	d.setUp()
	d.onTarget("CREATE TABLE a (id INT NOT NULL, at DATETIME, PRIMARY KEY (id))")
	d.onSource("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME)", "INSERT INTO a (at) VALUES ('2024-01-01'), ('2024-01-02')")
	d.passes("srcDateRange")
	for range 17 {
		d.onSource("INSERT INTO a (at) SELECT at FROM a")
	}
	d.alarms("srcDateRange", "not all rows were looked at")
	d.onSource("ALTER TABLE a ADD KEY (at)")
	d.passes("srcDateRange")
	d.onSource("INSERT INTO a (at) VALUES ('1200-01-01')")
	d.fails("srcDateRange", ".a.at: 1 rows before 1583")
}
