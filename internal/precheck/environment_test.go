package precheck

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
)

func TestEnvironment_SourceMustNotBeTheDestination(t *testing.T) {
	for _, edition := range []string{"mysql97", "mysql55", "mariadb"} {
		t.Run(edition, func(t *testing.T) {
			s := testdb.Get(t, edition)
			f := serverFixture(t, s, s)
			f.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
			f.alarms("dbServerUuidConsistency", "same server, with other tables")
			f.config.Spec.Objects[0].To = f.from
			f.fails("dbServerUuidConsistency", f.from+".a would be written")
		})
	}
	plainFixture(t, "mysql57").passes("dbServerUuidConsistency")
	d := ddmFixture(t) // the source is the server of the data nodes
	d.fails("dbServerUuidConsistency", "data node")
	ddmFixture(t, simtest.On("mysql80")).passes("dbServerUuidConsistency")
}

func TestEnvironment_ClockZoneAndMode(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql97"), testdb.Get(t, "mysql97"))
	f.passes("dbClockConsistency")
	f.passes("dbTimeZoneConsistency")
	f.passes("sqlModeConsistency")
	f.onSource("SET GLOBAL time_zone = '+08:00'", "SET GLOBAL sql_mode = 'ANSI_QUOTES'")
	f.alarms("dbTimeZoneConsistency", "+08:00 on the source")
	f.alarms("sqlModeConsistency", "only the source has ANSI_QUOTES", "only the destination has STRICT_TRANS_TABLES")
	d := ddmFixture(t)
	for _, code := range []string{"dbClockConsistency", "dbTimeZoneConsistency", "sqlModeConsistency"} {
		d.check(code)
	}
}

func TestEnvironment_ClocksApart(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.passes("dbClockConsistency")
	// A session's own TIMESTAMP stands for a server whose clock is wrong.
	f.config.Source.Session = append(f.config.Source.Session, ourClock())
	f.alarms("dbClockConsistency", "the clocks differ")
}

func TestXA_PreparedTransactionsBlock(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql80"), testdb.Get(t, "mysql97"))
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)")
	f.passes("srcXaPreparedCheck")
	conn, err := f.src.Conn(t.Context())
	require.NoError(t, err)
	for _, s := range []string{"XA START 'x'", "INSERT INTO a VALUES (1)", "XA END 'x'", "XA PREPARE 'x'"} {
		_, err := conn.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	f.fails("srcXaPreparedCheck", "1 XA transactions")
	whole := f.config.Source
	f.as("SELECT ON `SCHEMA`.*")
	f.alarms("srcXaPreparedCheck", "GRANT XA_RECOVER_ADMIN ON *.* TO '<source-user>'@'%';")
	_, err = conn.ExecContext(t.Context(), "XA ROLLBACK 'x'")
	require.NoError(t, err)
	f.config.Source = whole
	f.passes("srcXaPreparedCheck")
}

func TestPackets_TooSmallForTheLargestRow(t *testing.T) {
	f := serverFixture(t, testdb.Own(t, "mysql55"), testdb.Own(t, "mysql97"))
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY, body LONGBLOB) ENGINE=InnoDB")
	f.onTarget("SET GLOBAL max_allowed_packet = 4194304")
	f.onSource("SET GLOBAL max_allowed_packet = 16777216")
	again := func() { // new connections have the new limit
		f.src, f.dst = f.source.DB(t, f.from), f.target.DB(t, f.to)
	}
	again()
	f.passes("dstMaxAllowedPacketCheck", "4 MiB")
	f.passes("MysqlSourceMaxAllowedPacketActionChecker")
	f.passes("srcHasLargeColumnTypeCheck")
	f.onSource("INSERT INTO a VALUES (1, REPEAT('x', 8000000))", "ANALYZE TABLE a")
	f.fails("dstMaxAllowedPacketCheck", f.from+".a has a row of about 7 MiB")
	f.fails("MysqlSourceMaxAllowedPacketActionChecker", f.from+".a has a row of about 7 MiB")
	f.onTarget("SET GLOBAL max_allowed_packet = 67108864")
	f.onSource("SET GLOBAL max_allowed_packet = 67108864")
	again()
	f.passes("dstMaxAllowedPacketCheck", "64 MiB")
	f.passes("MysqlSourceMaxAllowedPacketActionChecker")
	f.onSource("UPDATE a SET body = REPEAT('x', 20000000)", "ANALYZE TABLE a")
	f.alarms("srcHasLargeColumnTypeCheck", f.from+".a has a row of about 19 MiB")
}

// TestPackets_RealLimitOfAProxy: what it prints is not what it takes (DBLE).
func TestPackets_RealLimitOfAProxy(t *testing.T) {
	d := ddmFixture(t, simtest.With(func(c *simtest.SimConfig) { c.MaxAllowedPacket, c.AdvertisedPacket = 4<<20, 1<<30 }))
	d.both("CREATE TABLE a (id INT NOT NULL, body LONGBLOB, PRIMARY KEY (id))")
	d.onSource("INSERT INTO a VALUES (1, REPEAT('x', 1000000))", "ANALYZE TABLE a")
	d.passes("dstMaxAllowedPacketCheck", "1024 MiB")
	d.onSource("UPDATE a SET body = REPEAT('x', 3000000)", "ANALYZE TABLE a")
	d.fails("dstMaxAllowedPacketCheck", "too small for the largest rows", d.from+".a has a row of about 2 MiB")
}
