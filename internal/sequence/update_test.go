package sequence

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

var _ Source = (*source.Source)(nil)

// counters is a source whose AUTO_INCREMENT values are given.
type counters map[string]uint64

func (c counters) AutoIncrement(_ context.Context, n table.Name) (uint64, bool, error) {
	next, ok := c[n.Table]
	return next, ok, nil
}

func tablesOf(schema string, names ...string) []checkpoint.Table {
	var out []checkpoint.Table
	for i, n := range names {
		out = append(out, checkpoint.Table{No: i + 1, Source: table.Name{Schema: "shop", Table: n}, Destination: table.Name{Schema: schema, Table: n}})
	}
	return out
}

func openAt(t *testing.T, host string, port int, user, password string) *destination.Destination {
	t.Helper()
	d, err := destination.Open(t.Context(), mysqlconn.Config{Host: host, Port: port, User: user, Password: secret.NewText(password), MaxConnections: 6}, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func exec(t *testing.T, db *sql.DB, format string, args ...any) sql.Result {
	t.Helper()
	r, err := db.ExecContext(t.Context(), fmt.Sprintf(format, args...))
	require.NoError(t, err, format)
	return r
}

func nextID(t *testing.T, db *sql.DB, name string) int64 {
	t.Helper()
	exec(t, db, "INSERT INTO %s (v) VALUES (1)", name)
	var id int64
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT MAX(id) FROM "+name).Scan(&id))
	return id
}

// Rule 13 on plain servers: the next id is above the largest one there and not
// below the source's counter.
func TestUpdate_RaisesAutoIncrementOfPlainServers(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			s := testdb.Get(t, name)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			for _, n := range []string{"deleted", "larger", "unused", "high"} {
				exec(t, db, "CREATE TABLE %s (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)", n)
			}
			exec(t, db, "CREATE TABLE plain (id INT PRIMARY KEY, v INT)")
			exec(t, db, "INSERT INTO deleted VALUES (5, 1)")
			exec(t, db, "INSERT INTO larger VALUES (500, 1)")
			exec(t, db, "ALTER TABLE high AUTO_INCREMENT = 9000")
			d := openAt(t, s.Host, s.Port, s.User, s.Password)
			src := counters{"deleted": 100, "larger": 7, "unused": 1, "high": 10}
			for range 2 { // again changes nothing
				out, err := Update(t.Context(), src, d, tablesOf(schema, "deleted", "larger", "unused", "high", "plain"), true)
				require.NoError(t, err)
				require.Equal(t, contract.SequencesOut{Refreshed: 4, Total: 4}, out)
			}
			require.EqualValues(t, 100, nextID(t, db, "deleted"), "the source had given out ids up to 99")
			require.EqualValues(t, 501, nextID(t, db, "larger"))
			require.EqualValues(t, 1, nextID(t, db, "unused"))
			require.EqualValues(t, 9000, nextID(t, db, "high"), "never lowered")
		})
	}
}

// Rule 13 behind DDM: sequences of sharded and broadcast tables, AUTO_INCREMENT
// of unsharded ones, one by one and all at once.
func TestUpdate_RaisesSequencesOfDDM(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
			s := simtest.Start(t, 4)
			db := s.DB(t)
			exec(t, db, "CREATE TABLE orders (id BIGINT NOT NULL AUTO_INCREMENT, v BIGINT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
			exec(t, db, "CREATE TABLE regions (id BIGINT NOT NULL AUTO_INCREMENT, v BIGINT, PRIMARY KEY (id)) BROADCAST")
			exec(t, db, "CREATE TABLE single (id BIGINT NOT NULL AUTO_INCREMENT, v BIGINT, PRIMARY KEY (id))")
			exec(t, db, "CREATE TABLE ahead (id BIGINT NOT NULL AUTO_INCREMENT, v BIGINT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
			// Part of a cache is used up: the next value is far below the stored one.
			require.EqualValues(t, 1, nextID(t, db, "orders"))
			for _, id := range []int{498, 499, 500, 777} {
				exec(t, db, "INSERT INTO orders (id, v) VALUES (%d, 1)", id)
			}
			exec(t, db, "INSERT INTO regions (id, v) VALUES (30, 1)")
			exec(t, db, "INSERT INTO single (id, v) VALUES (40, 1)")
			exec(t, db, "ALTER SEQUENCE ahead START WITH 100000")
			d := openAt(t, s.Host, s.Port, s.User, s.Password)
			src := counters{"orders": 600, "regions": 90, "single": 95, "ahead": 50}
			out, err := Update(t.Context(), src, d, tablesOf(s.Schema, "orders", "regions", "single", "ahead"), all)
			require.NoError(t, err)
			require.Equal(t, contract.SequencesOut{Refreshed: 4, Total: 4}, out)
			require.Greater(t, nextID(t, db, "orders"), int64(777))
			require.GreaterOrEqual(t, nextID(t, db, "regions"), int64(90))
			require.GreaterOrEqual(t, nextID(t, db, "single"), int64(95))
			require.GreaterOrEqual(t, nextID(t, db, "ahead"), int64(100000), "never lowered")
		})
	}
}

func TestUpdate_WarnsWhereAColumnHasNoRoom(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	schema := s.Schema(t)
	db := s.DB(t, schema)
	exec(t, db, "CREATE TABLE a (id TINYINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)")
	exec(t, db, "CREATE TABLE b (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)")
	exec(t, db, "INSERT INTO a VALUES (127, 1)")
	exec(t, db, "INSERT INTO b VALUES (18446744073709551615, 1)")
	d := openAt(t, s.Host, s.Port, s.User, s.Password)
	out, err := Update(t.Context(), counters{}, d, tablesOf(schema, "a", "b"), false)
	require.NoError(t, err)
	require.Zero(t, out.Refreshed)
	require.Equal(t, 2, out.Total)
	require.Len(t, out.Warnings, 2)
	require.Contains(t, out.Warnings[0], "SL-3032")
}

func TestUpdate_NamesAMissingTable(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d := openAt(t, s.Host, s.Port, s.User, s.Password)
	_, err := Update(t.Context(), counters{}, d, tablesOf(s.Schema(t), "nowhere"), false)
	require.ErrorContains(t, err, "SL-3003")
}
