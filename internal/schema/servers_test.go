package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// follower follows a real server's stream as the apply does, with an operator
// who passes every statement that stops.
type follower struct {
	t        *testing.T
	src      *source.Source
	config   binlog.Config
	store    *memory
	rules    Rules
	stopped  []string
	rows     []string // definition of the first rows behind each statement
	position position.Position
}

// TestRule11_StatementsOfEveryServer: what six servers write into their binlogs
// for the same changes is judged alike, and the rows between are read by the
// columns that they had, although all of it has happened before the first is read.
func TestRule11_StatementsOfEveryServer(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			server := testdb.Get(t, name)
			schema := server.Schema(t)
			session, err := server.DB(t, schema).Conn(t.Context())
			require.NoError(t, err)
			defer func() { _ = session.Close() }()
			exec(t, session, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c VARCHAR(10), UNIQUE KEY u (a)) ENGINE=InnoDB", "CREATE TABLE other (id INT PRIMARY KEY) ENGINE=InnoDB")
			f := follow(t, server, schema)
			for _, s := range []string{
				"INSERT INTO t VALUES (1, 1, 1, 'x')",
				"ALTER TABLE t ADD KEY k (b)", "CREATE INDEX k2 ON t (c)", "ALTER TABLE t DROP KEY k, COMMENT 'x'", "DROP INDEX k2 ON t", "TRUNCATE TABLE t",
				"ALTER TABLE t ADD COLUMN d BIGINT UNSIGNED NOT NULL DEFAULT 7 AFTER id", "INSERT INTO t VALUES (2, 5, 2, 2, 'x')",
				"SET SESSION sql_mode = 'ANSI_QUOTES'", `ALTER TABLE "t" CHANGE "a" "b" INT, CHANGE "b" "a" INT`, `INSERT INTO "t" VALUES (3, 5, 3, 3, 'x')`, "SET SESSION sql_mode = ''",
				"/*!50003 ALTER TABLE t */ MODIFY c VARCHAR(300) FIRST", "INSERT INTO t VALUES ('y', 4, 5, 4, 4)",
				"ALTER TABLE t DROP KEY u, DROP COLUMN d, ENGINE=InnoDB", "INSERT INTO t VALUES ('y', 5, 4, 4)",
				"create /* gh-ost */ table `_t_gho` like `t`", "alter /* gh-ost */ table `_t_gho` add column e datetime", "INSERT INTO `_t_gho` SELECT t.*, NULL FROM t",
				"rename /* gh-ost */ table `t` to `_t_del`, `_t_gho` to `t`", "INSERT INTO t VALUES ('z', 6, 6, 6, NULL)",
				"DROP TABLE other, `_t_del`", "CREATE VIEW v AS SELECT * FROM t", "DROP VIEW v",
			} {
				exec(t, session, s)
			}
			f.run()
			require.Equal(t, []string{"ALTER TABLE", "ALTER TABLE", "ALTER TABLE", "ALTER TABLE", "RENAME TABLE"}, f.stopped)
			require.Equal(t, []string{"id,a,b,c", "id,d,a,b,c", "id,d,b,a,c", "c,id,d,b,a", "c,id,b,a", "c,id,b,a,e"}, f.rows)
		})
	}
}

func exec(t *testing.T, c *sql.Conn, statement ...string) {
	t.Helper()
	for _, s := range statement {
		_, err := c.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// follow starts at the server's present place.
func follow(t *testing.T, server *testdb.Server, schema string) *follower {
	t.Helper()
	conn := mysqlconn.Config{Host: server.Host, Port: server.Port, User: server.User, Password: secret.NewText(server.Password), MaxConnections: 2}
	src, err := source.Open(t.Context(), conn, 2)
	require.NoError(t, err)
	t.Cleanup(func() { _ = src.Close() })
	n := table.Name{Schema: schema, Table: "t"}
	definition, err := src.Table(t.Context(), n)
	require.NoError(t, err)
	from, err := src.Head(t.Context())
	require.NoError(t, err)
	sel := selection.Selection{{Schema: schema, Tables: []string{"t"}}}
	return &follower{
		t: t, src: src, position: from, rules: Rules{Selection: sel},
		store: &memory{[]checkpoint.Definition{{Name: n, Table: definition}}},
		config: binlog.Config{
			Conn: conn, Capabilities: src.Capabilities(), ServerID: binlog.ServerID(schema, 0),
			Selection: sel, Heartbeat: time.Second,
		},
	}
}

// run follows the stream to the source's present end; each stop is a new attempt.
func (f *follower) run() {
	f.t.Helper()
	end, err := f.src.Head(f.t.Context())
	require.NoError(f.t, err)
	for {
		err := f.attempt(end)
		var stop *Stop
		if !errors.As(err, &stop) {
			require.NoError(f.t, err)
			return
		}
		at := stop.SourcePosition()
		f.rules.Passed = &at
	}
}

func (f *follower) attempt(end position.Position) error {
	h, err := Open(f.t.Context(), f.store, 0, f.position)
	require.NoError(f.t, err)
	c := f.config
	c.From, c.Tables = f.position, h
	s, err := binlog.Open(f.t.Context(), c)
	require.NoError(f.t, err)
	defer s.Close()
	for {
		ev, err := s.Next(f.t.Context())
		if err != nil && fault.ClassOf(err) == fault.Retry { // others cut dumps on shared servers
			return f.attempt(end)
		}
		require.NoError(f.t, err)
		switch ev.Kind {
		case binlog.Rows:
			var names []string
			for _, c := range ev.Table.Columns {
				names = append(names, c.Name)
			}
			text := strings.Join(names, ",")
			if len(f.rows) == 0 || f.rows[len(f.rows)-1] != text {
				f.rows = append(f.rows, text)
			}
		case binlog.DDL, binlog.Truncate:
			verdict, concerned, err := h.Judge(ev, f.rules)
			if err != nil {
				f.stopped = append(f.stopped, ev.Describe())
				return err
			}
			if verdict == Refresh {
				require.NoError(f.t, h.Refresh(f.t.Context(), f.src, f.ahead, ev, concerned))
			}
		default:
			f.position = ev.Position
			if covered, err := ev.Position.Covers(end); err != nil || covered {
				return err
			}
		}
	}
}

func (f *follower) ahead(ctx context.Context, from position.Position, each func(binlog.Event)) error {
	end, err := f.src.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the end: %w", err)
	}
	c := f.config
	c.From, c.StatementsOnly = from, true
	s, err := binlog.Open(ctx, c)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	for {
		ev, err := s.Next(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if ev.Kind == binlog.DDL {
			each(ev)
		} else if covered, err := ev.Position.Covers(end); err != nil || covered {
			return err
		}
	}
}
