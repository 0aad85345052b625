package ddmsim_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

const everyType = `id BIGINT PRIMARY KEY, i1 TINYINT, u1 TINYINT UNSIGNED, i2 SMALLINT, i3 MEDIUMINT, u3 MEDIUMINT UNSIGNED, i4 INT, u8 BIGINT UNSIGNED,
	f FLOAT, d DOUBLE, n DECIMAL(30,10), y YEAR, da DATE, ti TIME(6), ti0 TIME, dt DATETIME(6), dt0 DATETIME, dt3 DATETIME(3), ts TIMESTAMP(6) NULL,
	c CHAR(10), vc VARCHAR(100), bi BINARY(4), vb VARBINARY(100), tx LONGTEXT, bl LONGBLOB, bt BIT(12), js JSON, en ENUM('a','ö'), se SET('x','y'), g INT DEFAULT 7`

var everyValue = []string{
	"(1,-128,255,-32768,-8388608,16777215,-2147483648,18446744073709551615,0.1,1.7976931348623157e308,12345678901234567890.0123456789,2155,'9999-12-31','-838:59:58.999999','838:59:59','2024-02-29 23:59:59.999999','1583-01-01 00:00:00','2024-01-01 00:00:00.120','2038-01-19 03:14:07.999999','ab ','ünïcödé 💾 \\' \\\\ \\n \\0 \\Z \\% \\_','',x'00ff5c27',NULL,x'',b'101010101010','{\"a\": [1, 2.5, null, \"ü\"]}','ö','x,y',DEFAULT)",
	"(2,0,0,0,0,0,0,0,-3.4028234e38,5e-324,-0.0000000001,1901,'1000-01-01','00:00:00.000000','-00:00:01','1583-01-01 00:00:00.000001','2024-01-01 10:00:00','2024-01-01 00:00:00.000',NULL,'','',x'01',x'','long','',b'0','[]','a','',1)",
	"(3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
	"(4,1,1,1,1,1,1,9223372036854775808,1.17549435e-38,2.2250738585072014e-308,0,0,'2024-01-01','12:34:56.1','12:00:00','2024-01-01 12:00:00.5','2024-01-01 12:00:00','2024-01-01 12:00:00.5','2024-01-01 12:00:00.000001','x','\t\"`','x','y','z',0xdeadbeef,b'1','\"s\"','a','x',2)",
}

// TestValues_EqualDirectRead reads every type through the simulator and from
// the node, in both protocols: bytes and column definitions are the same.
func TestValues_EqualDirectRead(t *testing.T) {
	for _, editions := range [][]string{{"mysql97", "mysql97"}, {"mysql57", "mysql97"}} {
		t.Run(strings.Join(editions, "+"), func(t *testing.T) {
			s := simtest.Start(t, 2, simtest.On(editions...))
			db := s.DB(t, "collation=utf8mb4_unicode_ci")
			exec(t, db, "CREATE TABLE v ("+everyType+") DBPARTITION BY RANGE(id) {1-2=0, 3-4=1} TBPARTITION BY MOD_HASH(i4) TBPARTITIONS 2")
			exec(t, db, "CREATE TABLE w ("+everyType+") DBPARTITION BY MOD_HASH(id)")
			exec(t, db, "SET time_zone='+00:00'")
			for _, table := range []string{"v", "w"} {
				text := strings.ReplaceAll(strings.Join(everyValue, ","), "'x','y','z',0xdead", "x'78',x'79','z',0xdead")
				exec(t, db, "INSERT INTO "+table+" VALUES "+text)
			}
			through, err := client.Connect(s.Server.Addr(), s.User, s.Password, s.Schema)
			require.NoError(t, err)
			defer func() { _ = through.Close() }()
			for shard := range 2 {
				n := s.Nodes[shard]
				direct, err := client.Connect(n.Address(), n.User, n.Password, s.Physical(shard))
				require.NoError(t, err)
				_, err = direct.Execute("SET NAMES utf8mb4")
				require.NoError(t, err)
				for _, q := range []struct{ logical, physical string }{
					{"SELECT * FROM w WHERE id IN (%s)", "SELECT * FROM w WHERE id IN (%s)"},
					{"SELECT * FROM w AS w WHERE id IN (%s) AND 1=1", "SELECT * FROM w WHERE id IN (%s)"},
				} {
					ids := []string{"2,4", "1,3"}[shard]
					for _, binary := range []bool{false, true} {
						sameResult(t, read(t, direct, fmt.Sprintf(q.physical, ids), binary), read(t, through, fmt.Sprintf(q.logical, ids), binary))
					}
				}
				require.NoError(t, direct.Close())
			}
			// A scatter with a merge carries the same bytes.
			whole := read(t, through, "SELECT * FROM v ORDER BY id", true)
			other := read(t, through, "SELECT * FROM w ORDER BY id", true)
			require.Len(t, whole.RowDatas, 4)
			require.Equal(t, whole.RowDatas, other.RowDatas)
		})
	}
}

func read(t *testing.T, c *client.Conn, q string, binary bool) *gomysql.Result {
	t.Helper()
	var r *gomysql.Result
	var err error
	if binary {
		st, perr := c.Prepare(q)
		require.NoError(t, perr, q)
		r, err = st.Execute()
		require.NoError(t, st.Close())
	} else {
		r, err = c.Execute(q)
	}
	require.NoError(t, err, q)
	return r
}

func sameResult(t *testing.T, want, got *gomysql.Result) {
	t.Helper()
	require.Len(t, got.Fields, len(want.Fields))
	for i, f := range want.Fields {
		g := got.Fields[i]
		require.Equal(t, string(f.Name), string(g.Name))
		require.Equal(t, []any{f.Type, f.Flag, f.Charset, f.ColumnLength, f.Decimal}, []any{g.Type, g.Flag, g.Charset, g.ColumnLength, g.Decimal}, string(f.Name))
	}
	require.Len(t, got.RowDatas, len(want.RowDatas))
	for i := range want.RowDatas {
		require.Equal(t, hex.EncodeToString(want.RowDatas[i]), hex.EncodeToString(got.RowDatas[i]), "row %d", i)
	}
}

// TestValues_ArgumentsAreExact writes by the binary protocol through the
// simulator and to a node: both store the same.
func TestValues_ArgumentsAreExact(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE v (id BIGINT PRIMARY KEY, f FLOAT, d DOUBLE, u BIGINT UNSIGNED, i BIGINT, b LONGBLOB, c LONGTEXT, t DATETIME(6)) DBPARTITION BY MOD_HASH(id)")
	exec(t, s.PhysicalDB(t, 0), "CREATE TABLE direct LIKE v")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	at := time.Date(2024, 2, 29, 1, 2, 3, 456789000, time.UTC)
	for i, a := range [][]any{
		{float32(0.1), math.Copysign(0, -1), uint64(math.MaxUint64), int64(math.MinInt64), all, "ü💾'\\\x00\n\r\x1a", at},
		{float32(math.MaxFloat32), math.MaxFloat64, uint64(1) << 63, int64(-1), []byte{}, "", at.Truncate(time.Second)},
		{float32(math.SmallestNonzeroFloat32), 5e-324, uint64(0), int64(0), []byte("'"), "%_\\%\\_", nil},
	} {
		args := append([]any{2 * i}, a...)
		exec(t, db, "INSERT INTO v VALUES (?,?,?,?,?,?,?,?)", args...)
		exec(t, s.PhysicalDB(t, 0), "INSERT INTO direct VALUES (?,?,?,?,?,?,?,?)", args...)
	}
	node, err := client.Connect(s.Nodes[0].Address(), s.Nodes[0].User, s.Nodes[0].Password, s.Physical(0))
	require.NoError(t, err)
	defer func() { _ = node.Close() }()
	want := read(t, node, "SELECT * FROM direct ORDER BY id", true)
	require.Len(t, want.RowDatas, 3)
	require.Equal(t, want.RowDatas, read(t, node, "SELECT * FROM v ORDER BY id", true).RowDatas)
}

// TestValues_LargeRows sends rows above the protocol's 16 MiB packets, as text,
// as an argument and as long data, and reads them back.
func TestValues_LargeRows(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t, "maxAllowedPacket=104857600")
	exec(t, db, "CREATE TABLE v (id BIGINT PRIMARY KEY, b LONGBLOB) DBPARTITION BY MOD_HASH(id)")
	big := make([]byte, 20<<20)
	_, err := rand.Read(big)
	require.NoError(t, err)
	exec(t, db, "INSERT INTO v VALUES (1, x'"+hex.EncodeToString(big)+"')")
	exec(t, db, "INSERT INTO v VALUES (?, ?)", 2, big)
	exec(t, s.DB(t, "maxAllowedPacket=16777216"), "INSERT INTO v VALUES (?, ?)", 3, big[:17<<20-1]) // the driver sends it as long data
	for id, want := range map[int][]byte{1: big, 2: big, 3: big[:17<<20-1]} {
		var got []byte
		require.NoError(t, db.QueryRow("SELECT b FROM v WHERE id = ?", id).Scan(&got))
		require.True(t, bytes.Equal(want, got), "row %d", id)
		require.NoError(t, db.QueryRow(fmt.Sprintf("SELECT b FROM v WHERE id = %d", id)).Scan(&got))
		require.True(t, bytes.Equal(want, got), "row %d", id)
	}
}

// D-08: a statement above max_allowed_packet is refused and the connection lives on.
func TestValues_MaxAllowedPacket(t *testing.T) {
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.MaxAllowedPacket, c.AdvertisedPacket = 1<<20, 1<<30 }))
	conn, err := s.DB(t, "maxAllowedPacket=104857600").Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = conn.ExecContext(t.Context(), "SELECT '"+strings.Repeat("x", 2<<20)+"'")
	require.ErrorContains(t, err, "Error 1153")
	require.Equal(t, [][]string{{"1073741824"}}, rows(t, conn, "SELECT @@max_allowed_packet"), "as a relative of DDM does")
}

// A prepared statement that is run again takes new arguments, NULL included,
// and an error does not end it.
func TestValues_ReExecution(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE v (id BIGINT PRIMARY KEY, a VARCHAR(20), n DOUBLE) DBPARTITION BY MOD_HASH(id)")
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	st, err := conn.PrepareContext(t.Context(), "INSERT INTO v VALUES (?, ?, ?)")
	require.NoError(t, err)
	for _, a := range [][]any{{1, "x", 1.5}, {2, nil, nil}, {3, "y", 7}} {
		_, err = st.Exec(a...)
		require.NoError(t, err)
		_, err = st.Exec(a...)
		require.ErrorContains(t, err, "Error 1062")
	}
	require.NoError(t, st.Close())
	require.Equal(t, [][]string{{"1", "x", "1.5"}, {"2", "NULL", "NULL"}, {"3", "y", "7"}}, rows(t, db, "SELECT * FROM v ORDER BY id"))
}
