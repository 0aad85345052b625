package binlog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// rig is a server with a schema of its own, whose stream a test reads.
type rig struct {
	t        testing.TB
	server   *testdb.Server
	schema   string
	db       *sql.DB
	conn     mysqlconn.Config
	source   *source.Source
	selected selection.Selection
	tables   catalogue
	change   func(*Config)
}

// catalogue implements Tables with the definitions read last.
type catalogue map[table.Name]*table.Table

func (c catalogue) Table(n table.Name) (*table.Table, error) {
	if t := c[n]; t != nil {
		return t, nil
	}
	return nil, fault.TableUnplanned.New(n.String(), "")
}

func newRig(t testing.TB, server *testdb.Server) *rig {
	t.Helper()
	r := &rig{t: t, server: server, schema: server.Schema(t), tables: catalogue{}}
	r.db = server.DB(t, r.schema)
	r.exec("FLUSH LOGS") // a dump by GTID reads the file from its start, and other tests fill it
	r.conn = mysqlconn.Config{Host: server.Host, Port: server.Port, User: server.User, Password: secret.NewText(server.Password), MaxConnections: 2}
	s, err := source.Open(t.Context(), r.conn, 2)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	r.source = s
	r.selected = selection.Selection{{Schema: r.schema}}
	return r
}

func (r *rig) exec(statements ...string) {
	r.t.Helper()
	execOn(r.t, r.db, statements...)
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func execOn(t testing.TB, db execer, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, "%.300s", s)
	}
}

// session returns a connection of the schema.
func (r *rig) session() *sql.Conn {
	r.t.Helper()
	c, err := r.db.Conn(r.t.Context())
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// learn reads the definitions of the schema.
func (r *rig) learn() {
	r.t.Helper()
	found, err := r.source.Catalogue(r.t.Context(), r.selected)
	require.NoError(r.t, err)
	for _, d := range found {
		r.tables[d.Name] = d
	}
}

func (r *rig) head() position.Position {
	r.t.Helper()
	p, err := r.source.Head(r.t.Context())
	require.NoError(r.t, err)
	return p
}

// filePosition is the head without its GTID set.
func (r *rig) filePosition() position.Position {
	p := r.head()
	p.GTID = nil
	return p
}

func (r *rig) config(from position.Position) Config {
	c := Config{
		Conn: r.conn, Capabilities: r.source.Capabilities(), ServerID: ServerID(r.schema, 0), From: from,
		Selection: r.selected, Tables: r.tables, Heartbeat: time.Second,
	}
	if r.change != nil {
		r.change(&c)
	}
	return c
}

func (r *rig) open(from position.Position) *Stream {
	r.t.Helper()
	s, err := Open(r.t.Context(), r.config(from))
	require.NoError(r.t, err)
	r.t.Cleanup(s.Close)
	return s
}

// read returns the events up to the first one that done accepts, without heartbeats.
func (r *rig) read(s *Stream, done func(Event) bool) []Event {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer cancel()
	var out []Event
	for {
		e, err := s.Next(ctx)
		require.NoError(r.t, err, "after %d events", len(out))
		if e.Kind != Heartbeat {
			out = append(out, e)
		}
		if done(e) {
			return out
		}
	}
}

// readTo returns the events until a position covers p.
func (r *rig) readTo(s *Stream, p position.Position) []Event {
	r.t.Helper()
	return r.read(s, func(e Event) bool {
		if e.Kind != Commit && e.Kind != Heartbeat {
			return false
		}
		covered, err := e.Position.Covers(p)
		require.NoError(r.t, err)
		return covered
	})
}

// fails reads until the stream fails and returns why.
func (r *rig) fails(s *Stream) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer cancel()
	for {
		if _, err := s.Next(ctx); err != nil {
			require.NoError(r.t, ctx.Err(), "the stream did not fail")
			return err
		}
	}
}

// selectAll reads a table by SELECT in canonical values, by its first column.
func (r *rig) selectAll(name string) map[string]row.Row {
	r.t.Helper()
	definition := r.tables[table.Name{Schema: r.schema, Table: name}]
	require.NotNil(r.t, definition, name)
	list := []string{}
	for _, c := range definition.Columns {
		list = append(list, mysqlconn.SelectExpr(c))
	}
	out := map[string]row.Row{}
	query := fmt.Sprintf("SELECT %s FROM `%s`.`%s`", strings.Join(list, ", "), r.schema, name)
	err := mysqlconn.ReadRows(r.t.Context(), r.source.DB(), query, definition.Columns, func(one row.Row) error {
		out[string(one[0])] = one.Clone()
		return nil
	})
	require.NoError(r.t, err)
	return out
}

// play plays changes onto an empty table image, by first column; it fails
// where a change does not fit what is there.
func play(t testing.TB, events []Event) map[string]map[string]row.Row {
	t.Helper()
	out := map[string]map[string]row.Row{}
	for _, e := range events {
		switch e.Kind {
		case Truncate:
			out[e.Table.Name.Table] = map[string]row.Row{}
		case Rows:
			rows := out[e.Table.Name.Table]
			if rows == nil {
				rows = map[string]row.Row{}
				out[e.Table.Name.Table] = rows
			}
			for _, c := range e.Changes {
				if c.Before != nil {
					require.Equal(t, c.Before, rows[string(c.Before[0])], "%s", e.Table.Name)
					delete(rows, string(c.Before[0]))
				}
				if c.After != nil {
					require.Nil(t, rows[string(c.After[0])], "%s", e.Table.Name)
					rows[string(c.After[0])] = c.After
				}
			}
		default:
		}
	}
	return out
}

// tidy leaves out the commits of other tests' transactions.
func tidy(events []Event) []Event {
	var out []Event
	for i, e := range events {
		if e.Kind != Commit || i > 0 && events[i-1].Kind != Commit {
			out = append(out, e)
		}
	}
	return out
}

// kinds lists what events are, but the commits of other tests' transactions.
func kinds(events []Event) []Kind {
	var out []Kind
	for _, e := range tidy(events) {
		out = append(out, e.Kind)
	}
	return out
}

// changes counts the changes by operation.
func changes(events []Event) (inserts, updates, deletes int) {
	for _, e := range events {
		for _, c := range e.Changes {
			switch c.Op {
			case row.Insert:
				inserts++
			case row.Update:
				updates++
			case row.Delete:
				deletes++
			}
		}
	}
	return inserts, updates, deletes
}

// onAll runs a test on each of the named servers, or on all six.
func onAll(t *testing.T, names []string, f func(t *testing.T, r *rig)) {
	t.Helper()
	if names == nil {
		names = slices.Clone(testdb.Versions())
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { f(t, newRig(t, testdb.Get(t, name))) })
	}
}

// equalState compares without printing the rows.
func equalState(a, b map[string]row.Row) bool {
	if len(a) != len(b) {
		return false
	}
	for k, r := range a {
		if !r.Equal(b[k]) {
			return false
		}
	}
	return true
}
