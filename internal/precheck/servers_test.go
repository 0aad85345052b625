package precheck

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

func TestServers_SettingsThatApplicationsSee(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql97"), testdb.Get(t, "mysql97"))
	for _, c := range []struct{ code, set, want string }{
		{"dbCollationServerConsistency", "SET GLOBAL character_set_server = 'latin1'", "character_set_server: latin1 on the source"},
		{"innodbStrictModeConsistency", "SET GLOBAL innodb_strict_mode = OFF", "innodb_strict_mode"},
		{"dbGroupConcatMaxLenConsistency", "SET GLOBAL group_concat_max_len = 99999", "group_concat_max_len: 99999 on the source"},
		{"mysqlBlockEncryptionModeInconsistency", "SET GLOBAL block_encryption_mode = 'aes-256-cbc'", "block_encryption_mode: aes-256-cbc"},
	} {
		f.passes(c.code)
		f.onSource(c.set)
		f.alarms(c.code, c.want)
	}
	ddm := ddmFixture(t)
	for _, c := range comparisons() {
		ddm.check(c.code)
	}
}

func TestServers_NameResolution(t *testing.T) {
	plainFixture(t, "mysql80").passes("srcSkipNameResolve")
	f := serverFixture(t, testdb.Own(t, "mysql97", "--skip-name-resolve=OFF"), testdb.Get(t, "mysql97"))
	f.alarms("srcSkipNameResolve", "skip_name_resolve = ON")
}

// TestServers_PerconaWithoutJemalloc: Percona Server cannot be had here, so that
// its variables stand for it.
func TestServers_PerconaWithoutJemalloc(t *testing.T) {
	plainFixture(t, "mysql57").passes("srcPerconaJemalloc")
	variables := map[string]string{"version_comment": "percona server (gpl), release 15"}
	verdict := func(number int) contract.Verdict {
		return jemallocOf(number, func(name string) string { return variables[name] }).verdict
	}
	require.Equal(t, contract.Alarm, verdict(50730))
	require.Equal(t, contract.Passed, verdict(80030))
	variables["jemalloc_detected"] = "on"
	require.Equal(t, contract.Passed, verdict(50730))
}

func TestServers_TimeZoneTables(t *testing.T) {
	source := testdb.Own(t, "mysql80")
	f := serverFixture(t, source, testdb.Get(t, "mysql97"))
	f.passes("dbTimeZoneTables")
	for i, name := range []string{"UTC", "Europe/Berlin"} {
		f.onSource(fmt.Sprintf("INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (%d, 'N')", i+1),
			fmt.Sprintf("INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('%s', %d)", name, i+1),
			fmt.Sprintf("INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, Offset, Is_DST, Abbreviation) VALUES (%d, 0, %d, 0, 'Z')", i+1, i*3600))
	}
	f.alarms("dbTimeZoneTables", "mysql_tzinfo_to_sql")
	ddmFixture(t).check("dbTimeZoneTables")
}

func TestServers_TablesEncryptedAtRest(t *testing.T) {
	f := plainFixture(t, "mariadb")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	f.passes("sourceEncryptTableActionChecker")
	// InnoDB wants a key ring, which no test server has; the catalogue's words are the same.
	f.onSource("SET SESSION sql_mode = 'IGNORE_BAD_TABLE_OPTIONS'; CREATE TABLE b (id INT PRIMARY KEY) ENGINE=MyISAM ENCRYPTED=YES")
	f.alarms("sourceEncryptTableActionChecker", f.from+".b")
}

func TestServers_Masking(t *testing.T) {
	own := testdb.Own(t, "mysql80")
	f := serverFixture(t, own, own)
	f.passes("sourceCheckDynamicMasking")
	f.passes("targetCheckDynamicMasking")
	f.onSource("INSERT INTO mysql.component (component_group_id, component_urn) VALUES (1, 'file://component_masking')")
	f.alarms("sourceCheckDynamicMasking", "component file://component_masking")
	f.alarms("targetCheckDynamicMasking", "component file://component_masking")
	ddmFixture(t).check("targetCheckDynamicMasking")
}

func TestEncryption_OfBothSides(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.passes("isUserRequireSslLink", "encrypted")
	f.passes("dstSslConnection", "encrypted")
	f.config.Source.TLS.Mode, f.config.Destination.TLS.Mode = mysqlconn.TLSDisabled, mysqlconn.TLSDisabled
	f.alarms("isUserRequireSslLink", "not encrypted", "source.tls.mode: required")
	f.alarms("dstSslConnection", "not encrypted", "destination.tls.mode: required")
	plainFixture(t, "mysql55").alarms("isUserRequireSslLink", "not encrypted")
	ddmFixture(t).alarms("dstSslConnection", "not encrypted")
}

// TestEncryption_AccountThatWantsTLS: REQUIRE SSL without it is a failure of the connection.
func TestEncryption_AccountThatWantsTLS(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.as("SELECT ON `SCHEMA`.*")
	user := f.config.Source.User
	run(t, f.source.DB(t, ""), []string{"ALTER USER '" + user + "'@'%' REQUIRE SSL"})
	f.passes(codeSource)
	f.passes("isUserRequireSslLink")
	f.config.Source.TLS.Mode = mysqlconn.TLSDisabled
	f.fails(codeSource, "access was denied")
}

func TestCertificates_OfTheTaskFile(t *testing.T) {
	f := plainFixture(t, "mysql97")
	for _, c := range []struct {
		ca   string
		want contract.Verdict
		text string
	}{
		{certificate(t, time.Hour*24*365), contract.Passed, "encrypted"},
		{certificate(t, time.Hour*24*3), contract.Alarm, "expires on"},
		{certificate(t, -time.Hour), contract.Failed, "has expired"},
		{"no pem", contract.Failed, "has no certificate"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", contract.Failed, "cannot be read"},
	} {
		got, bad := certificates(mysqlconn.TLS{CA: c.ca}, "source")
		require.Equal(t, c.want != contract.Passed, bad)
		if bad {
			require.Equal(t, c.want, got.verdict)
			require.Contains(t, got.reason, c.text)
		}
	}
	f.config.Source.TLS.Mode, f.config.Source.TLS.CA = mysqlconn.TLSRequired, certificate(t, time.Hour)
	f.alarms("isUserRequireSslLink", "expires on")
	f.config.Destination.TLS.Mode, f.config.Destination.TLS.CA = mysqlconn.TLSRequired, certificate(t, -time.Hour)
	f.fails("dstSslConnection", "has expired")
}

func certificate(t *testing.T, valid time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(valid), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestActivity_LongTransactionsAndLocks(t *testing.T) {
	for _, edition := range []string{"mysql56", "mysql80", "mariadb"} {
		t.Run(edition, func(t *testing.T) {
			f := serverFixture(t, testdb.Own(t, edition), testdb.Get(t, "mysql97"))
			f.onSource("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO a VALUES (1)")
			f.passes("srcLongTransactions")
			f.isSeenWhenOld("a")
			held, err := f.src.Conn(t.Context())
			require.NoError(t, err)
			defer func() { require.NoError(t, held.Close()) }()
			_, err = held.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK")
			require.NoError(t, err)
			if edition != "mysql80" { // older ones show who waits
				waits := make(chan error, 1)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					_, err := f.src.ExecContext(ctx, "INSERT INTO a VALUES (2)")
					waits <- err
				}()
				require.Eventually(t, func() bool { return f.check("srcLongTransactions").Verdict == contract.Alarm }, time.Minute, 200*time.Millisecond)
				cancel()
				require.Error(t, <-waits)
			} else {
				f.alarms("srcLongTransactions", "somebody holds a")
			}
			_, err = held.ExecContext(t.Context(), "UNLOCK TABLES")
			require.NoError(t, err)
			f.as("SELECT ON `SCHEMA`.*")
			f.alarms("srcLongTransactions", "without PROCESS")
		})
	}
}

// isSeenWhenOld opens a transaction; the item's own clock stands for the minute
// that has passed.
func (f *fixture) isSeenWhenOld(tables string) {
	f.t.Helper()
	held, err := f.src.Conn(f.t.Context())
	require.NoError(f.t, err)
	defer func() { require.NoError(f.t, held.Close()) }()
	for _, s := range []string{"START TRANSACTION", "INSERT INTO " + tables + " VALUES (77)"} {
		_, err = held.ExecContext(f.t.Context(), s)
		require.NoError(f.t, err)
	}
	session := f.config.Source.Session
	f.config.Source.Session = append(slices.Clone(session), mysqlconn.Setting{Name: "timestamp", Value: "UNIX_TIMESTAMP() + 3600"})
	// InnoDB shows transactions from a copy that is a tenth of a second old.
	require.Eventually(f.t, func() bool { return f.check("srcLongTransactions").Verdict == contract.Alarm }, time.Minute, 200*time.Millisecond)
	f.alarms("srcLongTransactions", "has changed 1 rows", "KILL <id>;")
	f.config.Source.Session = session
	_, err = held.ExecContext(f.t.Context(), "ROLLBACK")
	require.NoError(f.t, err)
}

func TestBinlog_DumpIsTried(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.passes("srcBinlogDump")
			f.as("SELECT ON `SCHEMA`.*", "REPLICATION CLIENT ON *.*")
			f.fails("srcBinlogDump", "does not send its binlog")
		})
	}
}

func TestBinlog_PurgedBeforeTheCopyEndsAndCompressed(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql97"), testdb.Get(t, "mysql97"))
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY) STATS_PERSISTENT=1", "INSERT INTO a VALUES (1)", "ANALYZE TABLE a", "SET GLOBAL binlog_expire_logs_seconds = 3600")
	f.passes("srcBinlogPurgeHorizon", "the copy takes about a minute")
	f.pretendBytes("a", 200<<30)
	f.alarms("srcBinlogPurgeHorizon", "the copy takes about 6 hours, the binlog is kept for 60 minutes", "SET GLOBAL binlog_expire_logs_seconds")
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 2592000")
	f.passes("srcBinlogPurgeHorizon")
	f.config.Spec.Limits.MBPerSecond = 1
	f.passes("srcBinlogPurgeHorizon", "57 hours")
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 10800")
	f.alarms("srcBinlogPurgeHorizon", "57 hours")
	f.config.Spec.Policy.Apply = task.DuringCopy
	f.passes("srcBinlogPurgeHorizon", "the apply beside the copy is behind by up to about 60 minutes, the binlog is kept for 3 hours")
	f.config.Spec.Policy.Apply = ""
	f.onSource("SET GLOBAL binlog_expire_logs_seconds = 0")
	f.passes("srcBinlogPurgeHorizon", "does not purge by age")

	f.passes("srcBinlogCompression", "is not compressed")
	f.onSource("SET GLOBAL binlog_transaction_compression = ON")
	f.passes("srcBinlogCompression", "unpack it as a stream")
}

// pretendBytes makes the server's statistics say that a table is large.
func (f *fixture) pretendBytes(name string, bytes int64) {
	f.t.Helper()
	f.onSource(fmt.Sprintf("UPDATE mysql.innodb_table_stats SET clustered_index_size = %d WHERE database_name = '%s' AND table_name = '%s'", bytes/16384, f.from, name), "FLUSH TABLE `"+f.from+"`.`"+name+"`")
}

func TestGTID_FormsOfTheSet(t *testing.T) {
	for _, edition := range editions {
		plainFixture(t, edition).passes("gtidFormatCheck")
	}
	f := serverFixture(t, testdb.Own(t, "mysql97", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"), testdb.Get(t, "mysql97"))
	set := "11111111-2222-3333-4444-555555555555"
	for i := range manyRanges + 10 {
		set += fmt.Sprintf(":%d", 2*i+1)
	}
	f.onSource("SET GLOBAL gtid_purged = '+" + set + "'")
	f.alarms("gtidFormatCheck", "every checkpoint carries them")
}

func TestCapacity_Connections(t *testing.T) {
	f := plainFixture(t, "mysql80")
	f.passes("srcConnectionHeadroom")
	f.passes("dstConnectionHeadroom")
	f.config.Spec.Source.MaxConnections, f.config.Spec.Destination.MaxConnections = 99_000, 99_000
	f.fails("srcConnectionHeadroom", "the task may take 99000", "source.max_connections")
	f.fails("dstConnectionHeadroom", "the task may take 99000", "destination.max_connections")
	var most int
	require.NoError(t, f.src.QueryRowContext(t.Context(), "SELECT @@max_connections").Scan(&most))
	f.config.Spec.Source.MaxConnections = most
	f.alarms("srcConnectionHeadroom", "connections left now")
	f.config.Spec.Source.MaxConnections = 10
	f.as("SELECT ON `SCHEMA`.*")
	user := f.config.Source.User
	run(t, f.source.DB(t, ""), []string{"ALTER USER '" + user + "'@'%' WITH MAX_USER_CONNECTIONS 6"})
	f.fails("srcConnectionHeadroom", "lets the account have 6 connections, the task may take 10")
	f.config.Spec.Source.MaxConnections = 6
	f.passes("srcConnectionHeadroom")
	ddmFixture(t).passes("dstConnectionHeadroom")
}

func TestCapacity_Disk(t *testing.T) {
	f := plainFixture(t, "mysql80")
	f.both("CREATE TABLE a (id INT PRIMARY KEY)")
	f.onSource("INSERT INTO a VALUES (1)", "ANALYZE TABLE a")
	f.passes("dstDbDiskSize", "the rows need about")
	f.pretendBytes("a", 100<<30)
	f.alarms("dstDbDiskSize", "destination does not tell its free space; about 250 GiB are needed")
	d := ddmFixture(t)
	d.source, d.from, d.src = f.source, f.from, f.src
	d.setUp()
	d.onTarget("CREATE TABLE a (id INT NOT NULL, PRIMARY KEY (id))")
	d.alarms("dstDbDiskSize", "the middleware does not tell its data nodes' disks")
	d.nodes(d.sim.Nodes...)
	d.alarms("dstDbDiskSize", "data node 1 does not tell its free space; about 125 GiB")
}

// TestCapacity_DiskOfMariaDB: the plugin disks is no part of the test servers,
// so that its rows are written here as it documents them.
func TestCapacity_DiskOfMariaDB(t *testing.T) {
	rows := []record{
		{"path": "/", "free": "1048576", "datadir": "/var/lib/mysql/"},
		{"path": "/var/lib/mysql", "free": "10485760", "datadir": "/var/lib/mysql/"},
		{"path": "/home", "free": "99999999", "datadir": "/var/lib/mysql/"},
	}
	free, known := freeOf(rows)
	require.True(t, known)
	require.Equal(t, int64(10<<30), free)
	var g graded
	g.disk("destination", free, known, 11<<30)
	require.Equal(t, []string{"destination has 10 GiB free, about 11 GiB are needed"}, g.fails)
	g = graded{}
	g.disk("destination", free, known, 9<<30)
	require.Empty(t, g.fails)
	require.Equal(t, int64(700<<30), diskNeeded(500<<30))
}

func TestInventory_WhatStaysBehind(t *testing.T) {
	f := plainFixture(t, "mysql80")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	f.as("SELECT, SHOW VIEW, EVENT, TRIGGER ON `SCHEMA`.*")
	f.passes("srcTriggerAndEventCheck")
	f.onSource("CREATE VIEW v AS SELECT id FROM a", "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.id = NEW.id",
		"CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SELECT 1", "CREATE PROCEDURE p() SELECT 1")
	f.alarms("srcTriggerAndEventCheck", f.from+": 1 views", f.from+": 1 triggers", f.from+": 1 events", "not seen without SELECT on mysql.user")
	f.as("SELECT, SHOW VIEW, EVENT ON `SCHEMA`.*")
	f.alarms("srcTriggerAndEventCheck", "GRANT TRIGGER ON `"+f.from+"`.* TO '<source-user>'@'%';")
	f = plainFixture(t, "mysql80")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE PROCEDURE p() SELECT 1")
	f.alarms("srcTriggerAndEventCheck", f.from+": 1 routines", "accounts with their privileges")
}
