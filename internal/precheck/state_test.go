package precheck

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func TestDestination_Status(t *testing.T) {
	f := serverFixture(t, testdb.Get(t, "mysql97"), testdb.Own(t, "mysql97"))
	f.passes("dstStatusCheck")
	f.onTarget("SET GLOBAL read_only = ON")
	f.fails("dstStatusCheck", "read_only is on")
	f.onTarget("SET GLOBAL super_read_only = ON")
	f.fails("dstStatusCheck", "super_read_only is on")
	ddmFixture(t).passes("dstStatusCheck")
}

func TestDestination_Empty(t *testing.T) {
	for name, f := range map[string]*fixture{"plain": plainFixture(t, "mysql97"), "ddm": ddmFixture(t)} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			f.both("CREATE TABLE a (id INT NOT NULL, PRIMARY KEY (id))", "CREATE TABLE b (id INT NOT NULL, PRIMARY KEY (id))")
			f.passes("checkEmptyDstDb")
			f.onTarget("INSERT INTO b (id) VALUES (1)")
			r := f.verdict(contract.Failed, "checkEmptyDstDb")
			require.Equal(t, []string{f.to + ".b"}, r.Evidence)
			f.config.AfterReset = true
			f.alarms("checkEmptyDstDb", "deletes its range on all shards")
		})
	}
}

func TestDestination_Triggers(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY)")
	f.onTarget("CREATE TABLE other (id INT PRIMARY KEY)", "CREATE TRIGGER harmless BEFORE INSERT ON other FOR EACH ROW SET NEW.id = 1")
	f.passes("dstTriggerCheck")
	f.onTarget("CREATE TRIGGER harms BEFORE INSERT ON a FOR EACH ROW SET NEW.id = 1")
	f.fails("dstTriggerCheck", "harms on "+f.to+".a")
	user, password := f.target.Account(t, "SELECT, INSERT ON `"+f.to+"`.*")
	f.config.Destination = configOf(f.target, user, password)
	f.alarms("dstTriggerCheck", "GRANT TRIGGER ON `"+f.to+"`.* TO '<destination-user>'@'%';")
	ddmFixture(t).passes("dstTriggerCheck")
}

func TestDestination_PhysicalTables(t *testing.T) {
	d := ddmFixture(t)
	d.onTarget("CREATE TABLE a (id INT NOT NULL, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	d.passes("dstTableConsistency")
	_, err := d.sim.PhysicalDB(t, 2).ExecContext(t.Context(), "ALTER TABLE a ADD COLUMN extra INT")
	require.NoError(t, err)
	d.fails("dstTableConsistency", d.to+".a: 1 of 4 physical tables differ")
	plainFixture(t, "mysql97").passes("dstTableConsistency")
}

func TestDestination_NewIDs(t *testing.T) {
	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
	d.onTarget("CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	d.passes("dstAutoIncrement")
	d.onSource("CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY)", "CREATE TABLE p (id INT AUTO_INCREMENT PRIMARY KEY)")
	d.onTarget("CREATE TABLE n (id INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)", "CREATE TABLE p (id INT NOT NULL, PRIMARY KEY (id))")
	d.alarms("dstAutoIncrement", d.to+".n.id is int", d.to+".p.id is no AUTO_INCREMENT column")
}

func TestDestination_OtherTasks(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
	f.passes("dstUsedByOtherTask")
	f.planOf("other-task", "b")
	f.fails("dstUsedByOtherTask", "task other-task: "+f.to+".b")
	f.config.Spec.Objects[0].Tables = []string{"a"}
	f.passes("dstUsedByOtherTask")
	f.config.TaskID, f.config.Spec.Objects[0].Tables = "other-task", nil
	f.passes("dstUsedByOtherTask") // its own plan
}

// planOf makes the metadata of another task with one table in its plan, without
// the seconds in which a task finds out what its destination can do;
// checkpoint's own tests read it as a task writes it.
func (f *fixture) planOf(taskID, name string) {
	f.t.Helper()
	names, err := json.Marshal(map[string]table.Name{"source": {Schema: f.from, Table: name}, "destination": {Schema: f.to, Table: name}})
	require.NoError(f.t, err)
	f.onTarget("CREATE TABLE shardlift_table (task VARCHAR(64) NOT NULL, no BIGINT NOT NULL, names MEDIUMBLOB NOT NULL, PRIMARY KEY (task, no))",
		fmt.Sprintf("INSERT INTO shardlift_table VALUES ('%s', 1, '%s')", taskID, names))
}

func TestDestination_FenceOfATaskWhoseMetadataStandsElsewhere(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.both("CREATE TABLE a (id INT PRIMARY KEY)")
	meta := f.target.Schema(t)
	f.config.Spec.Destination.MetadataSchema = meta
	f.onTarget("CREATE TABLE shardlift_fence (task VARCHAR(64) NOT NULL, unit VARCHAR(64) NOT NULL, PRIMARY KEY (task, unit))")
	f.passes("dstUsedByOtherTask")
	f.onTarget("INSERT INTO shardlift_fence VALUES ('far-task', 'apply/0')")
	f.alarms("dstUsedByOtherTask", "task far-task")
}
