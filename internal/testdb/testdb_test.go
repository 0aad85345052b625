package testdb

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGet_GivesAServerOfTheEdition is the promise of each name.
func TestGet_GivesAServerOfTheEdition(t *testing.T) {
	for _, e := range editions() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := Get(t, e.name)
			schema := s.Schema(t)
			db := s.DB(t, schema)

			var version, format string
			var binlog, serverID int
			require.NoError(t, db.QueryRow("SELECT VERSION(), @@binlog_format, @@log_bin, @@server_id").
				Scan(&version, &format, &binlog, &serverID))
			require.True(t, strings.HasPrefix(version, e.version), version)
			require.Equal(t, e.flavor == "mariadb", strings.Contains(version, "MariaDB"))
			require.Equal(t, "ROW", format)
			require.Equal(t, 1, binlog)
			require.NotZero(t, serverID)

			_, err := db.Exec("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB; INSERT INTO a VALUES (1, '\U0001F600')")
			require.NoError(t, err)
			var v string
			require.NoError(t, db.QueryRow("SELECT v FROM a").Scan(&v))
			require.Equal(t, "\U0001F600", v)

			var mode string
			err = db.QueryRow("SELECT @@gtid_mode").Scan(&mode)
			if e.name == "mysql55" || e.name == "mariadb" {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, "ON", mode)
			}
			t.Log(version, strconv.Itoa(s.Port))
		})
	}
}
