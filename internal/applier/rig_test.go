package applier

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// rig is a source, a destination and what the applier needs between them.
type rig struct {
	t         *testing.T
	schema    string // source
	to        string // destination
	db        *sql.DB
	dstDB     *sql.DB
	conn      mysqlconn.Config
	dstConn   mysqlconn.Config
	source    *source.Source
	dst       *destination.Destination
	store     *checkpoint.Store
	selection selection.Selection
	from      position.Position
	box       int64

	mu       sync.Mutex
	tables   map[table.Name]*table.Table
	mappings map[*table.Table]*dialect.Mapping
	beat     contract.ApplyBeat
}

// Table implements binlog.Tables from the definitions of the start.
func (r *rig) Table(n table.Name) (*table.Table, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tables[n]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("no table %s", n)
}

// newRig makes the tables on both sides (ddm is what the simulator adds; no
// entry means a plain destination) and takes the start position.
func newRig(t *testing.T, sourceName string, sharded bool, create map[string]string, ddm map[string]string, options ...simtest.Option) *rig {
	t.Helper()
	server := testdb.Get(t, sourceName)
	r := &rig{t: t, tables: map[table.Name]*table.Table{}, mappings: map[*table.Table]*dialect.Mapping{}}
	r.schema = server.Schema(t)
	r.db = server.DB(t, r.schema)
	user, password := server.Account(t, "ALL ON *.*")
	r.conn = mysqlconn.Config{Host: server.Host, Port: server.Port, User: user, Password: secret.NewText(password), TLS: mysqlconn.TLS{Mode: "disabled"}}
	dstConn := r.conn
	if sharded {
		sim := simtest.Start(t, 4, options...)
		r.to, r.dstDB = sim.Schema, sim.DB(t)
		dstConn = mysqlconn.Config{Host: sim.Host, Port: sim.Port, User: sim.User, Password: secret.NewText(sim.Password), TLS: mysqlconn.TLS{Mode: "disabled"}}
	} else {
		node := testdb.Get(t, "mysql97")
		r.to = node.Schema(t)
		r.dstDB = node.DB(t, r.to)
		if node != server { // else the same account
			dstConn.Host, dstConn.Port, dstConn.User, dstConn.Password = node.Host, node.Port, node.User, secret.NewText(node.Password)
		}
	}
	r.selection = selection.Selection{{Schema: r.schema, To: r.to}}
	for name, columns := range create {
		_, err := r.db.ExecContext(t.Context(), "CREATE TABLE "+name+" "+columns)
		require.NoError(t, err)
		_, err = r.dstDB.ExecContext(t.Context(), "CREATE TABLE "+name+" "+columns+" "+ddm[name])
		require.NoError(t, err)
	}
	var err error
	r.source, err = source.Open(t.Context(), r.conn, 4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.source.Close()) })
	dstConn.MaxConnections = 16
	r.dstConn = dstConn
	r.dst, err = destination.Open(t.Context(), dstConn, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.dst.Close()) })
	found, err := r.source.Catalogue(t.Context(), r.selection)
	require.NoError(t, err)
	require.Len(t, found, len(create))
	var names []table.Name
	for _, f := range found {
		r.tables[f.Name] = f
		names = append(names, f.Name)
	}
	r.store, err = checkpoint.Open(t.Context(), r.dst, r.to, uuid.NewString())
	require.NoError(t, err)
	r.from, err = r.source.StartPosition(t.Context(), names)
	require.NoError(t, err)
	return r
}

func (r *rig) mapping(ctx context.Context, t *table.Table) (*dialect.Mapping, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.mappings[t]; m != nil {
		return m, nil
	}
	to, _, _ := r.selection.Match(t.Name)
	there, err := r.dst.Table(ctx, to)
	if err != nil {
		return nil, err
	}
	p, err := r.dst.Placement(ctx, to)
	if err != nil {
		return nil, err
	}
	m, err := dialect.NewMapping(t, there, p)
	r.mappings[t] = m
	return m, err
}

// config is a run that ends at the source's present position.
func (r *rig) config(edit ...func(*Config)) Config {
	r.t.Helper()
	stop, err := r.source.Head(r.t.Context())
	require.NoError(r.t, err)
	c := r.bare()
	c.Stop = &stop
	for _, e := range edit {
		e(&c)
	}
	if c.Fence == nil {
		r.box++
		c.Fence, err = r.store.Acquire(r.t.Context(), "apply/0", checkpoint.Token{Epoch: 1, Box: r.box, Attempt: 1}, []string{r.to}, false)
		require.NoError(r.t, err)
	}
	return c
}

// bare is a run without fence and stop position.
func (r *rig) bare() Config {
	return Config{
		Start: r.from, CopyEnd: r.from, Box: 10 * time.Minute, Destination: r.dst, Store: r.store,
		Head: r.source.Head, Mapping: r.mapping,
		Open: func(ctx context.Context, from position.Position) (Stream, error) {
			return binlog.Open(ctx, binlog.Config{
				Conn: r.conn, Capabilities: r.source.Capabilities(), ServerID: binlog.ServerID(r.schema, 0), From: from,
				Selection: r.selection, Tables: r, Heartbeat: time.Second,
			})
		},
		DDL: func(_ context.Context, ev binlog.Event) (Verdict, []*table.Table, error) {
			if ev.Kind == binlog.Truncate {
				return TruncateDDL, []*table.Table{ev.Table}, nil
			}
			return 0, nil, fmt.Errorf("a statement: %s", ev.Statement)
		},
		Beat: func(b contract.ApplyBeat) { r.mu.Lock(); r.beat = b; r.mu.Unlock() },
	}
}

// drain applies everything that the source has now.
func (r *rig) drain(edit ...func(*Config)) contract.ApplyOut {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer cancel()
	out, err := Run(ctx, r.config(edit...))
	require.NoError(r.t, err)
	require.True(r.t, out.Drained)
	return out
}

func (r *rig) exec(statements ...string) {
	r.t.Helper()
	for _, s := range statements {
		_, err := r.db.ExecContext(r.t.Context(), s)
		require.NoError(r.t, err, s)
	}
}

// together runs statements in one transaction.
func (r *rig) together(statements ...string) {
	r.t.Helper()
	tx, err := r.db.BeginTx(r.t.Context(), nil)
	require.NoError(r.t, err)
	for _, s := range statements {
		_, err := tx.ExecContext(r.t.Context(), s)
		require.NoError(r.t, err, s)
	}
	require.NoError(r.t, tx.Commit())
}

// rows returns a table's rows as sorted texts.
func rows(t *testing.T, db *sql.DB, name string) []string {
	t.Helper()
	result, err := db.QueryContext(t.Context(), "SELECT * FROM "+name)
	require.NoError(t, err)
	defer func() { require.NoError(t, result.Close()) }()
	columns, err := result.Columns()
	require.NoError(t, err)
	var out []string
	for result.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, result.Scan(into...))
		parts := make([]string, len(values))
		for i, v := range values {
			parts[i] = fmt.Sprintf("%v:%q", v.Valid, v.String)
		}
		out = append(out, strings.Join(parts, "|"))
	}
	require.NoError(t, result.Err())
	slices.Sort(out)
	return out
}

// requireEqual compares every table by an own reading of both sides.
func (r *rig) requireEqual() {
	r.t.Helper()
	for n := range r.tables {
		require.Equal(r.t, rows(r.t, r.db, n.Table), rows(r.t, r.dstDB, n.Table), n.Table)
	}
}
