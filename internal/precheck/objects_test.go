package precheck

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/selection"
	"shardlift/internal/testdb"
)

func TestObjects_SelectedOnesExist(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT * FROM a")
	f.passes("userSelectObjectsCheck", "1 tables")
	f.config.Spec.Objects[0].Tables = []string{"a", "v", "A"}
	f.fails("userSelectObjectsCheck", f.from+".v is no base table but a view", f.from+".A does not exist")
	f.config.Spec.Objects[0].Tables = []string{"zz*"}
	f.fails("userSelectObjectsCheck", "nothing in schema "+f.from)
	f.config.Spec.Objects = selection.Selection{{Schema: "no_such_schema"}}
	f.fails("userSelectObjectsCheck", "no_such_schema")
}

func TestObjects_DestinationSchemas(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.passes("dstSchemaExists")
	f.config.Spec.Destination.MetadataSchema = "created_at_the_start"
	f.passes("dstSchemaExists")
	f.config.Spec.Objects[0].To = "no_such_schema"
	f.fails("dstSchemaExists", "schema no_such_schema")

	d := ddmFixture(t)
	d.passes("dstSchemaExists")
	d.config.Spec.Destination.MetadataSchema = "must_be_there"
	d.fails("dstSchemaExists", "DDM's console")
}

func TestObjects_MissingDestinationTables(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY)")
	f.passes("dstTableExists")
	f.onSource("CREATE TABLE b (id INT PRIMARY KEY)", "CREATE TABLE Named (id INT PRIMARY KEY)")
	f.alarms("dstTableExists", "not migrated: "+f.from+".b")
	f.config.Spec.Objects[0].Tables = []string{"*", "b"}
	f.fails("dstTableExists", f.to+".b does not exist", "not migrated: "+f.from+".Named")
	f.onTarget("CREATE TABLE named (id INT PRIMARY KEY)")
	f.fails("dstTableExists", "add rename: {Named: named}")
	f.config.Spec.Objects[0].Rename = map[string]string{"Named": "named", "b": "a"}
	f.passes("dstTableExists")

	d := ddmFixture(t)
	d.both("CREATE TABLE a (id INT PRIMARY KEY)")
	d.passes("dstTableExists")
	d.onSource("CREATE TABLE b (id INT PRIMARY KEY)")
	d.alarms("dstTableExists", "not migrated: "+d.from+".b")
}

func TestNames_CollisionsAfterRenames(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE A (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY)")
	f.passes("srcDstTableNameCaseSensitiveCheck")
	f.config.Spec.Objects[0].Rename = map[string]string{"c": "a"}
	f.fails("srcDstTableNameCaseSensitiveCheck", f.from+".a and "+f.from+".c")

	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE A (id INT PRIMARY KEY)")
	d.fails("srcDstTableNameCaseSensitiveCheck", d.from+".A and "+d.from+".a")
	d.config.Spec.Objects[0].Rename = map[string]string{"A": "a_upper"}
	d.passes("srcDstTableNameCaseSensitiveCheck")
}

func TestNames_ThatDDMForbids(t *testing.T) {
	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	d.passes("srcDbNameContainsUnsupportedSymbols")
	d.passes("srcTableNameContainsNonAscii")
	d.onSource("CREATE TABLE `a-b` (id INT PRIMARY KEY)", "CREATE TABLE _ddm_x (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, `größe` INT)")
	d.fails("srcTableNameContainsNonAscii", ".a-b", "._ddm_x", "c.größe is not ASCII")
	d.config.Spec.Objects[0].Rename = map[string]string{"a-b": "a_b", "_ddm_x": "x"}
	d.alarms("srcTableNameContainsNonAscii", "c.größe")
	d.config.Spec.Objects[0].To = "Shop-1"
	d.fails("srcDbNameContainsUnsupportedSymbols", "Shop-1")

	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE `a-b` (id INT PRIMARY KEY)")
	f.passes("srcTableNameContainsNonAscii")
	f.passes("srcIdentifierWithBreakCheck")
	f.onSource("CREATE TABLE `a\nb` (id INT PRIMARY KEY, `c\rd` INT)")
	f.fails("srcIdentifierWithBreakCheck", `a\nb`, `c\rd`)
}

func TestEngines(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	f.passes("srcDbExistUnsupportEngineTable")
	f.onSource("CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
	f.alarms("srcDbExistUnsupportEngineTable", f.from+".m is MyISAM")
	f.onSource("CREATE TABLE h (id INT PRIMARY KEY) ENGINE=MEMORY")
	f.fails("srcDbExistUnsupportEngineTable", f.from+".h has engine MEMORY")

	f = plainFixture(t, "mariadb")
	f.onSource("CREATE TABLE v (id INT PRIMARY KEY) WITH SYSTEM VERSIONING")
	f.fails("srcDbExistUnsupportEngineTable", "SYSTEM VERSIONED")
}

// TestItems_NoStatementPerTable: what 200 tables need 1,000 need too (measured
// with 1,000: 90 statements, 2.9 s).
func TestItems_NoStatementPerTable(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql97"), testdb.Own(t, "mysql97"))
	for i := range 200 {
		f.both(fmt.Sprintf("CREATE TABLE t%03d (id BIGINT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), at DATETIME, body LONGTEXT, UNIQUE KEY u (a))", i))
	}
	queries := func() (n int) {
		for _, db := range f.bothSides() {
			var name string
			var asked int
			if err := db.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &asked); err != nil {
				t.Fatal(err)
			}
			n += asked
		}
		return n
	}
	before := queries()
	f.runsAll()
	require.Less(t, queries()-before, 150)
}
