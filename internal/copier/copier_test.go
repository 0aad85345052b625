package copier

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// rig is a planned copy between two real sides.
type rig struct {
	t         *testing.T
	db, dstDB *sql.DB
	to        string
	source    *source.Source
	dst       *destination.Destination
	store     *checkpoint.Store
	mappings  []*dialect.Mapping
	selection selection.Selection
}

const itemsTable = "(a INT NOT NULL, b VARCHAR(20) NOT NULL, u INT, f FLOAT, d DATETIME(3), e ENUM('x','y'), t TEXT, bin VARBINARY(50), PRIMARY KEY (a, b), UNIQUE KEY u (u))"

// newRig plans table items, filled by fill, in chunks of chunkRows rows.
func newRig(t *testing.T, sourceName string, sharded bool, chunkRows int64, fill ...string) *rig {
	t.Helper()
	return newRigOn(t, testdb.Get(t, sourceName), nil, sharded, chunkRows, fill...)
}

// newRigOn takes the source's server, and the destination's when it is plain.
func newRigOn(t *testing.T, server, node *testdb.Server, sharded bool, chunkRows int64, fill ...string) *rig {
	t.Helper()
	schema := server.Schema(t)
	r := &rig{t: t, db: server.DB(t, schema)}
	conn := func(host string, port int, user, password string) mysqlconn.Config {
		return mysqlconn.Config{Host: host, Port: port, User: user, Password: secret.NewText(password), TLS: mysqlconn.TLS{Mode: "disabled"}, MaxConnections: 24}
	}
	var ddm string
	var to mysqlconn.Config
	if sharded {
		sim := simtest.Start(t, 4)
		r.to, r.dstDB, ddm = sim.Schema, sim.DB(t), "DBPARTITION BY MOD_HASH(u)"
		to = conn(sim.Host, sim.Port, sim.User, sim.Password)
	} else {
		if node == nil {
			node = testdb.Get(t, "mysql97")
		}
		r.to = node.Schema(t)
		r.dstDB = node.DB(t, r.to)
		to = conn(node.Host, node.Port, node.User, node.Password)
	}
	columns := itemsTable
	if server.Name == "mysql55" {
		columns = strings.ReplaceAll(columns, "DATETIME(3)", "DATETIME")
	}
	for _, side := range []struct {
		db   *sql.DB
		tail string
	}{{r.db, ""}, {r.dstDB, ddm}} {
		_, err := side.db.ExecContext(t.Context(), "CREATE TABLE items "+columns+" "+side.tail)
		require.NoError(t, err)
	}
	for _, s := range fill {
		r.exec(s)
	}
	var err error
	r.source, err = source.Open(t.Context(), conn(server.Host, server.Port, server.User, server.Password), 6)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.source.Close()) })
	r.dst, err = destination.Open(t.Context(), to, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.dst.Close()) })
	r.store, err = checkpoint.Open(t.Context(), r.dst, r.to, uuid.NewString())
	require.NoError(t, err)
	r.selection = selection.Selection{{Schema: schema, To: r.to}}
	r.plan(r.selection, chunkRows)
	require.NoError(t, r.store.PrepareFences(t.Context(), []string{r.to}))
	return r
}

func (r *rig) plan(sel selection.Selection, chunkRows int64) {
	ctx := r.t.Context()
	found, err := r.source.Catalogue(ctx, sel)
	require.NoError(r.t, err)
	var chunks []checkpoint.Chunk
	for i, f := range found {
		to, _, _ := sel.Match(f.Name)
		there, err := r.dst.Table(ctx, to)
		require.NoError(r.t, err)
		placement, err := r.dst.Placement(ctx, to)
		require.NoError(r.t, err)
		m, err := dialect.NewMapping(f, there, placement)
		require.NoError(r.t, err)
		r.mappings = append(r.mappings, m)
		require.NoError(r.t, r.store.PutTables(ctx, []checkpoint.Table{{No: i, Source: f.Name, Destination: to, Definition: f}}))
		require.NoError(r.t, chunk.Plan(ctx, r.source, f, nil, chunk.Budget{Rows: chunkRows}, func(k table.KeyRange, _ int64) error {
			chunks = append(chunks, checkpoint.Chunk{No: int64(len(chunks) + 1), Table: i, Range: k})
			return nil
		}))
	}
	require.NoError(r.t, r.store.AddChunks(ctx, chunks))
	for i := range found {
		require.NoError(r.t, r.store.SetPlanned(ctx, i))
	}
}

func (r *rig) exec(s string) {
	r.t.Helper()
	_, err := r.db.ExecContext(r.t.Context(), s)
	require.NoError(r.t, err, s)
}

func (r *rig) config(lane int, box int64, edit ...func(*Config)) Config {
	r.t.Helper()
	fence, err := r.store.Acquire(r.t.Context(), fmt.Sprintf("copy/%d", lane), checkpoint.Token{Epoch: 1, Box: box, Attempt: 1}, []string{r.to}, false)
	require.NoError(r.t, err)
	c := Config{
		Source: r.source, Destination: r.dst, Store: r.store, Fence: fence, Lane: lane, Lanes: 3, Box: time.Minute,
		Mapping: func(_ context.Context, table int) (*dialect.Mapping, error) { return r.mappings[table], nil },
	}
	for _, e := range edit {
		e(&c)
	}
	return c
}

// copyAll runs three lanes to the end.
func (r *rig) copyAll(box int64, edit ...func(*Config)) {
	r.t.Helper()
	var g errgroup.Group
	for lane := range 3 {
		c := r.config(lane, box, edit...)
		g.Go(func() error {
			out, err := Run(r.t.Context(), c)
			if err == nil && !out.Done {
				err = errors.New("not done")
			}
			return err
		})
	}
	require.NoError(r.t, g.Wait())
	left, err := r.store.Unfinished(r.t.Context())
	require.NoError(r.t, err)
	require.Zero(r.t, left)
}

// requireEqual compares both sides row by row through text.
func (r *rig) requireEqual() {
	r.t.Helper()
	list := func(db *sql.DB) map[string]string {
		found, err := db.QueryContext(r.t.Context(), "SELECT a, HEX(b), u, f + 0e0, d, e, HEX(t), HEX(bin) FROM items")
		require.NoError(r.t, err)
		defer func() { require.NoError(r.t, found.Close()) }()
		out := map[string]string{}
		for found.Next() {
			v := make([]sql.NullString, 8)
			require.NoError(r.t, found.Scan(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]))
			key := v[0].String + "/" + v[1].String
			_, twice := out[key]
			require.False(r.t, twice, "a row twice")
			out[key] = fmt.Sprint(v[2:])
		}
		require.NoError(r.t, found.Err())
		return out
	}
	require.Equal(r.t, list(r.db), list(r.dstDB))
}

func manyRows(from, n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO items VALUES ")
	for i := from; i < from+n; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,'k%d é''\\\\',%d,16777217e%d,'2024-02-%02d 01:02:03.456','y',REPEAT('text %d ',%d),UNHEX('00ff%02x27'))", i/3, i, i+1, i%8, 1+i%28, i, i%30, i%256)
	}
	return b.String()
}

func TestRun_CopiesWithSeveralLanes(t *testing.T) {
	for _, c := range []struct {
		source  string
		sharded bool
	}{{"mysql97", true}, {"mysql97", false}, {"mysql55", true}, {"mariadb", false}} {
		t.Run(fmt.Sprintf("%s sharded %v", c.source, c.sharded), func(t *testing.T) {
			var beats int
			r := newRig(t, c.source, c.sharded, 150, manyRows(0, 2000))
			r.copyAll(1, func(c *Config) {
				if c.Lane == 0 {
					c.Beat = func(b contract.CopyBeat) { beats++; require.Positive(t, b.Rows) }
				}
			})
			r.requireEqual()
			require.Positive(t, beats)
			progress, err := r.store.Progress(t.Context())
			require.NoError(t, err)
			require.Equal(t, int64(2000), progress.RowsDone)
			require.Equal(t, progress.Chunks, progress.ChunksDone)
		})
	}
}

// TestRule3_CrashBetweenWriteAndMark: the chunk is written, its mark is lost;
// the next attempt writes it again and no row is there twice.
func TestRule3_CrashBetweenWriteAndMark(t *testing.T) {
	r := newRig(t, "mysql97", true, 500, manyRows(0, 1000))
	ctx, crash := context.WithCancel(t.Context())
	c := r.config(0, 1, func(c *Config) { c.Beat = func(contract.CopyBeat) { crash() } })
	_, err := Run(ctx, c)
	require.Error(t, err)
	var there int
	require.NoError(t, r.dstDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&there))
	require.Positive(t, there)
	r.copyAll(2)
	r.requireEqual()
}

// TestRule3_UniqueValueMovedWhileCopying: a value that an already copied row
// held belongs to a later row now; REPLACE takes it over, and the replay of the
// binlog (here: the next copy of that row's chunk) brings the first row back.
func TestRule3_UniqueValueMovedWhileCopying(t *testing.T) {
	r := newRig(t, "mysql97", false, 500, manyRows(0, 1000))
	_, err := r.dstDB.ExecContext(t.Context(), "INSERT INTO items (a, b, u) VALUES (-1, 'stale', 700)")
	require.NoError(t, err)
	r.copyAll(1)
	r.requireEqual()
}

// TestRule3_FullOnlyResumeDeletesItsRange: without a replay, rows that vanished
// from the source between two attempts must not stay.
func TestRule3_FullOnlyResumeDeletesItsRange(t *testing.T) {
	for _, fullOnly := range []bool{true, false} {
		r := newRig(t, "mysql97", true, 5000, manyRows(0, 1000))
		ctx, crash := context.WithCancel(t.Context())
		_, err := Run(ctx, r.config(0, 1, func(c *Config) { c.FullOnly, c.Beat = fullOnly, func(contract.CopyBeat) { crash() } }))
		require.Error(t, err)
		r.exec("DELETE FROM items WHERE a % 10 = 0")
		r.exec("UPDATE items SET u = u + 100003 WHERE a % 10 = 1") // moves rows between shards
		r.copyAll(2, func(c *Config) { c.FullOnly = fullOnly })
		var here, there int
		require.NoError(t, r.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&here))
		require.NoError(t, r.dstDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&there))
		if fullOnly {
			require.Equal(t, here, there)
			r.requireEqual()
		} else {
			require.Greater(t, there, here, "the replay would have removed them; this shows that the test can fail")
		}
	}
}

// TestRule3_FullOnlyLosesNoRowToReplace: a unique value moves from a row that is
// copied to one that is not. Nothing would bring the first row back, so the copy
// stops instead of deleting it; a reset begins anew.
func TestRule3_FullOnlyLosesNoRowToReplace(t *testing.T) {
	r := newRig(t, "mysql97", false, 500, manyRows(0, 1000))
	fullOnly := func(c *Config) { c.FullOnly, c.Lanes = true, 1 }
	copied := func(query string) (n int) {
		require.NoError(t, r.dstDB.QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}
	drain := make(chan struct{})
	_, err := Run(t.Context(), r.config(0, 1, fullOnly, func(c *Config) {
		c.Drain, c.Beat = drain, func(contract.CopyBeat) { close(drain) }
	}))
	require.ErrorIs(t, err, ErrDrained)
	require.Equal(t, 500, copied("SELECT COUNT(*) FROM items"))
	r.exec("UPDATE items SET u = NULL WHERE u = 8")
	r.exec("UPDATE items SET u = 8 WHERE u = 908")
	for box := int64(2); box < 4; box++ { // the chunk is attempted the second time
		_, err = Run(t.Context(), r.config(0, box, fullOnly))
		require.ErrorIs(t, err, fault.SourceWritten)
		require.NotContains(t, err.Error(), "'8'")
		require.Equal(t, 1, copied("SELECT COUNT(*) FROM items WHERE u = 8 AND a < 100"), "the row that was copied first is lost")
	}
	require.NoError(t, r.store.Reset(t.Context()))
	r.mappings = nil
	r.plan(r.selection, 500)
	r.copyAll(5, fullOnly, func(c *Config) { c.DeleteFirst, c.Lanes = true, 3 })
	r.requireEqual()
}

// TestFence_NewOwnerStopsTheCopy: after a newer attempt acquired the lane, the
// older one writes nothing more and cannot mark its chunk.
func TestFence_NewOwnerStopsTheCopy(t *testing.T) {
	r := newRig(t, "mysql97", true, 200, manyRows(0, 2000))
	taken := false
	_, err := Run(t.Context(), r.config(0, 1, func(c *Config) {
		c.Beat = func(contract.CopyBeat) {
			if !taken {
				taken = true
				r.config(0, 2)
			}
		}
	}))
	require.ErrorIs(t, err, fault.Fenced)
	var there int
	require.NoError(t, r.dstDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&there))
	require.Equal(t, 200, there)
	r.copyAll(3)
	r.requireEqual()
}

// TestRule11_ColumnChangedUnderTheCopy stops the lane instead of copying values
// of another column.
func TestRule11_ColumnChangedUnderTheCopy(t *testing.T) {
	r := newRig(t, "mysql97", false, 500, manyRows(0, 1000))
	r.exec("ALTER TABLE items MODIFY t VARCHAR(4000)")
	_, err := Run(t.Context(), r.config(0, 1))
	require.ErrorIs(t, err, fault.TableChanged)
}

// TestRun_LargeRowsStayWithinTheReadBudget reads rows of 1 MiB in small parts.
func TestRun_LargeRowsStayWithinTheReadBudget(t *testing.T) {
	r := newRig(t, "mysql97", true, 1000)
	for i := range 12 {
		r.exec(fmt.Sprintf("INSERT INTO items (a, b, u, t) VALUES (%d, 'big', %d, REPEAT('abcdefgh', 8000))", i, i))
	}
	parts := 0
	r.copyAll(1, func(c *Config) {
		c.ReadBytes = 64 << 10
		c.Beat = func(contract.CopyBeat) { parts++ }
	})
	require.GreaterOrEqual(t, parts, 4)
	r.requireEqual()
}

// TestRun_DrainEndsAtAChunkBoundary leaves no chunk claimed half-way.
func TestRun_DrainEndsAtAChunkBoundary(t *testing.T) {
	r := newRig(t, "mysql97", false, 100, manyRows(0, 1000))
	drain := make(chan struct{})
	once := false
	_, err := Run(t.Context(), r.config(0, 1, func(c *Config) {
		c.Drain = drain
		c.Beat = func(contract.CopyBeat) {
			if !once {
				once = true
				close(drain)
			}
		}
	}))
	require.ErrorIs(t, err, ErrDrained)
	progress, err := r.store.Progress(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, progress.ChunksDone)
	r.copyAll(2)
	r.requireEqual()
}

// TestRun_ConnectionsCut kills every connection of both sides again and again;
// lanes go on by themselves or with the next attempt, and no row is lost or
// there twice.
func TestRun_ConnectionsCut(t *testing.T) {
	server := testdb.Own(t, "mysql97")
	r := newRigOn(t, server, server, false, 300, manyRows(0, 5000), manyRows(5000, 5000), manyRows(10000, 5000))
	admin := server.DB(t, "")
	ctx, stop := context.WithCancel(t.Context())
	var killer errgroup.Group
	kills := 0
	killer.Go(func() error {
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for range 12 {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			n, err := killAll(ctx, admin)
			if err != nil && ctx.Err() == nil {
				return err
			}
			kills += n
		}
		return nil
	})
	var g errgroup.Group
	for lane := range 3 {
		g.Go(func() error { return r.untilDone(t.Context(), lane) })
	}
	require.NoError(t, g.Wait())
	stop()
	require.NoError(t, killer.Wait())
	require.Greater(t, kills, 20)
	r.requireEqual()
}

// untilDone begins attempt after attempt, as Temporal does, until the lane ends in order.
func (r *rig) untilDone(ctx context.Context, lane int) error {
	var last error
	for box := int64(1); box < 50; box++ {
		fence, err := r.store.Acquire(ctx, fmt.Sprintf("copy/%d", lane), checkpoint.Token{Epoch: 1, Box: box, Attempt: 1}, []string{r.to}, false)
		if err == nil {
			c := Config{
				Source: r.source, Destination: r.dst, Store: r.store, Fence: fence, Lane: lane, Lanes: 3, Box: time.Minute,
				Mapping: func(_ context.Context, table int) (*dialect.Mapping, error) { return r.mappings[table], nil },
			}
			_, err = Run(ctx, c)
		}
		if err == nil {
			return nil
		}
		if fault.ClassOf(err) != fault.Retry {
			return err
		}
		last = err
	}
	return last
}

// killAll ends every connection but its own.
func killAll(ctx context.Context, admin *sql.DB) (n int, err error) {
	found, err := testdb.Processes(ctx, admin)
	if err != nil {
		return 0, err
	}
	for _, p := range found {
		if p.User == "event_scheduler" || p.User == "system user" || strings.Contains(p.Statement, "PROCESSLIST") {
			continue
		}
		if _, err := admin.ExecContext(ctx, fmt.Sprintf("KILL %d", p.ID)); err == nil {
			n++
		}
	}
	return n, nil
}

// TestRule3_RowsLostWhileAChunkIsCopied: a data node that comes back without a
// part of a chunk while the chunk goes on; the middleware shows nothing of it.
// The chunk's mark comes later and must not vouch for what was before.
func TestRule3_RowsLostWhileAChunkIsCopied(t *testing.T) {
	for _, sharded := range []bool{false, true} {
		t.Run(fmt.Sprint(sharded), func(t *testing.T) {
			r := newRig(t, "mysql97", sharded, 2000, manyRows(0, 2000))
			forgot := false
			out, err := Run(t.Context(), r.config(0, 1, func(c *Config) {
				c.ReadBytes = 16 << 10
				c.Beat = func(b contract.CopyBeat) {
					if forgot {
						return
					}
					forgot = true // back to the state before the first part
					for _, s := range []string{"DELETE FROM items", "UPDATE shardlift_mark SET mark = 0 WHERE unit LIKE 'copy/%'"} {
						_, err := r.dstDB.ExecContext(t.Context(), s)
						require.NoError(t, err)
					}
				}
			}))
			require.NoError(t, err)
			require.True(t, out.Done)
			require.True(t, forgot)
			r.requireEqual()
			lines, _, err := r.store.Logs(t.Context(), 0, 10, "")
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(lines), "a data node lost commits")
		})
	}
}

// TestRule9_WhatRowsMayShowIsKept: a task that starts again on another server
// has to know what the rows that it has copied may show, finished chunk or not:
// a fail-over may have lost it.
func TestRule9_WhatRowsMayShowIsKept(t *testing.T) {
	for _, name := range []string{"mysql56", "mysql57", "mysql97", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, false, 500, manyRows(0, 1500))
			stopped := errors.New("stopped")
			var head position.Position
			part := 0
			_, err := Run(t.Context(), r.config(0, 1, func(c *Config) {
				c.ReadBytes, c.Writers = 16<<10, 1
				mapping := c.Mapping
				c.Mapping = func(ctx context.Context, table int) (*dialect.Mapping, error) {
					if part > 0 {
						return nil, stopped
					}
					r.exec("UPDATE items SET t = 'last' WHERE a = 10") // between the claim and the read
					var err error
					head, err = r.source.Head(t.Context())
					require.NoError(t, err)
					require.True(t, head.HasGTID())
					return mapping(ctx, table)
				}
				c.Beat = func(contract.CopyBeat) {
					part++
					seen, err := r.store.Seen(t.Context())
					require.NoError(t, err)
					require.Len(t, seen, 1)
					covered, err := seen[0].Covers(head)
					require.NoError(t, err)
					require.True(t, covered, "rows are written and it is not known what they show")
				}
			}))
			require.ErrorIs(t, err, stopped)
			r.copyAll(2)
			r.requireEqual()
			seen, err := r.store.Seen(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, seen)
			require.NoError(t, r.source.CheckSeen(t.Context(), seen))
		})
	}
}
