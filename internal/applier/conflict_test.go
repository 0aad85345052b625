package applier

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/testdb"
)

// TestRule5_ConflictsAreTriedAgain: somebody's transaction on the destination
// makes the applier's one wait too long (1205) and makes it the victim of a
// deadlock (1213). It is written again; nothing is lost, nothing counts as
// divergent.
func TestRule5_ConflictsAreTriedAgain(t *testing.T) {
	for _, sharded := range []bool{false, true} {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprintf("sharded %v, strict %v", sharded, strict), func(t *testing.T) {
				t.Parallel()
				newConflict(t, sharded, strict).lockWaitThenDeadlock()
			})
		}
	}
}

// conflict is a rig and the server that holds rows 1 to 4 of one shard.
type conflict struct {
	*rig
	storage *sql.DB
	strict  bool
}

func newConflict(t *testing.T, sharded, strict bool) *conflict {
	t.Helper()
	var rules map[string]string
	if sharded {
		rules = map[string]string{"t": "DBPARTITION BY MOD_HASH(s)"}
	}
	c := &conflict{strict: strict}
	c.rig = newRig(t, "mysql97", sharded, map[string]string{"t": "(id BIGINT NOT NULL PRIMARY KEY, s INT NOT NULL, v INT NOT NULL)"}, rules, simtest.On("mysql97"))
	c.storage = c.dstDB
	if sharded {
		c.storage = testdb.Get(t, "mysql97").DB(t, c.to+"_0001")
	}
	c.shortWaits()
	c.exec("INSERT INTO t VALUES (1,1,0),(2,1,0),(3,1,0),(4,1,0)")
	c.drain()
	return c
}

// shortWaits makes the destination's sessions wait for locks one second only.
func (c *conflict) shortWaits() {
	config := c.dstConn
	config.Session = []mysqlconn.Setting{{Name: "innodb_lock_wait_timeout", Value: "1"}}
	var err error
	c.dst, err = destination.Open(c.t.Context(), config, "auto")
	require.NoError(c.t, err)
	impatient := c.dst
	c.t.Cleanup(func() { require.NoError(c.t, impatient.Close()) })
}

func (c *conflict) lockWaitThenDeadlock() {
	t := c.t
	c.against(func(foreign *sql.Conn) {
		c.run(foreign, "SELECT id FROM t WHERE id = 2 FOR UPDATE")
	}, func(foreign *sql.Conn, waiting func() int64) {
		first := waiting()
		require.Eventually(t, func() bool { return waiting() != first }, 2*time.Minute, 50*time.Millisecond, "nobody gave up waiting")
		c.run(foreign, "ROLLBACK")
	})
	c.against(func(foreign *sql.Conn) {
		// The transaction that has changed less is the victim.
		var rows strings.Builder
		for i := range 500 {
			fmt.Fprintf(&rows, ",(%d,1,0)", 1001+i)
		}
		c.run(foreign, "INSERT INTO t VALUES (1000,1,0)"+rows.String(), "SELECT id FROM t WHERE id = 2 FOR UPDATE")
	}, func(foreign *sql.Conn, waiting func() int64) {
		waiting()
		c.run(foreign, "UPDATE t SET v = 7 WHERE id = 1", "ROLLBACK") // not the victim itself
	})
}

// against changes rows on the source while somebody's transaction on the
// destination is open; then goes on once the applier waits for it. waiting
// returns the transaction that waits.
func (c *conflict) against(before func(*sql.Conn), then func(foreign *sql.Conn, waiting func() int64)) {
	t := c.t
	foreign, err := c.storage.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, foreign.Close()) }()
	c.run(foreign, "START TRANSACTION")
	before(foreign)
	c.together("UPDATE t SET v = v + 1 WHERE id IN (1, 2, 3)", "DELETE FROM t WHERE id = 4", "INSERT INTO t VALUES (4, 1, 5)")
	var edit []func(*Config)
	if c.strict {
		edit = append(edit, c.rig.strict)
	}
	config := c.config(edit...)
	open, opened := config.Open, 0
	config.Open = func(ctx context.Context, from position.Position) (Stream, error) {
		opened++
		return open(ctx, from)
	}
	ended := make(chan error, 1)
	done := make(chan int64, 1)
	go func() {
		out, err := Run(t.Context(), config)
		done <- out.Divergences
		ended <- err
	}()
	then(foreign, func() (id int64) {
		query := `SELECT COALESCE(MAX(w.REQUESTING_ENGINE_TRANSACTION_ID), 0) FROM performance_schema.data_lock_waits w
			JOIN performance_schema.data_locks l ON l.ENGINE_LOCK_ID = w.REQUESTING_ENGINE_LOCK_ID WHERE l.OBJECT_SCHEMA = DATABASE() AND l.OBJECT_NAME = 't'`
		require.Eventually(t, func() bool {
			require.NoError(t, c.storage.QueryRowContext(t.Context(), query).Scan(&id))
			return id != 0
		}, 2*time.Minute, 20*time.Millisecond, "the applier does not wait")
		return id
	})
	require.Zero(t, <-done)
	require.NoError(t, <-ended)
	require.Equal(t, 1, opened, "the transaction alone is tried again, nothing is read again")
	c.requireEqual()
	found, err := c.store.Divergences(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, found)
}

func (c *conflict) run(conn *sql.Conn, statements ...string) {
	c.t.Helper()
	for _, s := range statements {
		_, err := conn.ExecContext(c.t.Context(), s)
		require.NoError(c.t, err, "%.80s", s)
	}
}

// TestRule5_ADuplicateOfASafeWriteIsAConflict: where REPLACE is a DELETE and an
// INSERT (Vitess), the copy's row may come between the two; in strict mode a
// duplicate is a divergence.
func TestRule5_ADuplicateOfASafeWriteIsAConflict(t *testing.T) {
	a := &applier{}
	duplicate := &mysql.MySQLError{Number: 1062}
	require.True(t, a.isConflict(errors.Join(&statementError{statement: statement{expect: -1}, err: duplicate}, nil)))
	require.False(t, a.isConflict(errors.Join(&statementError{statement: statement{expect: 1}, err: duplicate}, nil)))
}
