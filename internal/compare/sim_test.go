package compare

import (
	"database/sql"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// simulated is a source and a simulated DDM with four shards.
type simulated struct {
	*pair
	sim   *simtest.Sim
	nodes *sql.DB
	store *checkpoint.Store
}

func newSimulated(t *testing.T) *simulated {
	t.Helper()
	sim := simtest.Start(t, 4)
	from := testdb.Get(t, "mysql57")
	p := &pair{sourceName: from.Schema(t), destName: sim.Schema, results: newMemory()}
	c := config(from, p.sourceName)
	c.Session = []mysqlconn.Setting{{Name: "time_zone", Value: "'+00:00'"}}
	var err error
	p.source, err = mysqlconn.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.source.Close() })
	p.d, err = destination.Open(t.Context(), mysqlconn.Config{
		Host: sim.Host, Port: sim.Port, User: sim.User, Password: secret.NewText(sim.Password), Schema: sim.Schema,
		TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}, MaxConnections: 8,
	}, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.d.Close() })
	require.Equal(t, dialect.DDM, p.d.Dialect().Kind())
	p.destination = p.d.DB()
	store, err := checkpoint.Open(t.Context(), p.d, sim.Schema, "m-compare")
	require.NoError(t, err)
	return &simulated{pair: p, sim: sim, nodes: sim.Nodes[0].DB(t, ""), store: store}
}

// onShard runs a statement on the physical table of a shard, behind the simulator's back.
func (s *simulated) onShard(t *testing.T, shard int, format string) {
	t.Helper()
	_, err := s.nodes.ExecContext(t.Context(), fmt.Sprintf(format, fmt.Sprintf("`%s_%04d`.", s.sim.Schema, shard)))
	require.NoError(t, err)
}

// copyTable writes the source's rows as the copier does: canonical, through the dialect.
func (s *simulated) copyTable(t *testing.T, name string) {
	t.Helper()
	r := &run{Config: Config{Source: s, Destination: s.d}}
	m, err := r.mapping(t.Context(), Table{Source: table.Name{Schema: s.sourceName, Table: name}, Destination: table.Name{Schema: s.destName, Table: name}})
	require.NoError(t, err)
	var rows []row.Row
	columns := make([]int, len(m.Pairs))
	for i, p := range m.Pairs {
		columns[i] = p.Source
	}
	require.NoError(t, sourceSide(s.source, m, columns).rows(t.Context(), "", "", func(got row.Row) error {
		rows = append(rows, got.Clone())
		return nil
	}))
	for _, statement := range s.d.Dialect().Insert(m, rows) {
		s.onDestination(t, statement.SQL)
	}
}

// shop makes a sharded, a broadcast and a single table with equal rows.
func (s *simulated) shop(t *testing.T) {
	t.Helper()
	const orders = "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer BIGINT NOT NULL, at DATETIME(6) NOT NULL, note VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, b VARBINARY(9))"
	const events = "CREATE TABLE events (id BIGINT PRIMARY KEY, at DATETIME(6) NOT NULL, v FLOAT)"
	const country = "CREATE TABLE country (id INT PRIMARY KEY, name VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)"
	const single = "CREATE TABLE single (id INT PRIMARY KEY, v DECIMAL(10,2))"
	for _, statement := range []string{orders, events, country, single} {
		s.onSource(t, statement)
	}
	s.onDestination(t, orders+" DBPARTITION BY MOD_HASH(customer)")
	s.onDestination(t, events+" DBPARTITION BY YYYYDD(at)")
	s.onDestination(t, country+" BROADCAST")
	s.onDestination(t, single)
	s.onSource(t, "INSERT INTO orders VALUES "+insertNumbers(300, func(i int) string {
		return fmt.Sprintf("%d,'2024-01-02 03:04:05.%06d','it''s ä',0x00ff", i/3, i)
	}))
	s.onSource(t, "INSERT INTO events VALUES "+insertNumbers(200, func(i int) string {
		return fmt.Sprintf("'2024-01-%02d 03:04:05.%06d',%d.1", i%28+1, i*1000+7, i)
	}))
	s.onSource(t, "INSERT INTO country VALUES "+insertNumbers(20, func(i int) string { return "'c" + strconv.Itoa(i) + "'" }))
	s.onSource(t, "INSERT INTO single VALUES "+insertNumbers(20, func(i int) string { return strconv.Itoa(i) + ".50" }))
	for _, name := range []string{"orders", "events", "country", "single"} {
		s.copyTable(t, name)
	}
}

var shopTables = []string{"orders", "events", "country", "single"}

func TestCompare_ShardedDestination(t *testing.T) {
	s := newSimulated(t)
	s.shop(t)
	for _, kind := range []string{contract.CompareValues, contract.CompareRows} {
		require.Equal(t, checkpoint.ResultConsistent, s.compare(t, kind, shopTables...).Result, "%s %v", kind, s.results.kinds())
	}
	for no := range shopTables {
		require.Equal(t, checkpoint.ResultConsistent, s.results.table(t, no).Result)
	}

	// Customer 5 belongs to shard 1 of 4: order 15 moves, order 16 is there twice,
	// and order 17 is lost.
	s.onShard(t, 1, "DELETE FROM %sorders WHERE id IN (15,17)")
	s.onShard(t, 2, "INSERT INTO %sorders VALUES (15,5,'2024-01-02 03:04:05.000015','it''s ä',0x00ff),(16,5,'2024-01-02 03:04:05.000016','it''s ä',0x00ff)")
	s.compare(t, contract.CompareValues, shopTables...)
	require.Equal(t, map[string]string{
		"`id` = 15 AND `customer` = 5": misplaced, "`id` = 16 AND `customer` = 5": misplaced, "`id` = 17 AND `customer` = 5": onlySource,
	}, s.results.kinds())
	require.EqualValues(t, 3, s.results.table(t, 0).Differences)
}

// The store keeps what the tests' memory keeps: across boxes, with pages of answers.
func TestCompare_KeepsItsStateInTheStore(t *testing.T) {
	s := newSimulated(t)
	s.shop(t)
	s.onDestination(t, "DELETE FROM single WHERE id = 3")
	s.onDestination(t, "UPDATE country SET name = 'C7' WHERE id = 7")
	c := s.config(contract.CompareValues, shopTables...)
	c.Results = s.store
	c.Box = time.Nanosecond
	out, err := Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, contract.CompareOut{Result: checkpoint.ResultComparing, Tables: 4}, out)
	c.Box = 0
	for range 2 { // the second run finds everything done
		out, err = Run(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, contract.CompareOut{Done: true, Result: checkpoint.ResultInconsistent, Tables: 4, Inconsistent: 2}, out)
	}
	answer, err := s.store.Answer(t.Context(), "c1", "", 10)
	require.NoError(t, err)
	require.Equal(t, checkpoint.ResultInconsistent, answer.Result)
	require.NotNil(t, answer.FinishedAt)
	require.Len(t, answer.Tables, 4)
	require.Equal(t, []contract.Difference{
		{Table: table.Name{Schema: s.sourceName, Table: "country"}, Key: "`id` = 7", Kind: different},
		{Table: table.Name{Schema: s.sourceName, Table: "single"}, Key: "`id` = 3", Kind: onlySource},
	}, answer.Differences)
}
