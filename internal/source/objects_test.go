package source

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func TestObjects_PagesInTheOrderOfBytes(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			server := testdb.Get(t, name)
			schema := server.Schema(t)
			db := server.DB(t, schema)
			for _, statement := range []string{
				"CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE `B` (id INT PRIMARY KEY)", "CREATE TABLE `é.x` (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT * FROM a",
			} {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			s, err := Open(t.Context(), mysqlconn.Config{Host: server.Host, Port: server.Port, User: server.User, Password: secret.NewText(server.Password)}, 1)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			var got []string
			var after table.Name
			for {
				page, err := s.Objects(t.Context(), schema+".", after, 1)
				require.NoError(t, err)
				if len(page) == 0 {
					break
				}
				require.Len(t, page, 1)
				require.Equal(t, schema, page[0].Name.Schema)
				got = append(got, page[0].Name.Table)
				after = page[0].Name
			}
			require.ElementsMatch(t, []string{"B", "a", "é.x"}, got)
			require.Equal(t, "é.x", got[2])
			found, err := s.Objects(t.Context(), "MYSQL.", table.Name{}, 10)
			require.NoError(t, err)
			require.Empty(t, found, "system schemas are nobody's")
		})
	}
}
