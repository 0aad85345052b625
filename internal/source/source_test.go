package source_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func config(s *testdb.Server) mysqlconn.Config {
	return as(mysqlconn.Config{Host: s.Host, Port: s.Port, TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}}, s.User, s.Password)
}

func as(c mysqlconn.Config, user, password string) mysqlconn.Config {
	c.User, c.Password = user, secret.NewText(password)
	return c
}

func open(t *testing.T, c mysqlconn.Config, budget int) *source.Source {
	t.Helper()
	s, err := source.Open(t.Context(), c, budget)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), statement)
		require.NoError(t, err, statement)
	}
}

func everyServer(t *testing.T, test func(t *testing.T, s *testdb.Server)) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, testdb.Get(t, name))
		})
	}
}

func TestOpen_GlobalSettingsOfTheServerDoNotCutReads(t *testing.T) {
	t.Parallel()
	s := testdb.Own(t, "mysql97")
	schema := s.Schema(t)
	db := s.DB(t, schema)
	exec(t, db, "CREATE TABLE c (id INT PRIMARY KEY, c CHAR(4))", "INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'c')",
		"SET GLOBAL sql_select_limit = 1, GLOBAL sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH', GLOBAL autocommit = 0, GLOBAL time_zone = '+05:00', GLOBAL transaction_isolation = 'READ-UNCOMMITTED', GLOBAL show_gipk_in_create_table_and_information_schema = OFF")
	src := open(t, config(s), 2)
	definition, err := src.Table(t.Context(), table.Name{Schema: schema, Table: "c"})
	require.NoError(t, err)
	var got []string
	require.NoError(t, src.ReadRange(t.Context(), definition, table.KeyRange{}, func(r row.Row) error {
		got = append(got, string(r[0])+string(r[1]))
		return nil
	}))
	require.Equal(t, []string{"1a", "2b", "3c"}, got)
	var isolation string
	var autocommit int
	require.NoError(t, src.DB().QueryRowContext(t.Context(), "SELECT @@transaction_isolation, @@autocommit").Scan(&isolation, &autocommit))
	require.Equal(t, "REPEATABLE-READ", isolation)
	require.Equal(t, 1, autocommit)
}

func TestCatalogue_FollowsTheSelection(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		schema := s.Schema(t)
		exec(t, s.DB(t, schema), "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b1 (id INT PRIMARY KEY)", "CREATE TABLE b2 (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT 1")
		src := open(t, config(s), 2)
		tables, err := src.Catalogue(t.Context(), selection.Selection{{Schema: schema, Tables: []string{"a", "b*"}, Exclude: []string{"b1"}}})
		require.NoError(t, err)
		require.Len(t, tables, 2)
		require.Equal(t, "a", tables[0].Name.Table)
		require.Equal(t, "b2", tables[1].Name.Table)
		_, err = src.Catalogue(t.Context(), selection.Selection{{Schema: schema, Tables: []string{"v"}}})
		require.ErrorIs(t, err, fault.TableMissing)
		same, err := src.Unchanged(t.Context(), tables[0])
		require.NoError(t, err)
		require.True(t, same)
		exec(t, s.DB(t, schema), "ALTER TABLE a ADD c INT")
		same, err = src.Unchanged(t.Context(), tables[0])
		require.NoError(t, err)
		require.False(t, same)
	})
}

func TestCatalogue_SystemVersionedTableIsRefused(t *testing.T) {
	s := testdb.Get(t, "mariadb")
	schema := s.Schema(t)
	exec(t, s.DB(t, schema), "CREATE TABLE h (id INT PRIMARY KEY) WITH SYSTEM VERSIONING")
	_, err := open(t, config(s), 2).Catalogue(t.Context(), selection.Selection{{Schema: schema}})
	require.ErrorIs(t, err, fault.TableUnsupported)
}

func TestAutoIncrement_IsNotTheCachedOne(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		schema := s.Schema(t)
		db := s.DB(t, schema)
		exec(t, db, "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT)", "CREATE TABLE n (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
		src := open(t, config(s), 2)
		for next := 2; next < 5; next++ {
			got, ok, err := src.AutoIncrement(t.Context(), table.Name{Schema: schema, Table: "a"})
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, uint64(next), got)
			exec(t, db, fmt.Sprintf("INSERT INTO a VALUES (%d)", next))
		}
		_, ok, err := src.AutoIncrement(t.Context(), table.Name{Schema: schema, Table: "n"})
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestState_OpenAndPreparedTransactions(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testdb.Own(t, name)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			exec(t, db, "CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
			src := open(t, config(s), 2)
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			for _, statement := range []string{"XA START 'x\\0y'", "INSERT INTO a VALUES (1)"} {
				_, err := conn.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			n, err := src.OpenTransactions(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, n)
			for _, statement := range []string{"XA END 'x\\0y'", "XA PREPARE 'x\\0y'"} {
				_, err := conn.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			n, err = src.PreparedXA(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, n)
			_, err = conn.ExecContext(t.Context(), "XA COMMIT 'x\\0y'")
			require.NoError(t, err)

			user, password := s.Account(t, "SELECT ON "+schema+".*")
			weak := open(t, as(config(s), user, password), 2)
			n, err = weak.OpenTransactions(t.Context())
			require.NoError(t, err)
			require.Equal(t, -1, n)
			_, err = weak.PreparedXA(t.Context())
			require.NoError(t, err)
			load, err := weak.Load(t.Context())
			require.NoError(t, err)
			require.Positive(t, load.ThreadsRunning)
			require.Positive(t, load.MaxConnections)
			_, err = weak.StartPosition(t.Context(), []table.Name{{Schema: schema, Table: "a"}})
			if name == "mysql55" || name == "mysql56" {
				require.Equal(t, fault.Operator, fault.ClassOf(err), "%v", err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// A transaction that was prepared before the position has its rows before it, and
// no SELECT shows them: the start waits for its verdict, and says so in the end.
func TestStartPosition_PreparedXABlocks(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testdb.Own(t, name)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			exec(t, db, "CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			for _, statement := range []string{"XA START 'x'", "INSERT INTO a VALUES (1)", "XA END 'x'", "XA PREPARE 'x'"} {
				_, err := conn.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			src := open(t, config(s), 2)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if name == "mysql97" { // to the end, once
				ctx = t.Context()
			}
			_, err = src.StartPosition(ctx, nil)
			if name == "mysql97" {
				require.ErrorIs(t, err, fault.XAPrepared)
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded, "it still waits")
			}
			_, err = conn.ExecContext(t.Context(), "XA ROLLBACK 'x'")
			require.NoError(t, err)
			_, err = src.StartPosition(t.Context(), nil)
			require.NoError(t, err)
		})
	}
}

// TestStartPosition_WaitsForAMomentWithoutXA: where XA transactions come and go
// all the time, the start takes the first moment without, says meanwhile why it
// waits, and leaves the source's binlog files alone.
func TestStartPosition_WaitsForAMomentWithoutXA(t *testing.T) {
	s := testdb.Own(t, "mysql97", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")
	schema := s.Schema(t)
	db := s.DB(t, schema)
	exec(t, db, "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT)")
	step := func(conn *sql.Conn, statements ...string) error {
		for _, statement := range statements {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				return err
			}
		}
		return nil
	}
	// Two sessions hand over to each other until it is enough: one is always prepared.
	var enough atomic.Bool
	running := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		var err error
		var conns [2]*sql.Conn
		for i := range conns {
			conn, bad := db.Conn(t.Context())
			err = errors.Join(err, bad)
			defer func() { _ = conn.Close() }()
			conns[i] = conn
		}
		n := 0
		for ; err == nil && !enough.Load(); n++ {
			id := fmt.Sprintf("'x%d'", n)
			err = step(conns[n%2], "XA START "+id, "INSERT INTO a VALUES ()", "XA END "+id, "XA PREPARE "+id)
			if n == 0 {
				close(running)
			}
			if err == nil && n > 0 {
				err = step(conns[(n-1)%2], fmt.Sprintf("XA COMMIT 'x%d'", n-1))
			}
			if err == nil {
				err = step(conns[n%2], "DO SLEEP(0.1)")
			}
		}
		ended <- errors.Join(err, step(conns[(n+1)%2], fmt.Sprintf("XA COMMIT 'x%d'", n-1)))
	}()
	<-running
	src := open(t, config(s), 2)
	before, err := src.BinaryLogs(t.Context())
	require.NoError(t, err)
	_, err = src.StartPositionWithin(t.Context(), nil, source.Patience{For: time.Second})
	require.ErrorIs(t, err, fault.XAPrepared)
	told := 0
	_, err = src.StartPositionWithin(t.Context(), nil, source.Patience{For: 3 * time.Minute, Tell: func(int) { told++; enough.Store(true) }})
	require.NoError(t, err)
	require.NoError(t, <-ended)
	require.Positive(t, told)
	after, err := src.BinaryLogs(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, len(after)-len(before), 2)
}

// reconnect makes the pool open a new connection.
func reconnect(t *testing.T, conn func(context.Context) (*sql.Conn, error)) error {
	old, err := conn(t.Context())
	require.NoError(t, err)
	mysqlconn.Discard(old)
	fresh, err := conn(t.Context())
	if err == nil {
		_ = fresh.Close()
	}
	return err
}

// TestLow_WithoutBinlogAFullCopyStillWorks: MariaDB writes none by default.
func TestLow_WithoutBinlogAFullCopyStillWorks(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := []string{"--skip-log-bin", "--skip-log-slave-updates"}
			if name == "mysql56" || name == "mysql57" {
				options = append(options, "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")
			}
			if name == "mysql97" {
				options[1] = "--skip-log-replica-updates"
			}
			src := open(t, config(testdb.Own(t, name, options...)), 2)
			low, err := src.Low(t.Context())
			require.NoError(t, err)
			require.True(t, low.IsZero())
			_, err = src.StartPosition(t.Context(), nil)
			require.ErrorIs(t, err, fault.BinlogOff)
		})
	}
}
