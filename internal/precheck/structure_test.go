package precheck

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

func TestStructure_ColumnsAndKeysFit(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id BIGINT PRIMARY KEY, n INT NOT NULL, d DECIMAL(10,2), s VARCHAR(20), e ENUM('x','y'), f FLOAT)")
	f.passes("dbTableStructureConsistency")
	f.onSource("CREATE TABLE wide (id INT PRIMARY KEY, n INT NOT NULL, u INT UNSIGNED, d DECIMAL(12,2), s VARCHAR(20), e ENUM('x','y'))")
	f.onTarget("CREATE TABLE wide (id BIGINT PRIMARY KEY, n BIGINT, u BIGINT, d DECIMAL(14,2), s VARCHAR(40), e ENUM('y','x','z'), more INT DEFAULT 1)")
	f.passes("dbTableStructureConsistency")
	for _, c := range []struct{ source, target, want string }{
		{"n INT", "m INT", "column is missing on the destination"},
		{"n INT", "n INT, must INT NOT NULL", "needs a value"},
		{"n INT", "n VARCHAR(20)", "column types do not fit"},
		{"n INT", "n SMALLINT", "range is smaller"},
		{"n INT UNSIGNED", "n INT", "range is smaller"},
		{"n INT", "n BIGINT UNSIGNED", "takes no negative numbers"},
		{"n INT", "n INT NOT NULL", "may hold NULL"},
		{"s VARCHAR(20)", "s VARCHAR(10)", "is shorter"},
		{"d DECIMAL(10,2)", "d DECIMAL(8,2)", "range is smaller"},
		{"e ENUM('x','y')", "e ENUM('x')", "label is missing"},
		{"d DATETIME(3)", "d DATETIME", "column types do not fit"},
	} {
		f := plainFixture(t, "mysql97")
		f.onSource("CREATE TABLE t (id INT PRIMARY KEY, " + c.source + ")")
		f.onTarget("CREATE TABLE t (id INT PRIMARY KEY, " + c.target + ")")
		f.fails("dbTableStructureConsistency", c.want)
	}
	f = plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 7, m INT DEFAULT 8, k INT NOT NULL DEFAULT 9, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")
	f.onTarget("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, m INT, k INT NOT NULL DEFAULT 9, at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP)")
	f.alarms("dbTableStructureConsistency", "t.n: the source has a default", "t.m: the source has a default", "SET DEFAULT")
	require.Len(t, f.check("dbTableStructureConsistency").Evidence, 2)
	f = plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))")
	f.onTarget("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a))")
	f.fails("dbTableStructureConsistency", "primary keys do not fit")

	d := ddmFixture(t)
	d.onSource("CREATE TABLE t (id INT PRIMARY KEY, c INT NOT NULL)")
	d.onTarget("CREATE TABLE t (id INT NOT NULL, c INT NOT NULL, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(c)")
	d.passes("dbTableStructureConsistency")
	d.onSource("CREATE TABLE v (id INT PRIMARY KEY, a INT NOT NULL DEFAULT 7, b INT NOT NULL DEFAULT 8)")
	d.onTarget("CREATE TABLE v (id INT NOT NULL, a INT NOT NULL DEFAULT 7, b INT NOT NULL, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	d.alarms("dbTableStructureConsistency", "v.b: the source has a default")
	require.Len(t, d.check("dbTableStructureConsistency").Evidence, 1)
	d.onTarget("DROP TABLE v")
	d.onSource("DROP TABLE v")
	d.onSource("CREATE TABLE u (id INT PRIMARY KEY)")
	d.onTarget("CREATE TABLE u (id INT NOT NULL, c INT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(c)")
	d.fails("dbTableStructureConsistency", "sharding key")
}

func TestStructure_OldSourcesFit(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.both("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT(5) ZEROFILL NOT NULL, s VARCHAR(20) NOT NULL COLLATE utf8mb4_general_ci, b BLOB, d DATETIME, ts TIMESTAMP NULL, UNIQUE KEY u (s))")
			for _, code := range []string{"dbTableStructureConsistency", "dbCharacterSetConsistency", "dbKeyCollationConsistency", "dbUniqueKeyConsistency", "dbGeneratedColumnConsistency", "srcTableColumnTypes"} {
				f.passes(code)
			}
		})
	}
}

func TestStructure_ColumnTypes(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE g (id INT PRIMARY KEY, p POINT)")
	f.passes("srcTableColumnTypes")
	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	d.passes("srcTableColumnTypes")
	d.onSource("CREATE TABLE g (id INT PRIMARY KEY, p POINT)")
	d.fails("srcTableColumnTypes", "DDM has no type point")
	f = plainFixture(t, "mariadb")
	f.onSource("CREATE TABLE u (id INT PRIMARY KEY, x UUID)")
	f.fails("srcTableColumnTypes", "type uuid is not supported")
}

func TestStructure_CharacterSets(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET latin1, u VARCHAR(9) CHARACTER SET utf8mb3, g VARCHAR(9) CHARACTER SET gbk)")
	f.onTarget("CREATE TABLE a (id INT PRIMARY KEY, s VARCHAR(9), u VARCHAR(9), g VARCHAR(9))")
	f.passes("dbCharacterSetConsistency")
	f.onSource("CREATE TABLE b (id INT PRIMARY KEY, s VARCHAR(9))")
	f.onTarget("CREATE TABLE b (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET latin1)")
	f.alarms("dbCharacterSetConsistency", ".b.s: from utf8mb4 to latin1")
	f.onSource("CREATE TABLE c (id INT PRIMARY KEY, s ENUM('x') CHARACTER SET utf8mb4)")
	f.onTarget("CREATE TABLE c (id INT PRIMARY KEY, s ENUM('x') CHARACTER SET latin1)")
	f.fails("dbCharacterSetConsistency", ".c.s: from utf8mb4 to latin1")

	d := ddmFixture(t)
	d.both("CREATE TABLE a (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET latin1, t VARCHAR(9))")
	d.passes("dbCharacterSetConsistency")
	d.onSource("CREATE TABLE g (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET gbk)")
	d.onTarget("CREATE TABLE g (id INT PRIMARY KEY, s VARCHAR(9))")
	d.fails("dbCharacterSetConsistency", ".g.s: DDM does not know character set gbk")
}

func TestStructure_GeneratedColumns(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY, n INT, g INT AS (n + 1))")
	f.onSource("CREATE TABLE plain (id INT PRIMARY KEY, n INT, g INT AS (n + 1))")
	f.onTarget("CREATE TABLE plain (id INT PRIMARY KEY, n INT, g INT)")
	f.passes("dbGeneratedColumnConsistency")
	f.onSource("CREATE TABLE b (id INT PRIMARY KEY, n INT, g INT AS (n + 1))")
	f.onTarget("CREATE TABLE b (id INT PRIMARY KEY, n INT, g INT AS (n + 2))")
	f.alarms("dbGeneratedColumnConsistency", ".b.g")
	f.onSource("CREATE TABLE c (id INT PRIMARY KEY, g INT)")
	f.onTarget("CREATE TABLE c (id INT PRIMARY KEY, g INT AS (id + 2))")
	f.fails("dbGeneratedColumnConsistency", ".c.g: the destination computes it")
}

func TestForeignKeys_ActionsBehindTheBinlog(t *testing.T) {
	create := []string{
		"CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB",
		"CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT down FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE) ENGINE=InnoDB",
	}
	for _, edition := range []string{"mysql55", "mysql57", "mysql80", "mariadb"} {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource(create[0], "CREATE TABLE r (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id)) ENGINE=InnoDB")
			f.passes("MysqlForeignKeyReferentialActionCheck")
			f.onSource(create[1])
			f.fails("MysqlForeignKeyReferentialActionCheck", f.from+".c: down ON DELETE CASCADE")
			f.onSource("CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON UPDATE SET NULL) ENGINE=InnoDB")
			f.fails("MysqlForeignKeyReferentialActionCheck", "ON UPDATE SET NULL")
		})
	}
	f := plainFixture(t, "mysql97")
	f.onSource(create...)
	f.passes("MysqlForeignKeyReferentialActionCheck", "9.7")
	f = serverFixture(t, testdb.Own(t, "mysql97", "--innodb-native-foreign-keys=ON"), testdb.Get(t, "mysql97"))
	f.onSource(create...)
	f.fails("MysqlForeignKeyReferentialActionCheck", "down ON DELETE CASCADE")
}

func TestForeignKeys_ParentsAreSelected(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))")
	f.passes("hasForeignKeyOnUnselectedTable")
	f.config.Spec.Objects[0].Tables = []string{"c"}
	f.alarms("hasForeignKeyOnUnselectedTable", f.from+".c refers to "+f.from+".p")
}

func TestKeys_Primary(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	f.passes("srcHasNoPkTable")
	f.onSource("CREATE TABLE b (id INT, UNIQUE KEY (id))")
	f.fails("srcHasNoPkTable", f.from+".b")
}

func TestKeys_Collations(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY, s VARCHAR(9) COLLATE utf8mb4_bin)")
	f.onTarget("CREATE TABLE a (id VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY, s VARCHAR(9) COLLATE utf8mb4_general_ci)")
	f.passes("dbKeyCollationConsistency")
	f.onSource("CREATE TABLE b (id INT PRIMARY KEY, u VARCHAR(9) COLLATE utf8mb4_bin, UNIQUE KEY (u))")
	f.onTarget("CREATE TABLE b (id INT PRIMARY KEY, u VARCHAR(9) COLLATE utf8mb4_general_ci, UNIQUE KEY (u))")
	f.fails("dbKeyCollationConsistency", ".b.u: utf8mb4_bin on the source, utf8mb4_general_ci on the destination")
}

func TestKeys_Unique(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY, x INT, y INT, UNIQUE KEY u (x, y))")
	f.onSource("CREATE TABLE named (id INT PRIMARY KEY, x INT, s TEXT, UNIQUE KEY u (x), UNIQUE KEY p (s(10)))")
	f.onTarget("CREATE TABLE named (id INT PRIMARY KEY, x INT, s TEXT, UNIQUE KEY other (x), UNIQUE KEY p (s(10)))")
	f.passes("dbUniqueKeyConsistency")
	f.onSource("CREATE TABLE b (id INT PRIMARY KEY, x INT, y INT, UNIQUE KEY u (x))")
	f.onTarget("CREATE TABLE b (id INT PRIMARY KEY, x INT, y INT, UNIQUE KEY u (x, y))")
	f.alarms("dbUniqueKeyConsistency", ".b: the destination does not enforce unique key u (x)")
	f.onSource("CREATE TABLE c (id INT PRIMARY KEY, x INT, s TEXT)")
	f.onTarget("CREATE TABLE c (id INT PRIMARY KEY, x INT, s TEXT, UNIQUE KEY extra (x))")
	f.fails("dbUniqueKeyConsistency", ".c: the source has no unique key like extra (x)")
	f = plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE d (id INT PRIMARY KEY, s TEXT, UNIQUE KEY p (s(10)))")
	f.onTarget("CREATE TABLE d (id INT PRIMARY KEY, s TEXT, UNIQUE KEY p (s(5)))")
	f.fails("dbUniqueKeyConsistency", "p (s(5))")
}

func TestKeys_Floats(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY, x DOUBLE, KEY (x))")
	f.passes("srcTableFloatKey")
	f.onSource("CREATE TABLE b (x FLOAT PRIMARY KEY)")
	f.alarms("srcTableFloatKey", f.from+".b.x is float")
}

func TestItems_FullTasksNeedNoBinlog(t *testing.T) {
	codes := map[string]bool{}
	for _, i := range Items(task.Full) {
		codes[i.Code] = true
	}
	for _, i := range binlogItems() {
		require.False(t, codes[i.code], i.code)
	}
	require.False(t, codes["srcDbPrivilegesIsEnoughForIncre"])
	require.True(t, codes["srcDbPrivilegesIsEnough"])
	require.Greater(t, len(Items(task.FullIncremental)), len(codes)+10)
}
