package fidelity

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/applier"
	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/compare"
	"shardlift/internal/contract"
	"shardlift/internal/copier"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// move takes the tables of a source schema to a destination with the real
// engine: plan, copy, apply, compare.
type move struct {
	t      *testing.T
	schema string
	db     *sql.DB // source, the tests' own pool
	to     *target

	conn      mysqlconn.Config
	source    *source.Source
	dst       *destination.Destination
	store     *checkpoint.Store
	selection selection.Selection
	start     position.Position
	copyEnd   position.Position
	names     []string // tables, in the order of their numbers
	box       int64
	ended     chan error // of the applier that follows

	mu       sync.Mutex
	tables   map[table.Name]*table.Table
	mappings map[*table.Table]*dialect.Mapping
}

// newMove makes an empty schema on both sides.
func newMove(t *testing.T, server string, to product) *move {
	t.Helper()
	s := testdb.Get(t, server)
	m := &move{t: t, schema: s.Schema(t), to: to.open(t), tables: map[table.Name]*table.Table{}, mappings: map[*table.Table]*dialect.Mapping{}}
	m.conn = connect(s.Host, s.Port, s.User, s.Password)
	m.db = open(t, s.Host, s.Port, s.User, s.Password, m.schema)
	m.selection = selection.Selection{{Schema: m.schema, To: m.to.schema}}
	var err error
	m.source, err = source.Open(t.Context(), m.conn, 8)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.source.Close()) })
	m.dst, err = destination.Open(t.Context(), m.to.conn, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.dst.Close()) })
	return m
}

// create makes a table on both sides; there is its columns on the destination
// when they differ, route the column that shards it there.
func (m *move) create(name, columns, there, route string) {
	m.t.Helper()
	if there == "" {
		there = columns
	}
	m.exec("CREATE TABLE `" + name + "` (" + columns + ") ENGINE=InnoDB")
	statement := "CREATE TABLE `" + name + "` (" + there + ") ENGINE=InnoDB " + m.to.route(route)
	statements := []string{statement}
	if m.to.declare != nil {
		statements = append(statements, m.to.declare(name, route)...)
	}
	for _, s := range statements {
		_, err := m.to.admin.ExecContext(m.t.Context(), s)
		require.NoError(m.t, err, s)
	}
}

func (m *move) exec(statements ...string) {
	m.t.Helper()
	for _, s := range statements {
		_, err := m.db.ExecContext(m.t.Context(), s)
		require.NoError(m.t, err, "%.300s", s)
	}
}

// tryExec is exec for goroutines beside the test's own.
func (m *move) tryExec(statement string) error {
	_, err := m.db.ExecContext(m.t.Context(), statement)
	return err
}

// plan reads the definitions, takes the start position and cuts every table
// into chunks of so many rows.
func (m *move) plan(rows int64) {
	m.t.Helper()
	ctx := m.t.Context()
	found, err := m.source.Catalogue(ctx, m.selection)
	require.NoError(m.t, err)
	var names []table.Name
	for _, f := range found {
		m.tables[f.Name] = f
		m.names = append(m.names, f.Name.Table)
		names = append(names, f.Name)
	}
	m.store, err = checkpoint.Open(ctx, m.dst, cmp.Or(m.to.metadata, m.to.schema), uuid.NewString())
	require.NoError(m.t, err)
	m.start, err = m.source.StartPosition(ctx, names)
	require.NoError(m.t, err)
	var chunks []checkpoint.Chunk
	for i, f := range found {
		to, _, _ := m.selection.Match(f.Name)
		require.NoError(m.t, m.store.PutTables(ctx, []checkpoint.Table{{No: i, Source: f.Name, Destination: to, Definition: f}}))
		require.NoError(m.t, chunk.Plan(ctx, m.source, f, nil, chunk.Budget{Rows: rows}, func(k table.KeyRange, _ int64) error {
			chunks = append(chunks, checkpoint.Chunk{No: int64(len(chunks) + 1), Table: i, Range: k})
			return nil
		}))
	}
	require.NoError(m.t, m.store.AddChunks(ctx, chunks))
	require.NoError(m.t, m.store.PrepareFences(ctx, m.selection.DestinationSchemas()))
	for i := range found {
		require.NoError(m.t, m.store.SetPlanned(ctx, i))
	}
}

// Table implements binlog.Tables: definitions as of the start.
func (m *move) Table(n table.Name) (*table.Table, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.tables[n]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("no table %s", n)
}

func (m *move) mapping(ctx context.Context, t *table.Table) (*dialect.Mapping, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.mappings[t]; known != nil {
		return known, nil
	}
	to, _, _ := m.selection.Match(t.Name)
	there, err := m.dst.Table(ctx, to)
	if err != nil {
		return nil, err
	}
	placement, err := m.dst.Placement(ctx, to)
	if err != nil {
		return nil, err
	}
	made, err := dialect.NewMapping(t, there, placement)
	if err == nil {
		m.mappings[t] = made
	}
	return made, err
}

func (m *move) acquire(unit string) *checkpoint.Fence {
	m.t.Helper()
	m.box++
	fence, err := m.store.Acquire(m.t.Context(), unit, checkpoint.Token{Epoch: 1, Box: m.box, Attempt: 1}, []string{m.to.schema}, false)
	require.NoError(m.t, err)
	return fence
}

// patience bounds what should take seconds, on a machine that others load.
const patience = 5 * time.Minute

// copyLanes is how many lanes copy side by side.
const copyLanes = 3

// tryCopy copies everything and notes the end-of-copy position.
func (m *move) tryCopy() error {
	m.t.Helper()
	var g errgroup.Group
	for lane := range copyLanes {
		c := copier.Config{
			Source: m.source, Destination: m.dst, Store: m.store, Fence: m.acquire(fmt.Sprintf("copy/%d", lane)),
			Lane: lane, Lanes: copyLanes, Box: patience,
			Mapping: func(ctx context.Context, no int) (*dialect.Mapping, error) {
				return m.mapping(ctx, m.tables[table.Name{Schema: m.schema, Table: m.names[no]}])
			},
		}
		g.Go(func() error {
			out, err := copier.Run(m.t.Context(), c)
			if err == nil && !out.Done {
				err = errors.New("the lane is not done")
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var err error
	m.copyEnd, err = m.source.Head(m.t.Context())
	return err
}

func (m *move) copy() {
	m.t.Helper()
	require.NoError(m.t, m.tryCopy())
}

// apply is a run of the applier's.
func (m *move) apply() applier.Config {
	m.t.Helper()
	return m.applyUnder(m.acquire("apply/0"))
}

func (m *move) applyUnder(fence *checkpoint.Fence) applier.Config {
	return applier.Config{
		Start: m.start, CopyEnd: m.copyEnd, Box: patience, Destination: m.dst, Store: m.store,
		Fence: fence, Head: m.source.Head, Mapping: m.mapping,
		Open: func(ctx context.Context, from position.Position) (applier.Stream, error) {
			return binlog.Open(ctx, binlog.Config{
				Conn: m.conn, Capabilities: m.source.Capabilities(), ServerID: binlog.ServerID(m.schema, 0), From: from,
				Selection: m.selection, Tables: m, Heartbeat: time.Second,
			})
		},
		DDL: func(_ context.Context, ev binlog.Event) (applier.Verdict, []*table.Table, error) {
			return 0, nil, fmt.Errorf("a statement: %s", ev.Statement)
		},
	}
}

// follow applies while work runs, and until everything of it is applied.
// Changes made before follow are replayed in safe mode; those of work, once
// work has called settle, in strict mode.
func (m *move) follow(work func()) {
	m.t.Helper()
	c := m.apply()
	drain := make(chan struct{})
	c.Drain = drain
	m.ended = make(chan error, 1)
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	go func() { _, err := applier.Run(ctx, c); m.ended <- err }()
	work()
	m.settle()
	close(drain)
	require.ErrorIs(m.t, <-m.ended, applier.ErrDrained)
}

// settle waits until everything that the source has now is applied.
func (m *move) settle() {
	m.t.Helper()
	head, err := m.source.Head(m.t.Context())
	require.NoError(m.t, err)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; {
		saved, err := m.store.Load(m.t.Context(), 0)
		if err == nil && saved != nil {
			if covered, err := saved.Position.Covers(head); err == nil && covered {
				return
			}
		}
		select {
		case err := <-m.ended:
			require.FailNow(m.t, "the applier ended", "%v", err)
		case <-ticker.C:
		}
		require.True(m.t, time.Now().Before(deadline), "not applied in time: %v", err)
	}
}

// drain applies everything that the source has now.
func (m *move) drain() error {
	m.t.Helper()
	stop, err := m.source.Head(m.t.Context())
	require.NoError(m.t, err)
	c := m.apply()
	c.Stop = &stop
	out, err := applier.Run(m.t.Context(), c)
	if err == nil && !out.Drained {
		err = errors.New("not drained")
	}
	return err
}

// compare runs the engine's own comparison of values; differences are keys.
func (m *move) compare() contract.CompareOut {
	m.t.Helper()
	c := compare.Config{ID: fmt.Sprintf("c%d", m.box), Type: contract.CompareValues, Source: m.source, Destination: m.dst, Results: m.store}
	for i, name := range m.names {
		n := table.Name{Schema: m.schema, Table: name}
		to, _, _ := m.selection.Match(n)
		c.Tables = append(c.Tables, compare.Table{No: i, Source: n, Destination: to})
	}
	out, err := compare.Run(m.t.Context(), c)
	require.NoError(m.t, err)
	require.True(m.t, out.Done)
	return out
}

// requireConsistent wants the engine's comparison to find nothing.
func (m *move) requireConsistent() {
	m.t.Helper()
	out := m.compare()
	if out.Result == checkpoint.ResultConsistent {
		return
	}
	found, _, err := m.store.Differences(m.t.Context(), fmt.Sprintf("c%d", m.box), "", 20)
	require.NoError(m.t, err)
	m.t.Errorf("comparison: %s: %v", out.Result, found)
}
