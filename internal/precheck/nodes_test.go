package precheck

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/testdb"
)

// nodes names the simulator's data nodes in the task.
func (f *fixture) nodes(servers ...*testdb.Server) {
	f.config.Nodes = nil
	for _, s := range servers {
		f.config.Nodes = append(f.config.Nodes, configOf(s, s.User, s.Password))
	}
}

func TestNodes_NobodyNamesThem(t *testing.T) {
	d := ddmFixture(t)
	d.alarms("dstDataNodeStatus", "are not seen", "destination.data_nodes")
	d.passes("dstDataNodeConsistency")
	d.alarms("dstWayBack", "destination.data_nodes")
	f := plainFixture(t, "mysql57")
	f.passes("dstDataNodeStatus")
	f.passes("dstDataNodeConsistency")
}

func TestNodes_HealthAndSettings(t *testing.T) {
	a, b := testdb.Own(t, "mysql80", "--lower-case-table-names=0"), testdb.Own(t, "mysql57")
	d := ddmFixture(t, simtest.OnServers(a, b))
	d.nodes(a, b)
	d.passes("dstDataNodeStatus", "2 data nodes answer")
	d.alarms("dstDataNodeConsistency", "data node 1: version is 8.0.15", "lower_case_table_names is 0")
	d.alarms("dbVersionMeetRequirement", "data node 1 has 8.0.15, the source 9.7")
	d.passes("dbServerUuidConsistency")
	d.passes("dstConnectionHeadroom", "every data node has")
	d.nodes(a)
	d.alarms("dstDataNodeStatus", "1 data nodes of the destination are not named")
	d.nodes(a, b)
	run(t, b.DB(t, ""), []string{"SET GLOBAL character_set_server = 'gbk'", "SET GLOBAL max_connections = 12", "SET GLOBAL read_only = ON"})
	d.fails("dstDataNodeConsistency", "data node 2: character_set_server is gbk")
	d.fails("dstConnectionHeadroom", "data node 2: ")
	d.fails("dstDataNodeStatus", "data node 2: read_only is on")
	b.Stop(t)
	d.fails("dstDataNodeStatus", "data node 2: the server cannot be reached")
}

func TestNodes_ReplicasThatStandStill(t *testing.T) {
	a := testdb.Own(t, "mysql57")
	d := ddmFixture(t, simtest.OnServers(a))
	d.nodes(a)
	d.passes("dstDataNodeStatus")
	run(t, a.DB(t, ""), []string{"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='x'"})
	d.fails("dstDataNodeStatus", "data node 1: replica_io_running is No")
	user, password := a.Account(t, "SELECT ON *.*")
	d.config.Nodes = []mysqlconn.Config{configOf(a, user, password)}
	d.alarms("dstDataNodeStatus", "may not see its replication")
}

func TestNodes_SourceIsOneOfThem(t *testing.T) {
	d := ddmFixture(t, simtest.On("mysql80"))
	d.nodes(d.sim.Nodes...)
	d.passes("dbServerUuidConsistency")
	d.nodes(d.source)
	d.fails("dbServerUuidConsistency", "data node")
}

func TestWayBack_NeedsBinlogs(t *testing.T) {
	f := serverFixture(t, testdb.Get(t, "mysql57"), testdb.Own(t, "mysql57", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--log-slave-updates"))
	f.passes("dstWayBack")
	f.onTarget("SET GLOBAL binlog_format = 'STATEMENT'")
	f.alarms("dstWayBack", "destination: binlog_format is STATEMENT")
	f = serverFixture(t, testdb.Get(t, "mysql57"), testdb.Own(t, "mysql57", "--skip-log-bin"))
	f.alarms("dstWayBack", "destination: no binlog")
}

func TestShardKey_ParameterThatWantsItInEachStatement(t *testing.T) {
	d := ddmFixture(t)
	d.both("CREATE TABLE u (id INT NOT NULL, PRIMARY KEY (id))")
	d.passes(codeShardKeyParameter)
	d = ddmFixture(t, simtest.With(func(c *simtest.SimConfig) { c.ContainsShardKey = true }))
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	d.onTarget("CREATE TABLE a (id INT NOT NULL, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	d.fails(codeShardKeyParameter, d.to+".a: the destination refuses", "contains_shard_key to OFF")
	plainFixture(t, "mysql57").passes(codeShardKeyParameter)
}

func TestShardKey_UpdatesOfTheApplication(t *testing.T) {
	source := testdb.Own(t, "mysql80")
	d := ddmFixture(t)
	d.source, d.from = source, source.Schema(t)
	d.src = source.DB(t, d.from)
	d.setUp()
	d.passes("dstShardingKeyUpdated", "no table is sharded")
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY, c INT NOT NULL, d INT)", "CREATE TABLE b (c INT PRIMARY KEY)")
	d.onTarget("CREATE TABLE a (id INT NOT NULL, c INT NOT NULL, d INT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(c)",
		"CREATE TABLE b (c INT NOT NULL, PRIMARY KEY (c)) DBPARTITION BY MOD_HASH(c)")
	d.onSource("UPDATE a SET d = 1 WHERE c = 2")
	d.passes("dstShardingKeyUpdated")
	d.onSource("UPDATE a SET d = 1, c = 5 WHERE id = 2")
	d.alarms("dstShardingKeyUpdated", ".a.c is updated by statements")
	d.as("SELECT ON `SCHEMA`.*")
	r := d.check("dstShardingKeyUpdated")
	require.Equal(t, []string{d.from + ".a.c: whether applications update it is not seen"}, r.Evidence)
}

func TestShardKey_SetsReadsDigests(t *testing.T) {
	require.True(t, sets("UPDATE `s` . `orders` SET `n` = `n` + ? , `c` = ? WHERE `id` = ?", "orders", "C"))
	require.False(t, sets("UPDATE `orders` SET `n` = ? WHERE `c` = ?", "orders", "c"))
	require.False(t, sets("UPDATE `other` SET `c` = ?", "orders", "c"))
	require.True(t, sets("UPDATE orders SET c = ?", "orders", "c"))
}

func TestPartitions_AreNoneOnAMiddleware(t *testing.T) {
	d := ddmFixture(t)
	d.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	d.passes("srcPartitionedTables")
	d.onSource("CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2")
	d.alarms("srcPartitionedTables", d.from+".p")
	plainFixture(t, "mysql57").passes("srcPartitionedTables")
}
