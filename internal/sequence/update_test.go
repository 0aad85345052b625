package sequence

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// rig is a source with rows beyond which the destination must count.
func rig(t *testing.T, sharded bool) (Config, *sql.DB) {
	t.Helper()
	server := testdb.Get(t, "mysql97")
	schema := server.Schema(t)
	db := server.DB(t, schema)
	conn := func(host string, port int, user, password string) mysqlconn.Config {
		return mysqlconn.Config{Host: host, Port: port, User: user, Password: secret.NewText(password), TLS: mysqlconn.TLS{Mode: "disabled"}, MaxConnections: 4}
	}
	here := conn(server.Host, server.Port, server.User, server.Password)
	to, dst, there := "", (*sql.DB)(nil), here
	rules := map[string]string{}
	if sharded {
		sim := simtest.Start(t, 4)
		to, dst, there = sim.Schema, sim.DB(t), conn(sim.Host, sim.Port, sim.User, sim.Password)
		rules = map[string]string{"split": "DBPARTITION BY MOD_HASH(id)", "everywhere": "BROADCAST"}
	} else {
		to = server.Schema(t)
		dst = server.DB(t, to)
	}
	var c Config
	var err error
	for _, name := range []string{"split", "everywhere", "one", "plain"} {
		columns := "(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, x INT)"
		if name == "plain" {
			columns = "(id BIGINT NOT NULL PRIMARY KEY, x INT)"
		}
		_, err = db.ExecContext(t.Context(), "CREATE TABLE "+name+" "+columns)
		require.NoError(t, err)
		_, err = dst.ExecContext(t.Context(), "CREATE TABLE "+name+" "+columns+" "+rules[name])
		require.NoError(t, err)
	}
	c.Source, err = source.Open(t.Context(), here, 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Source.Close()) })
	c.Destination, err = destination.Open(t.Context(), there, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Destination.Close()) })
	for i, name := range []string{"split", "everywhere", "one", "plain"} {
		definition, err := c.Source.Table(t.Context(), table.Name{Schema: schema, Table: name})
		require.NoError(t, err)
		c.Tables = append(c.Tables, checkpoint.Table{No: i, Source: definition.Name, Destination: table.Name{Schema: to, Table: name}, Definition: definition})
		// The source has given 500 and deleted it since; 120 is the largest row.
		for _, id := range []string{"120", "500"} {
			_, err = db.ExecContext(t.Context(), "INSERT INTO "+name+" VALUES ("+id+", 1)")
			require.NoError(t, err)
		}
		_, err = db.ExecContext(t.Context(), "DELETE FROM "+name+" WHERE id = 500")
		require.NoError(t, err)
		_, err = dst.ExecContext(t.Context(), "INSERT INTO "+name+" (id, x) VALUES (120, 1)")
		require.NoError(t, err)
	}
	return c, dst
}

// TestRule13_NextIDIsFresh: whatever gives the ids, the next one is at or above
// both sides' highest, also when the update is repeated.
func TestRule13_NextIDIsFresh(t *testing.T) {
	for _, sharded := range []bool{true, false} {
		for _, all := range []bool{false, true} {
			c, dst := rig(t, sharded)
			c.All = all
			for range 2 {
				out, err := Update(t.Context(), c)
				require.NoError(t, err)
				require.Equal(t, 3, out.Total)
				require.Equal(t, 3, out.Refreshed)
				require.Empty(t, out.Warnings)
			}
			for _, name := range []string{"split", "everywhere", "one"} {
				result, err := dst.ExecContext(t.Context(), "INSERT INTO "+name+" (x) VALUES (2)")
				require.NoError(t, err)
				id, err := result.LastInsertId()
				require.NoError(t, err)
				require.GreaterOrEqual(t, id, int64(501), name)
			}
		}
	}
}

// TestRule13_NeverLowers: a destination that is ahead stays ahead.
func TestRule13_NeverLowers(t *testing.T) {
	c, dst := rig(t, true)
	_, err := dst.ExecContext(t.Context(), "ALTER SEQUENCE split START WITH 9000")
	require.NoError(t, err)
	_, err = Update(t.Context(), c)
	require.NoError(t, err)
	result, err := dst.ExecContext(t.Context(), "INSERT INTO split (x) VALUES (3)")
	require.NoError(t, err)
	id, err := result.LastInsertId()
	require.NoError(t, err)
	require.GreaterOrEqual(t, id, int64(9000))
}
