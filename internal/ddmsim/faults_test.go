package ddmsim_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
)

func numberOf(err error) uint16 {
	if m, is := errors.AsType[*mysql.MySQLError](err); is {
		return m.Number
	}
	return 0
}

func TestFaults_NodeDown(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "INSERT INTO o VALUES (0,0),(1,1)")
	tx, err := db.Begin()
	require.NoError(t, err)
	exec(t, tx, "INSERT INTO o VALUES (2,2),(3,3)")
	s.Server.Faults().NodeDown(1)
	_, err = tx.Exec("INSERT INTO o VALUES (5,5)")
	require.EqualValues(t, 1003, numberOf(err), "%v", err)
	_, err = tx.Exec("INSERT INTO o VALUES (4,4)")
	require.EqualValues(t, 1003, numberOf(err), "only ROLLBACK may follow: %v", err)
	require.NoError(t, tx.Rollback())
	require.Equal(t, [][]string{{"0"}}, rows(t, db, "SELECT id FROM o WHERE id = 0"), "the other node goes on")
	refused(t, db, 3009, "connection refused", "INSERT INTO o VALUES (7,7)")
	refused(t, db, 3009, "connection refused", "SELECT * FROM o")
	s.Server.Faults().NodeUp(1)
	require.Equal(t, [][]string{{"0"}, {"1"}}, rows(t, db, "SELECT id FROM o ORDER BY id"))
}

// A statement over several shards that fails ends its transaction without a
// word: what follows is not undone by ROLLBACK, and COMMIT says OK.
func TestSilentRollback_EndsTheTransaction(t *testing.T) {
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.SilentRollback = true }))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "INSERT INTO o VALUES (1,1)")
	tx, err := db.Begin()
	require.NoError(t, err)
	exec(t, tx, "INSERT INTO o VALUES (2,2)")
	_, err = tx.Exec("INSERT INTO o VALUES (1,9),(4,4)")
	require.EqualValues(t, 1062, numberOf(err))
	exec(t, tx, "INSERT INTO o VALUES (6,6)")
	require.NoError(t, tx.Rollback())
	require.Equal(t, [][]string{{"1"}, {"6"}}, rows(t, db, "SELECT id FROM o ORDER BY id"))

	tx, err = db.Begin()
	require.NoError(t, err)
	exec(t, tx, "INSERT INTO o VALUES (8,8)")
	_, err = tx.Exec("INSERT INTO o VALUES (1,9)")
	require.EqualValues(t, 1062, numberOf(err), "on one shard the statement alone fails")
	require.NoError(t, tx.Commit())
	require.Equal(t, [][]string{{"8"}}, rows(t, db, "SELECT id FROM o WHERE id = 8"))
}

// A node that is really killed breaks the transaction, and comes back.
func TestFaults_NodeKilled(t *testing.T) {
	own := testdb.Own(t, "mysql97")
	s := simtest.Start(t, 2, simtest.OnServers(testdb.Get(t, "mysql97"), own))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	tx, err := db.Begin()
	require.NoError(t, err)
	exec(t, tx, "INSERT INTO o VALUES (0,0),(1,1)")
	own.Kill(t)
	require.Error(t, tx.Commit())
	_, err = db.Exec("INSERT INTO o VALUES (3,3)")
	require.EqualValues(t, 3009, numberOf(err), "%v", err)
	own.Start(t)
	exec(t, db, "REPLACE INTO o VALUES (3,3)")
	require.Equal(t, [][]string{{"0"}, {"3"}}, rows(t, db, "SELECT id FROM o ORDER BY id"), "FREE: the first shard stayed committed")
}

func TestFaults_StatementsFailSlowAndDrop(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	f := s.Server.Faults()
	require.NoError(t, f.Fail("insert into o", 1213, "", 2))
	refused(t, db, 1213, "injected", "INSERT INTO o VALUES (1,1)")
	refused(t, db, 1213, "injected", "INSERT INTO o VALUES (?,?)", 1, 1)
	exec(t, db, "INSERT INTO o VALUES (1,1)")

	require.NoError(t, f.Slow("select 7", 150*time.Millisecond, 1))
	begin := time.Now()
	exec(t, db, "SELECT 7")
	require.GreaterOrEqual(t, time.Since(begin), 150*time.Millisecond)

	require.NoError(t, f.DropClient(`VALUES \(2,2\)`, false, 1))
	_, err := db.Exec("INSERT INTO o VALUES (2,2)")
	require.Error(t, err)
	require.Zero(t, numberOf(err))
	require.Empty(t, rows(t, db, "SELECT * FROM o WHERE id = 2"))
	require.NoError(t, f.DropClient(`VALUES \(3,3\)`, true, 1))
	_, err = db.Exec("INSERT INTO o VALUES (3,3)")
	require.Error(t, err)
	require.Zero(t, numberOf(err))
	require.Len(t, rows(t, db, "SELECT * FROM o WHERE id = 3"), 1, "it ran, and the answer was lost")

	exec(t, db, "DDMSIM FAULT ERROR 1205 'delete' TIMES 1")
	exec(t, db, "DDMSIM FAULT SLOW 'x' 10")
	exec(t, db, "DDMSIM FAULT COMMIT 1")
	exec(t, db, "DDMSIM FAULT NODE 1 DOWN")
	require.Equal(t, [][]string{{"node 1 down", "", ""}, {"error 1205", "delete", "1"}, {"slow 10ms", "x", "-1"}, {"commit fails after 1 shards", "", "1"}}, rows(t, db, "DDMSIM SHOW FAULTS"))
	exec(t, db, "DDMSIM FAULT CLEAR")
	exec(t, db, "DELETE FROM o")
	_, err = db.Exec("DDMSIM FAULT DROP CLIENTS")
	require.Error(t, err)
	refused(t, db, 1064, "DDMSIM", "DDMSIM FAULT nonsense")
}

// KILL ends the statement or the client; nothing of it commits afterwards.
func TestKill_EndsNodeConnections(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	exec(t, db, "INSERT INTO o VALUES (0,0)")
	ctx := context.Background()
	victim, err := db.Conn(ctx)
	require.NoError(t, err)
	id := rows(t, victim, "SELECT CONNECTION_ID()")[0][0]

	locker, err := db.Begin()
	require.NoError(t, err)
	require.Len(t, rows(t, locker, "SELECT * FROM o WHERE id = 0 FOR UPDATE"), 1)
	waiting := func(q string) chan error {
		done := make(chan error, 1)
		go func() { _, err := victim.ExecContext(ctx, q); done <- err }()
		require.Eventually(t, func() bool {
			for _, r := range rows(t, db, "SHOW PROCESSLIST") {
				if r[0] == id && r[4] == "Query" {
					return true
				}
			}
			return false
		}, time.Minute, 5*time.Millisecond)
		return done
	}
	done := waiting("UPDATE o SET v = 1 WHERE id = 0")
	exec(t, db, "KILL QUERY "+id)
	require.EqualValues(t, 1317, numberOf(<-done))
	require.Equal(t, id, rows(t, victim, "SELECT CONNECTION_ID()")[0][0], "the connection lives")

	done = waiting("UPDATE o SET v = 2 WHERE id = 0")
	exec(t, db, "KILL "+id)
	require.Error(t, <-done)
	require.Eventually(t, func() bool {
		for _, r := range rows(t, db, "SHOW PROCESSLIST") {
			if r[0] == id {
				return false
			}
		}
		return true
	}, time.Minute, 5*time.Millisecond, "the killed client is gone from the list")
	require.NoError(t, locker.Rollback())
	require.Equal(t, [][]string{{"0"}}, rows(t, db, "SELECT v FROM o"))
	refused(t, db, 1094, "Unknown thread id", "KILL 999999")
	_ = victim.Close()
}

// A killed client that holds a transaction loses it and its locks.
func TestKill_RollsBackAnIdleTransaction(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	tx, err := db.Begin()
	require.NoError(t, err)
	exec(t, tx, "INSERT INTO o VALUES (0,0),(1,1)")
	exec(t, db, "KILL "+rows(t, tx, "SELECT CONNECTION_ID()")[0][0])
	require.Error(t, tx.Commit())
	exec(t, db, "INSERT INTO o VALUES (0,5),(1,5)") // the locks are free
}

func TestKill_Physical(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	tx, err := db.Begin()
	require.NoError(t, err)
	exec(t, tx, "INSERT INTO o VALUES (1,1)")
	thread := ""
	shown := rows(t, tx, "SELECT CONNECTION_ID() FROM o WHERE id = 1")[0][0] // pushed down: the node's own number
	for _, r := range rows(t, db, "SHOW PHYSICAL PROCESSLIST") {
		if r[7] == s.Physical(1) {
			thread = r[4]
		}
	}
	require.Equal(t, shown, thread)
	n := s.Nodes[1]
	exec(t, db, "kill physical "+thread+"@"+n.Host+":"+strconv.Itoa(n.Port))
	_, err = tx.Exec("INSERT INTO o VALUES (3,3)")
	require.EqualValues(t, 1003, numberOf(err), "%v", err)
	_ = tx.Rollback()
}

// What real DDM may lack can be switched off.
func TestKill_SwitchedOff(t *testing.T) {
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.NoKill, c.NoKillPhysical, c.NoRowLocks = true, true, true }))
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	for _, q := range []string{"KILL 1", "kill physical 1@127.0.0.1:1", "SHOW PHYSICAL PROCESSLIST", "SELECT * FROM o WHERE id=1 FOR UPDATE", "SELECT * FROM o WHERE id=1 LOCK IN SHARE MODE"} {
		refused(t, db, 1105, "switched off", q)
	}
}

// A held statement waits until it is released; one that is killed meanwhile
// never runs.
func TestFaults_Hold(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
	arrived, release, err := s.Server.Faults().Hold("insert into o")
	require.NoError(t, err)
	victim, err := db.Conn(t.Context())
	require.NoError(t, err)
	id := rows(t, victim, "SELECT CONNECTION_ID()")[0][0]
	done := make(chan error, 1)
	go func() {
		_, err := victim.ExecContext(context.Background(), "INSERT INTO o VALUES (1,1)")
		done <- err
	}()
	<-arrived
	exec(t, db, "KILL "+id)
	release()
	require.Error(t, <-done)
	_ = victim.Close()
	exec(t, db, "INSERT INTO o VALUES (2,2)")
	require.Equal(t, [][]string{{"2"}}, rows(t, db, "SELECT id FROM o"))
}

func TestServer_TLSAndPassword(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"ddmsim"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s := simtest.Start(t, 2, simtest.With(func(c *simtest.SimConfig) { c.TLS = &tls.Config{Certificates: []tls.Certificate{pair}} }))
	for _, mode := range []string{"tls=skip-verify", "tls=false"} {
		db := s.DB(t, mode)
		exec(t, db, "CREATE TABLE IF NOT EXISTS o (id BIGINT PRIMARY KEY, u BIGINT UNSIGNED) DBPARTITION BY MOD_HASH(id)")
		exec(t, db, "REPLACE INTO o VALUES (?, ?)", 1, uint64(1)<<63)
		require.Equal(t, [][]string{{"9223372036854775808"}}, rows(t, db, "SELECT u FROM o WHERE id = ?", 1))
	}
	s.Password = "wrong"
	err = s.DB(t).Ping()
	require.EqualValues(t, 1045, numberOf(err), "%v", err)
}

func TestServer_SessionState(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, t TIMESTAMP(3) NULL) DBPARTITION BY MOD_HASH(id)")
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	exec(t, conn, "SET time_zone = '+05:00', sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO'), lock_wait_timeout = 7")
	exec(t, conn, "INSERT INTO o VALUES (1, '2024-01-01 05:00:00')")
	exec(t, conn, "SET SESSION time_zone = '+00:00'")
	require.Equal(t, [][]string{{"2024-01-01 00:00:00.000"}}, rows(t, conn, "SELECT t FROM o WHERE id = 1"))
	require.Equal(t, [][]string{{"7"}}, rows(t, conn, "SELECT @@lock_wait_timeout"))
	require.Contains(t, rows(t, conn, "SELECT @@sql_mode")[0][0], "NO_AUTO_VALUE_ON_ZERO")
	refusedOn(t, conn, 1193, "SET nothing_like_that = 1")
	refusedOn(t, conn, 1298, "SET time_zone = 'Nowhere/Else'")
	require.Equal(t, [][]string{{"READ-COMMITTED"}}, rows(t, conn, "SELECT @@transaction_isolation"))
	exec(t, conn, "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE")
	require.Equal(t, [][]string{{"READ-COMMITTED"}}, rows(t, conn, "SELECT @@transaction_isolation"), "D-61: accepted and ignored")

	exec(t, conn, "SET autocommit = 0")
	exec(t, conn, "INSERT INTO o VALUES (2, NULL), (3, NULL)")
	require.Equal(t, [][]string{{"1"}}, rows(t, db, "SELECT COUNT(*) FROM o"))
	exec(t, conn, "SET autocommit = 1")
	require.Equal(t, [][]string{{"3"}}, rows(t, db, "SELECT COUNT(*) FROM o"))

	exec(t, conn, "BEGIN")
	exec(t, conn, "DELETE FROM o")
	require.NoError(t, conn.PingContext(t.Context()))
	require.NoError(t, conn.Raw(func(c any) error {
		return c.(interface{ ResetSession(context.Context) error }).ResetSession(t.Context())
	}))
	exec(t, conn, "ROLLBACK")
	require.Equal(t, [][]string{{"3"}}, rows(t, db, "SELECT COUNT(*) FROM o"))
}

func refusedOn(t *testing.T, c *sql.Conn, number uint16, q string) {
	t.Helper()
	_, err := c.ExecContext(t.Context(), q)
	require.Equal(t, number, numberOf(err), "%s: %v", q, err)
}

// Rules and rows survive a restart; another number of shards is refused.
func TestServer_Restart(t *testing.T) {
	s := simtest.Start(t, 2)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE o (id BIGINT PRIMARY KEY, at DATE) DBPARTITION BY YYYYMM(at) TBPARTITION BY MOD_HASH(id) TBPARTITIONS 2")
	exec(t, db, "INSERT INTO o VALUES (1,'2024-01-01'),(2,'2024-02-01')")
	s.Restart(t)
	require.Equal(t, [][]string{{"1", "2024-01-01"}}, rows(t, db, "SELECT * FROM o WHERE at = '2024-01-01'"))
	require.EqualValues(t, 1, exec(t, db, "DELETE FROM o WHERE at='2024-02-01'"))
	require.NoError(t, s.Server.Close())
	s.Config.Shards = 3
	_, err := simtest.StartServer(t, s.Config)
	require.ErrorContains(t, err, "has 2 shards, not 3")
	s.Config.Shards = 2
	s.Restart(t)
}
