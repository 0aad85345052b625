package source_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// How long the source may be kept waiting by us: one attempt of LOCK TABLES (2 s),
// and a loaded machine; and what others would make it wait without our care.
const (
	few  = 10 * time.Second
	many = 16 * time.Second
)

// writer inserts until it is stopped and tells how long the slowest insert took.
type writer struct {
	stop    context.CancelFunc
	slowest chan time.Duration
}

func write(t *testing.T, s *testdb.Server, schema, statement string) writer {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := writer{stop, make(chan time.Duration, 1)}
	db := s.DB(t, schema)
	go func() {
		var slowest time.Duration
		for ctx.Err() == nil {
			began := time.Now()
			if _, err := db.ExecContext(context.WithoutCancel(ctx), statement); err != nil {
				slowest = time.Hour
				break
			}
			slowest = max(slowest, time.Since(began))
		}
		w.slowest <- slowest
	}()
	return w
}

func (w writer) end() time.Duration {
	w.stop()
	return <-w.slowest
}

// Without GTIDs and without RELOAD the start needs LOCK TABLES, which waits for
// a long transaction, and writers wait behind it: never longer than one attempt.
func TestStart_LongTransactionDoesNotBlockWriters(t *testing.T) {
	for _, name := range []string{"mysql55", "mysql56"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testdb.Own(t, name)
			schema := s.Schema(t)
			n := table.Name{Schema: schema, Table: "v"}
			db := s.DB(t, schema)
			exec(t, db, "CREATE TABLE v (id BIGINT PRIMARY KEY AUTO_INCREMENT, a INT) ENGINE=InnoDB", "INSERT INTO v (a) VALUES (1)")
			user, password := s.Account(t, "SELECT, LOCK TABLES, REPLICATION CLIENT, REPLICATION SLAVE ON *.*")
			src := open(t, as(config(s), user, password), 2)

			long, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = long.ExecContext(t.Context(), "UPDATE v SET a = 2 WHERE id = 1")
			require.NoError(t, err)
			w := write(t, s, schema, "INSERT INTO v (a) VALUES (3)")
			ctx, cancel := context.WithTimeout(t.Context(), many)
			defer cancel()
			_, err = src.StartPosition(ctx, []table.Name{n})
			require.Error(t, err, "the transaction is still open")
			slowest := w.end()
			require.Less(t, slowest, few, "a writer waited behind LOCK TABLES")
			t.Logf("%s: the slowest insert took %s", name, slowest)
			require.NoError(t, long.Commit())
			_, err = src.StartPosition(t.Context(), []table.Name{n})
			require.NoError(t, err)
		})
	}
}

// With RELOAD or GTIDs the start waits for nobody: tables may be locked, changed
// by a long transaction, or wait for an ALTER behind it.
func TestStart_WaitsForNoLockOfATable(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testdb.Own(t, name)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			exec(t, db, "CREATE TABLE v (id INT PRIMARY KEY, a INT) ENGINE=InnoDB", "CREATE TABLE l (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE o (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB", "INSERT INTO v VALUES (1, 1)")
			locker, err := db.Conn(t.Context())
			require.NoError(t, err)
			defer func() { _ = locker.Close() }()
			_, err = locker.ExecContext(t.Context(), "LOCK TABLES l WRITE")
			require.NoError(t, err)
			long, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = long.ExecContext(t.Context(), "UPDATE v SET a = 2 WHERE id = 1")
			require.NoError(t, err)
			altered := make(chan error, 1)
			go func() {
				_, err := db.ExecContext(context.WithoutCancel(t.Context()), "ALTER TABLE v ADD COLUMN b INT")
				altered <- err
			}()
			requireWaiting(t, s, "ALTER TABLE v")

			w := write(t, s, schema, "INSERT INTO o VALUES (NULL)")
			src := open(t, config(s), 2)
			began := time.Now()
			_, err = src.StartPosition(t.Context(), []table.Name{{Schema: schema, Table: "v"}, {Schema: schema, Table: "l"}})
			require.NoError(t, err)
			require.Less(t, time.Since(began), time.Minute)
			require.Less(t, w.end(), time.Minute)
			require.NoError(t, long.Commit())
			_, err = locker.ExecContext(t.Context(), "UNLOCK TABLES")
			require.NoError(t, err)
			require.NoError(t, <-altered)
		})
	}
}

// requireWaiting waits until a statement waits for a metadata lock.
func requireWaiting(t *testing.T, s *testdb.Server, statement string) {
	t.Helper()
	db := s.DB(t, "")
	require.Eventually(t, func() bool {
		found, err := testdb.Processes(t.Context(), db)
		require.NoError(t, err)
		return slices.ContainsFunc(found, func(p testdb.Process) bool {
			return strings.Contains(p.State, "etadata lock") && strings.HasPrefix(p.Statement, statement)
		})
	}, time.Minute, 50*time.Millisecond, "%s does not wait", statement)
}

var errEnough = errors.New("enough")

// An ALTER waits for the chunk that is being read, and every writer waits behind
// the ALTER: the moment the read ends, its statement ends on the server too,
// although most of its rows were never fetched.
func TestRead_AlterWaitsOnlyForTheRead(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			s := testdb.Get(t, name)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			exec(t, db, "CREATE TABLE v (id INT PRIMARY KEY, a LONGTEXT) ENGINE=InnoDB")
			for i := range 40 { // more than all buffers between hold
				exec(t, db, fmt.Sprintf("INSERT INTO v VALUES (%d, REPEAT('x', 900000))", i))
			}
			src := open(t, config(s), 2)
			definition, err := src.Table(t.Context(), table.Name{Schema: schema, Table: "v"})
			require.NoError(t, err)
			took := make(chan time.Duration, 2)
			run := func(statement string) {
				began := time.Now()
				_, err := db.ExecContext(context.WithoutCancel(t.Context()), statement)
				if err != nil {
					took <- time.Hour
					return
				}
				took <- time.Since(began)
			}
			var ended time.Time
			waited := 0
			err = src.ReadRange(t.Context(), definition, table.KeyRange{}, func(row.Row) error {
				if waited++; waited == 1 {
					go run("ALTER TABLE v COMMENT = 'x'")
					requireWaiting(t, s, "ALTER TABLE v")
					go run("INSERT INTO v (id) VALUES (1000)")
				}
				ended = time.Now()
				return errEnough
			})
			require.ErrorIs(t, err, errEnough)
			<-took
			<-took
			require.Less(t, time.Since(ended), 30*time.Second, "the source was blocked after the read had ended")
		})
	}
}
