package compare

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// The simulator brings a logger of Vitess that flushes for ever.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// pair is a source and a destination schema, on one server or two.
type pair struct {
	source, destination  *sql.DB
	sourceName, destName string
	d                    *destination.Destination
	results              *memory
	positions            func() position.Position // the source's head
	settled              func(context.Context, position.Position) error
}

func config(s *testdb.Server, schema string) mysqlconn.Config {
	return mysqlconn.Config{
		Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password), Schema: schema,
		TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}, MaxConnections: 8,
	}
}

func newPair(t *testing.T, source, dest string) *pair {
	t.Helper()
	from, to := testdb.Get(t, source), testdb.Get(t, dest)
	p := &pair{sourceName: from.Schema(t), destName: to.Schema(t), results: newMemory()}
	c := config(from, p.sourceName)
	c.Session = []mysqlconn.Setting{
		{Name: "time_zone", Value: "'+00:00'"},
		{Name: "sql_mode", Value: "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'"},
		mysqlconn.GIPKSetting(), mysqlconn.StatisticsSetting(),
	}
	var err error
	p.source, err = mysqlconn.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.source.Close() })
	p.d, err = destination.Open(t.Context(), config(to, p.destName), "auto")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.d.Close() })
	p.destination = p.d.DB()
	return p
}

// DB, Table and Head make a pair a Source.
func (p *pair) DB() *sql.DB { return p.source }

func (p *pair) Table(ctx context.Context, n table.Name) (*table.Table, error) {
	found, err := mysqlconn.Catalogue(ctx, p.source, n.Schema, []string{n.Table})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("no table %s", n)
	}
	return found[0], nil
}

func (p *pair) Head(context.Context) (position.Position, error) {
	if p.positions == nil {
		return position.Position{}, nil
	}
	return p.positions(), nil
}

func (p *pair) both(t *testing.T, statement string) {
	t.Helper()
	p.onSource(t, statement)
	p.onDestination(t, statement)
}

func (p *pair) onSource(t *testing.T, statement string) {
	t.Helper()
	_, err := p.source.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement[:min(len(statement), 200)])
}

func (p *pair) onDestination(t *testing.T, statement string) {
	t.Helper()
	_, err := p.destination.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement[:min(len(statement), 200)])
}

func (p *pair) config(kind string, tables ...string) Config {
	c := Config{ID: "c1", Type: kind, Source: p, Destination: p.d, Results: p.results, Settled: p.settled}
	for i, name := range tables {
		c.Tables = append(c.Tables, Table{
			No: i, Source: table.Name{Schema: p.sourceName, Table: name}, Destination: table.Name{Schema: p.destName, Table: name},
		})
	}
	return c
}

// compare runs a new comparison to its end.
func (p *pair) compare(t *testing.T, kind string, tables ...string) contract.CompareOut {
	t.Helper()
	p.results = newMemory()
	out, err := Run(t.Context(), p.config(kind, tables...))
	require.NoError(t, err)
	require.True(t, out.Done)
	require.Equal(t, out.Result, p.results.whole.Result)
	require.NotNil(t, p.results.whole.FinishedAt)
	return out
}

// memory is Results in memory; everything goes through JSON as in the store.
type memory struct {
	whole       *checkpoint.Comparison
	tables      map[int]string
	differences map[int][]contract.Difference
}

func newMemory() *memory {
	return &memory{tables: map[int]string{}, differences: map[int][]contract.Difference{}}
}

type stored struct {
	No     int
	Done   bool
	Table  contract.ComparedTable
	Cursor json.RawMessage `json:",omitempty"`
}

func (m *memory) Comparison(context.Context, string) (*checkpoint.Comparison, error) {
	return m.whole, nil
}

func (m *memory) PutComparison(_ context.Context, c checkpoint.Comparison) error {
	m.whole = &c
	return nil
}

func (m *memory) Compared(_ context.Context, _ string, after, limit int) ([]checkpoint.Compared, error) {
	var out []checkpoint.Compared
	for _, no := range slices.Sorted(maps.Keys(m.tables)) {
		if no <= after || len(out) == limit {
			continue
		}
		var s stored
		if err := json.Unmarshal([]byte(m.tables[no]), &s); err != nil {
			return nil, err
		}
		out = append(out, checkpoint.Compared{No: s.No, ComparedTable: s.Table, Done: s.Done, Cursor: s.Cursor})
	}
	return out, nil
}

func (m *memory) PutCompared(_ context.Context, _ string, c checkpoint.Compared) error {
	text, err := json.Marshal(stored{c.No, c.Done, c.ComparedTable, c.Cursor})
	m.tables[c.No] = string(text)
	return err
}

func (m *memory) Differences(_ context.Context, _, after string, limit int) ([]contract.Difference, *string, error) {
	no, err := strconv.Atoi(strings.TrimSuffix(after, ".-1"))
	return m.differences[no][:min(limit, len(m.differences[no]))], nil, err
}

func (m *memory) PutDifferences(_ context.Context, _ string, no int, list []contract.Difference) error {
	m.differences[no] = slices.Clone(list)
	return nil
}

// kinds returns the differences as kind by key text.
func (m *memory) kinds() map[string]string {
	out := map[string]string{}
	for _, list := range m.differences {
		for _, d := range list {
			out[d.Key] = d.Kind
		}
	}
	return out
}

func (m *memory) table(t *testing.T, no int) contract.ComparedTable {
	t.Helper()
	found, err := m.Compared(t.Context(), "", no-1, 1)
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].ComparedTable
}

func insertNumbers(n int, with func(i int) string) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + strconv.Itoa(i) + "," + with(i) + ")"
	}
	return strings.Join(rows, ",")
}
