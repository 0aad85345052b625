//go:build full

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
	"shardlift/internal/testvitess"
	"shardlift/web/api"
)

// shop is the vschema of the tables of every move. people and orders are sharded
// by a column that is not their key; three tables take ids from sequences.
const shop = `{"sharded": true, "vindexes": {"hash": {"type": "hash"}, "xxhash": {"type": "xxhash"}}, "tables": {
	"people": {"column_vindexes": [{"column": "region", "name": "xxhash"}], "auto_increment": {"column": "id", "sequence": "shop_meta.people_seq"}},
	"orders": {"column_vindexes": [{"column": "person", "name": "hash"}], "auto_increment": {"column": "id", "sequence": "shop_meta.orders_seq"}},
	"items": {"column_vindexes": [{"column": "order_id", "name": "hash"}]},
	"regions": {"column_vindexes": [{"column": "code", "name": "hash"}]},
	"plain": {"column_vindexes": [{"column": "id", "name": "xxhash"}], "auto_increment": {"column": "id", "sequence": "shop_meta.plain_seq"}}}}`

// TestMove_ToVitess moves to a real Vitess of two shards while the source is
// written, through kill -9 of the worker in the copy and in the apply, and of
// vtgate with its tablets in the apply.
func TestMove_ToVitess(t *testing.T) {
	c := testvitess.Start(t, []testvitess.Keyspace{
		{Name: "shop", Shards: []string{"-80", "80-"}, VSchema: shop},
		{Name: "shop_meta", VSchema: `{"tables": {"people_seq": {"type": "sequence"}, "orders_seq": {"type": "sequence"}, "plain_seq": {"type": "sequence"}}}`},
	})
	s := newSystem(t)
	worker := s.worker()
	server := testdb.Get(t, "mysql97")
	m := &move{system: s, t: t, schema: server.Schema(t), to: "shop"}
	m.db, m.dst = server.DB(t, m.schema), c.DB(t, "shop")
	for _, one := range tables {
		m.exec(m.db, "CREATE TABLE "+one.name+" "+one.columns+charset)
		m.exec(m.dst, "CREATE TABLE "+one.name+" "+one.columns+charset)
	}
	for _, name := range []string{"people_seq", "orders_seq", "plain_seq"} {
		m.exec(m.dst, "CREATE TABLE shop_meta."+name+" (id INT NOT NULL, next_id BIGINT, cache BIGINT, PRIMARY KEY (id)) COMMENT 'vitess_sequence'")
		m.exec(m.dst, "INSERT INTO shop_meta."+name+" (id, next_id, cache) VALUES (0, 1, 100)")
	}
	// A row with id 0, which vtgate would give a value of the sequence.
	m.exec(m.db, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO plain (id, v) VALUES (0, 'zero')")
	m.create(server, api.EndpointFile{
		Kind: new("auto"), Host: c.Host, Port: &c.Port, User: c.User, Password: &c.Password, MetadataSchema: new("shop_meta"),
	}, moveOptions{rows: 3000, limits: slow(1000)})
	m.begin()
	stop := m.traffic(2)
	defer stop()

	s.eventually(2*time.Minute, "1000 rows", func() bool { return m.copied() >= 1000 })
	worker.kill()
	worker = s.worker()
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	m.await(3*time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(3 * time.Minute)
	worker.kill()
	s.worker()
	m.synced(3 * time.Minute)
	c.Kill(t)
	c.Restart(t)
	m.synced(3 * time.Minute)
	stop()
	require.Greater(t, m.written.Load(), int64(100))
	m.synced(2 * time.Minute)
	m.requireEqual()
	m.requirePlaces(c)

	m.must("stop", "")
	done := m.await(2*time.Minute, "RELEASE_RESOURCE_COMPLETE")
	require.Equal(t, "done", done.Sequences.State)
	m.requireEqual()
	m.requireFreshIDs()
}

// requirePlaces asks vtgate for each row by its sharding key, which goes to one
// shard only: it finds there what a shard has, and no more.
func (m *move) requirePlaces(c *testvitess.Cluster) {
	m.t.Helper()
	for _, one := range []struct{ table, key string }{{"people", "region"}, {"orders", "person"}, {"regions", "code"}, {"plain", "id"}} {
		keys := 0
		for _, shard := range []string{"-80", "80-"} {
			rows, err := c.ShardDB(m.t, "shop", shard).QueryContext(m.t.Context(), "SELECT "+one.key+", COUNT(*) FROM "+one.table+" GROUP BY "+one.key)
			require.NoError(m.t, err)
			for rows.Next() {
				var key, stored, routed int
				require.NoError(m.t, rows.Scan(&key, &stored))
				require.NoError(m.t, m.dst.QueryRowContext(m.t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s = %d", one.table, one.key, key)).Scan(&routed))
				require.Equal(m.t, stored, routed, "%s with %s %d on shard %s", one.table, one.key, key, shard)
				keys++
			}
			require.NoError(m.t, rows.Err())
			require.NoError(m.t, rows.Close())
		}
		require.Positive(m.t, keys, one.table)
	}
}
