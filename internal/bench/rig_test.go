package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/applier"
	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/copier"
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

// The defaults of a task.
const (
	lanes   = 4
	writers = 3
)

const ordersTable = "(id BIGINT UNSIGNED NOT NULL, customer INT NOT NULL, state VARCHAR(20) NOT NULL, total DECIMAL(12,2) NOT NULL, " +
	"placed DATETIME NOT NULL, note VARCHAR(200) NOT NULL, PRIMARY KEY (id), KEY customer (customer)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"

// rig is one table of orders on a source and a destination.
type rig struct {
	b                   *testing.B
	source, destination *testdb.Server // the latter is the simulator's address, if sharded
	schema, to          string
	other               string // a second destination, if not sharded
	db, dstDB           *sql.DB
	conn                mysqlconn.Config

	src      *source.Source
	dst      *destination.Destination
	store    *checkpoint.Store
	selected selection.Selection
	table    *table.Table
	mapping  *dialect.Mapping
	start    position.Position
	next     int // id of the next order
}

func newRig(b *testing.B, sharded bool) *rig {
	b.Helper()
	r := &rig{b: b, source: testdb.Get(b, "mysql80"), destination: testdb.Get(b, "mysql97")}
	r.schema = r.source.Schema(b)
	r.db = r.source.DB(b, r.schema)
	tail := ""
	if sharded {
		sim := simtest.Start(b, 8)
		r.to, r.dstDB, tail = sim.Schema, sim.DB(b), " DBPARTITION BY MOD_HASH(id)"
		r.destination = &testdb.Server{Name: "simulator", Host: sim.Host, Port: sim.Port, User: sim.User, Password: sim.Password}
	} else {
		r.to, r.other = r.destination.Schema(b), r.destination.Schema(b)
		r.dstDB = r.destination.DB(b, r.to)
		r.exec(r.dstDB, "CREATE TABLE `"+r.other+"`.orders "+ordersTable)
	}
	r.exec(r.db, "CREATE TABLE orders "+ordersTable)
	r.exec(r.dstDB, "CREATE TABLE orders "+ordersTable+tail)
	r.selected = selection.Selection{{Schema: r.schema, To: r.to}}

	r.conn = conn(r.source)
	var err error
	r.src, err = source.Open(b.Context(), r.conn, lanes)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.src.Close()) })
	to := conn(r.destination)
	to.MaxConnections = lanes * (writers + 1)
	r.dst, err = destination.Open(b.Context(), to, "auto")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.dst.Close()) })
	return r
}

func conn(s *testdb.Server) mysqlconn.Config {
	return mysqlconn.Config{Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password), TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}}
}

func (r *rig) exec(db *sql.DB, statement string) {
	r.b.Helper()
	_, err := db.ExecContext(r.b.Context(), statement)
	require.NoError(r.b, err)
}

// fill inserts n orders into the source.
func (r *rig) fill(n int) {
	r.b.Helper()
	for n > 0 {
		var rows []string
		for range min(n, 1000) {
			rows = append(rows, r.order())
		}
		r.exec(r.db, "INSERT INTO orders VALUES "+strings.Join(rows, ","))
		n -= len(rows)
	}
	r.exec(r.db, "ANALYZE TABLE orders")
}

// order is the next order's row.
func (r *rig) order() string {
	r.next++
	return fmt.Sprintf("(%d,%d,'placed',%d.%02d,'2026-01-02 03:04:05','%s')", r.next, r.next%10_007, r.next%900, r.next%100, strings.Repeat("note ", 10+r.next%10))
}

// change commits n transactions of each rows: two change, one is new, one goes.
func (r *rig) change(n, each int) {
	r.b.Helper()
	var g errgroup.Group
	const writers = 4
	for w := range writers {
		fresh := make([]string, 0, n/writers)
		for range n / writers {
			fresh = append(fresh, r.order())
		}
		g.Go(func() error {
			for i, row := range fresh {
				if err := r.transaction(row, each, w+writers*i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(r.b, g.Wait())
}

func (r *rig) transaction(row string, each, i int) error {
	ctx := r.b.Context()
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	statements := []string{"INSERT INTO orders VALUES " + row, fmt.Sprintf("DELETE FROM orders WHERE id = %d", 7*i+1)}
	for k := len(statements); k < each; k++ {
		statements = append(statements, fmt.Sprintf("UPDATE orders SET state = 'paid', total = total + 1 WHERE id = %d", 7*i+k))
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// empty takes every order from the destination.
func (r *rig) empty() { r.exec(r.dstDB, "TRUNCATE TABLE orders") }

// dump moves all orders by mysqldump | mysql.
func (r *rig) dump(to string) {
	pipe(r.b,
		r.source.Client(r.b, "mysqldump", "--single-transaction", "--quick", "--no-create-info", "--compact", "--skip-triggers", "--skip-tz-utc",
			"--set-gtid-purged=OFF", "--no-tablespaces", "--column-statistics=0", r.schema),
		r.destination.Client(r.b, "mariadb", "--binary-mode", "--default-character-set=utf8mb4", to))
}

// copy plans and copies all orders as a new task.
func (r *rig) copy() {
	r.b.Helper()
	r.plan()
	var g errgroup.Group
	for lane := range lanes {
		fence := r.acquire(fmt.Sprintf("copy/%d", lane))
		g.Go(func() error {
			out, err := copier.Run(r.b.Context(), copier.Config{
				Source: r.src, Destination: r.dst, Store: r.store, Fence: fence, Lane: lane, Lanes: lanes, Writers: writers, Box: time.Hour,
				Mapping: func(context.Context, int) (*dialect.Mapping, error) { return r.mapping, nil },
			})
			if err == nil && !out.Done {
				err = errors.New("the lane is not done")
			}
			return err
		})
	}
	require.NoError(r.b, g.Wait())
}

func (r *rig) acquire(unit string) *checkpoint.Fence {
	r.b.Helper()
	fence, err := r.store.Acquire(r.b.Context(), unit, checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}, []string{r.to}, false)
	require.NoError(r.b, err)
	return fence
}

func (r *rig) plan() {
	r.b.Helper()
	ctx := r.b.Context()
	found, err := r.src.Catalogue(ctx, r.selected)
	require.NoError(r.b, err)
	require.Len(r.b, found, 1)
	r.table = found[0]
	to, _, _ := r.selected.Match(r.table.Name)
	there, err := r.dst.Table(ctx, to)
	require.NoError(r.b, err)
	placement, err := r.dst.Placement(ctx, to)
	require.NoError(r.b, err)
	r.mapping, err = dialect.NewMapping(r.table, there, placement)
	require.NoError(r.b, err)
	r.store, err = checkpoint.Open(ctx, r.dst, r.to, uuid.NewString())
	require.NoError(r.b, err)
	r.start, err = r.src.StartPosition(ctx, []table.Name{r.table.Name})
	require.NoError(r.b, err)
	require.NoError(r.b, r.store.PutTables(ctx, []checkpoint.Table{{No: 1, Source: r.table.Name, Destination: to, Definition: r.table}}))
	var chunks []checkpoint.Chunk
	require.NoError(r.b, chunk.Plan(ctx, r.src, r.table, nil, chunk.Budget{}, func(k table.KeyRange, _ int64) error {
		chunks = append(chunks, checkpoint.Chunk{No: int64(len(chunks) + 1), Table: 1, Range: k})
		return nil
	}))
	require.NoError(r.b, r.store.AddChunks(ctx, chunks))
	require.NoError(r.b, r.store.SetPlanned(ctx, 1))
	require.NoError(r.b, r.store.PrepareFences(ctx, []string{r.to}))
}

// Table implements binlog.Tables.
func (r *rig) Table(table.Name) (*table.Table, error) { return r.table, nil }

// apply brings the destination to the source's present position.
func (r *rig) apply() {
	r.b.Helper()
	stop, err := r.src.Head(r.b.Context())
	require.NoError(r.b, err)
	out, err := applier.Run(r.b.Context(), applier.Config{
		Start: r.start, CopyEnd: r.start, Stop: &stop, Box: time.Hour, Destination: r.dst, Store: r.store, Fence: r.acquire("apply/0"),
		Head:    r.src.Head,
		Mapping: func(context.Context, *table.Table) (*dialect.Mapping, error) { return r.mapping, nil },
		Open: func(ctx context.Context, from position.Position) (applier.Stream, error) {
			return binlog.Open(ctx, binlog.Config{
				Conn: r.conn, Capabilities: r.src.Capabilities(), ServerID: binlog.ServerID(r.schema, 0), From: from,
				Selection: r.selected, Tables: r, Heartbeat: time.Second,
			})
		},
		DDL: func(context.Context, binlog.Event) (applier.Verdict, []*table.Table, error) {
			return 0, nil, errors.New("a statement")
		},
	})
	require.NoError(r.b, err)
	require.True(r.b, out.Drained)
	require.Zero(r.b, out.Divergences)
}

// place is where the source's binlog ends.
func (r *rig) place() (file, offset string) {
	r.b.Helper()
	head, err := r.src.Head(r.b.Context())
	require.NoError(r.b, err)
	return head.File, fmt.Sprint(head.Offset)
}

// requireEqual compares all orders of the source with those of a destination.
func (r *rig) requireEqual(to string) {
	r.b.Helper()
	require.Equal(r.b, r.sum(r.db, r.schema), r.sum(r.dstDB, to))
}

func (r *rig) sum(db *sql.DB, schema string) (out [2]uint64) {
	r.b.Helper()
	rows, err := db.QueryContext(r.b.Context(), "SELECT id, customer, state, total, placed, note FROM `"+schema+"`.orders")
	require.NoError(r.b, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var fields [6]sql.RawBytes
		require.NoError(r.b, rows.Scan(&fields[0], &fields[1], &fields[2], &fields[3], &fields[4], &fields[5]))
		hash := crc32.NewIEEE()
		for _, f := range fields {
			_, _ = fmt.Fprintf(hash, "%d:%s", len(f), f)
		}
		out[0]++
		out[1] += uint64(hash.Sum32())
	}
	require.NoError(r.b, rows.Err())
	return out
}
