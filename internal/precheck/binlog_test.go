package precheck

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/position"
	"shardlift/internal/testdb"
)

func TestBinlog_SettingsThatAreRight(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource("CREATE TABLE t (id INT PRIMARY KEY)")
			for _, code := range []string{"srcDbBinlogIsOff", "srcBinlogFormatCheck", "srcBinlogRowImageCheck", "srcBinlogRowValueOptions", "srcBinlogFilters", "srcDbServerIdCheck"} {
				f.passes(code)
			}
		})
	}
}

func TestBinlog_Off(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql97", "--skip-log-bin"), testdb.Get(t, "mysql97"))
	f.fails("srcDbBinlogIsOff", "log_bin = ")
}

// TestBinlog_SettingsThatLoseRows sets each global variable wrong on a server of its own.
func TestBinlog_SettingsThatLoseRows(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql80"), testdb.Get(t, "mysql97"))
	for _, c := range []struct{ code, variable, wrong, right, remedy string }{
		{"srcBinlogFormatCheck", "binlog_format", "'MIXED'", "'ROW'", "SET GLOBAL binlog_format = 'ROW';"},
		{"srcBinlogRowImageCheck", "binlog_row_image", "'MINIMAL'", "'FULL'", "SET GLOBAL binlog_row_image = 'FULL';"},
		{"srcBinlogRowValueOptions", "binlog_row_value_options", "'PARTIAL_JSON'", "''", "SET GLOBAL binlog_row_value_options = '';"},
		{"srcDbServerIdCheck", "server_id", "0", "7", "SET GLOBAL server_id"},
	} {
		f.onSource("SET GLOBAL " + c.variable + " = " + c.wrong)
		f.fails(c.code, c.remedy)
		f.onSource("SET GLOBAL " + c.variable + " = " + c.right)
		f.passes(c.code)
	}
	ours := binlog.ServerID(f.config.TaskID, 0)
	_, err := f.src.ExecContext(t.Context(), "SET GLOBAL server_id = ?", ours)
	require.NoError(t, err)
	f.fails("srcDbServerIdCheck", "the task's own")
}

func TestBinlog_FiltersHideASchema(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql57", "--binlog-do-db=other"), testdb.Get(t, "mysql97"))
	f.fails("srcBinlogFilters", f.from+" is not in binlog_do_db")
	f.config.Spec.Objects[0].Schema = "other"
	f.passes("srcBinlogFilters")

	f = serverFixture(t, testdb.Own(t, "mysql97", "--binlog-ignore-db=hidden"), testdb.Get(t, "mysql97"))
	f.passes("srcBinlogFilters")
	f.config.Spec.Objects[0].Schema = "hidden"
	f.fails("srcBinlogFilters", "hidden is in binlog_ignore_db")
}

func TestBinlog_ReplicaThatDoesNotLogWhatItReplicates(t *testing.T) {
	for _, c := range []struct{ edition, change string }{
		{"mysql57", "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='x'"},
		{"mysql97", "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1, SOURCE_USER='x'"},
		{"mariadb", "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='x'"},
	} {
		t.Run(c.edition, func(t *testing.T) {
			f := serverFixture(t, testdb.Own(t, c.edition, "--log-slave-updates=0", "--replicate-ignore-db=elsewhere"), testdb.Get(t, "mysql97"))
			f.alarms("srclogSlaveUpdatesCheck", "no replica now")
			f.passes("srcBinlogFilters")
			f.onSource(c.change)
			f.fails("srclogSlaveUpdatesCheck", "log_slave_updates = ON")
			f.alarms("srcBinlogFilters", "replicate_ignore_db: elsewhere")
		})
	}
	plainFixture(t, "mysql97").passes("srclogSlaveUpdatesCheck")
}

func TestBinlog_Retention(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql97"), testdb.Get(t, "mysql97"))
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 2592000")
	f.passes("srcDbBinlogExpireLogsDays", "720 hours")
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 3600")
	f.alarms("srcDbBinlogExpireLogsDays", "1 hours", "SET GLOBAL binlog_expire_logs_seconds = 259200;")
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 0")
	f.alarms("srcDbBinlogExpireLogsDays", "never purges")
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 2592000", "SET GLOBAL binlog_expire_logs_auto_purge = OFF")
	f.alarms("srcDbBinlogExpireLogsDays", "never purges")

	f.onSource("CREATE TABLE mysql.rds_configuration (name VARCHAR(100), value VARCHAR(100), description VARCHAR(300))",
		"INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', NULL, '')")
	f.fails("srcDbBinlogExpireLogsDays", "is not set", "CALL mysql.rds_set_configuration")
	f.onSource("UPDATE mysql.rds_configuration SET value = 96")
	f.passes("srcDbBinlogExpireLogsDays", "96 hours")

	for _, edition := range []string{"mysql55", "mariadb"} {
		f := serverFixture(t, testdb.Own(t, edition, "--expire-logs-days=5"), testdb.Get(t, "mysql97"))
		f.passes("srcDbBinlogExpireLogsDays", "120 hours")
		f.onSource("SET GLOBAL expire_logs_days = 1")
		f.alarms("srcDbBinlogExpireLogsDays", "24 hours")
		f.onSource("SET GLOBAL expire_logs_days = 0")
		f.alarms("srcDbBinlogExpireLogsDays", "never purges")
	}
}

func TestBinlog_GTID(t *testing.T) {
	plainFixture(t, "mysql55").alarms("srcGtidStatusCheck", "gtid_mode = ON")
	plainFixture(t, "mariadb").passes("srcGtidStatusCheck")
	serverFixture(t, testdb.Own(t, "mysql97", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"), testdb.Get(t, "mysql97")).passes("srcGtidStatusCheck")
}

// TestServerID_TheTasksOwnDumpMayBeEndingStill: what this very task read a moment
// ago is no other client; one that stays is.
func TestServerID_TheTasksOwnDumpMayBeEndingStill(t *testing.T) {
	t.Parallel()
	f := plainFixture(t, "mysql97")
	e := NewEnv(f.config)
	t.Cleanup(func() { _ = e.Close() })
	s, err := e.src(t.Context())
	require.NoError(t, err)
	status, err := binlogStatus(t.Context(), s)
	require.NoError(t, err)
	offset, err := strconv.ParseUint(status["position"], 10, 64)
	require.NoError(t, err)
	open := func() *binlog.Stream {
		stream, err := binlog.Open(t.Context(), binlog.Config{
			Conn: f.config.Source.Settled(s.capabilities), Capabilities: s.capabilities, ServerID: binlog.ServerID(f.config.TaskID, 0),
			From:           position.Position{Flavor: s.capabilities.Flavor, Server: s.capabilities.Identity(), File: status["file"], Offset: offset},
			StatementsOnly: true, Tables: noTables{}, Heartbeat: 500 * time.Millisecond,
		})
		require.NoError(t, err)
		return stream
	}
	stays := open()
	f.fails("srcDbServerIdCheck", "a replica of the source has the server id")
	stays.Close()
	ends := open()
	ended := make(chan struct{})
	time.AfterFunc(time.Second, func() { ends.Close(); close(ended) })
	f.passes("srcDbServerIdCheck", "no replica has it")
	<-ended
}
