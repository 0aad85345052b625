package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// patience bounds what a test waits for.
const patience = 2 * time.Minute

// place is where a test keeps metadata and data, with the administrator's pool.
type place struct {
	d      *destination.Destination
	config mysqlconn.Config
	schema string
	db     *sql.DB
}

func newPlace(t *testing.T, server string) place {
	t.Helper()
	t.Parallel()
	s := testdb.Get(t, server)
	p := place{schema: s.Schema(t), config: mysqlconn.Config{Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password), MaxConnections: 12}}
	p.db = s.DB(t, p.schema)
	p.d = p.open(t)
	return p
}

func (p place) open(t *testing.T) *destination.Destination {
	t.Helper()
	d, err := destination.Open(t.Context(), p.config, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func (p place) store(t *testing.T, taskID string) *Store {
	t.Helper()
	s, err := Open(t.Context(), p.d, p.schema, taskID)
	require.NoError(t, err)
	return s
}

func (p place) exec(t *testing.T, statement string) {
	t.Helper()
	_, err := p.db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func (p place) count(t *testing.T, query string) (n int64) {
	t.Helper()
	require.NoError(t, p.db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// running says whether a statement that holds these texts, in this order, is
// running on a server.
func running(t *testing.T, db *sql.DB, texts ...string) bool {
	t.Helper()
	found, err := testdb.Processes(t.Context(), db)
	require.NoError(t, err)
	return slices.ContainsFunc(found, func(p testdb.Process) bool {
		rest := p.Statement
		for _, text := range texts {
			_, behind, ok := strings.Cut(rest, text)
			if !ok {
				return false
			}
			rest = behind
		}
		return true
	})
}

func acquire(t *testing.T, s *Store, p place, unit string, token Token) *Fence {
	t.Helper()
	f, err := s.Acquire(t.Context(), unit, token, []string{p.schema}, false)
	require.NoError(t, err)
	return f
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !ok() {
		require.NoError(t, wait(ctx, 10*time.Millisecond), what)
	}
}

func at(offset uint64) position.Position {
	return position.Position{Flavor: position.MySQL, Server: "s", File: "bin.000001", Offset: offset}
}

func gtid(set string) position.Position {
	return position.Position{Flavor: position.MySQL, Server: "s", File: "bin.000001", Offset: 4, GTID: &set}
}

func planOf(n int) []Table {
	out := make([]Table, n)
	for i := range out {
		name := table.Name{Schema: "shop", Table: fmt.Sprintf("t%05d", i+1)}
		out[i] = Table{
			No: i + 1, Source: name, Destination: table.Name{Schema: "shop_ddm", Table: name.Table}, RowsEstimated: 100, BytesEstimated: 1000,
			Definition: &table.Table{Name: name, Columns: []table.Column{{Name: "id", Type: table.TypeInt, SQLType: "int", Bits: 32}}, Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}}, Engine: "InnoDB"},
		}
	}
	return out
}

func chunksOf(tableNo int, from int64, n int) []Chunk {
	out := make([]Chunk, n)
	for i := range out {
		out[i] = Chunk{No: from + int64(i), Table: tableNo}
		if i > 0 {
			out[i].Range.Lower = [][]byte{fmt.Appendf(nil, "%d", i)}
		}
		if i < n-1 {
			out[i].Range.Upper = [][]byte{fmt.Appendf(nil, "%d", i+1)}
		}
	}
	return out
}

func TestOpen_IsIdempotentOnEveryVersion(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, name)
			s := p.store(t, "t1")
			again := p.store(t, "t1")
			for want := range int64(3) {
				epoch, err := again.Epoch(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, epoch)
				issued, err := s.NewEpoch(t.Context())
				require.NoError(t, err)
				require.Equal(t, want+1, issued)
			}
		})
	}
}

func TestOpen_ManyAtOnce(t *testing.T) {
	p := newPlace(t, "mysql97")
	errs := make(chan error)
	for range 6 {
		go func() {
			_, err := Open(t.Context(), p.d, p.schema, "t1")
			errs <- err
		}()
	}
	for range 6 {
		require.NoError(t, <-errs)
	}
}

func TestOpen_RefusesNewerTables(t *testing.T) {
	p := newPlace(t, "mysql97")
	p.store(t, "t1")
	p.exec(t, "UPDATE shardlift_meta SET body = '99' WHERE name = 'version'")
	_, err := Open(t.Context(), p.d, p.schema, "t1")
	require.ErrorContains(t, err, "SL-3012")
}

func TestOpen_MakesTheMetadataSchemaOnAPlainServer(t *testing.T) {
	p := newPlace(t, "mysql97")
	own := p.schema[:40] + "_meta"
	t.Cleanup(func() {
		_, err := p.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+own)
		require.NoError(t, err)
	})
	_, err := Open(t.Context(), p.d, own, "t1")
	require.NoError(t, err)
}

func TestExisting_MakesNothing(t *testing.T) {
	p := newPlace(t, "mysql97")
	_, ok, err := Existing(t.Context(), p.d, p.schema, "t1")
	require.NoError(t, err)
	require.False(t, ok)
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"))
	p.store(t, "t1")
	_, ok, err = Existing(t.Context(), p.d, p.schema, "t1")
	require.NoError(t, err)
	require.True(t, ok)
	_, ok, err = Existing(t.Context(), p.d, p.schema, "other")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestSave_MovesForwardOnly(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	none, err := s.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Nil(t, none)

	f := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	until := at(900)
	c := Checkpoint{Group: 0, Position: at(100), SafeUntil: &until, Rows: 7, Transactions: 2, Divergences: 1, SourceTime: time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC), Version: 3}
	require.NoError(t, s.Save(t.Context(), f, c))
	require.NoError(t, s.Save(t.Context(), f, c), "the same again")
	loaded, err := s.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, &c, loaded)

	c.Position = at(99)
	require.ErrorContains(t, s.Save(t.Context(), f, c), "SL-3014")
	// Another attempt looks at the row, too.
	f = acquire(t, s, p, "apply/0", Token{1, 1, 2})
	require.ErrorContains(t, s.Save(t.Context(), f, c), "SL-3014")
	c.Position = at(101)
	require.NoError(t, s.Save(t.Context(), f, c))
}

func TestSave_KeepsGroupsAndTasksApart(t *testing.T) {
	p := newPlace(t, "mysql97")
	one, two := p.store(t, "t1"), p.store(t, "t2")
	f0 := acquire(t, one, p, "apply/0", Token{1, 1, 1})
	f1 := acquire(t, one, p, "apply/1", Token{1, 1, 1})
	other := acquire(t, two, p, "apply/0", Token{1, 1, 1})
	require.NoError(t, one.Save(t.Context(), f0, Checkpoint{Group: 0, Position: gtid("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")}))
	require.NoError(t, one.Save(t.Context(), f1, Checkpoint{Group: 1, Position: at(7)}))
	require.NoError(t, two.Save(t.Context(), other, Checkpoint{Group: 0, Position: at(8)}))
	require.ErrorContains(t, one.Save(t.Context(), f0, Checkpoint{Group: 0, Position: gtid("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-4")}), "SL-3014")
	c, err := one.Load(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, at(7), c.Position)
	c, err = two.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, at(8), c.Position)
}

func TestToken_OrdersAsItsText(t *testing.T) {
	ordered := []Token{{0, 0, 1}, {1, 0, 0}, {1, 0, 9}, {1, 2, 1}, {1, 10, 1}, {2, 0, 1}, {10, 0, 0}, {1 << 62, 1 << 62, 1 << 30}}
	for i := 1; i < len(ordered); i++ {
		require.Negative(t, ordered[i-1].Compare(ordered[i]))
		require.Less(t, ordered[i-1].String(), ordered[i].String())
		require.Len(t, ordered[i].String(), len(ordered[0].String()))
	}
}
