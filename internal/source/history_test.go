package source_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/testdb"
)

// fileBased are the options that make a server's positions file and offset.
func fileBased(name string) []string {
	if name == "mysql55" {
		return nil
	}
	return []string{"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"}
}

func TestCheckHistory_FindsWhatWasPurgedOrLost(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []string
	}{
		{"mysql55", nil}, {"mysql56", nil}, {"mysql57", nil}, {"mysql97", nil}, {"mariadb", nil}, {"mysql97", fileBased("mysql97")},
	} {
		test := c.name
		if c.options != nil {
			test += " without GTID"
		}
		t.Run(test, func(t *testing.T) {
			t.Parallel()
			s := testdb.Own(t, c.name, c.options...)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			src := open(t, config(s), 2)
			exec(t, db, "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB", "INSERT INTO a VALUES ()")
			early, err := src.Head(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.name != "mysql55" && c.options == nil, early.HasGTID())
			exec(t, db, "INSERT INTO a VALUES ()", "FLUSH BINARY LOGS", "INSERT INTO a VALUES ()", "FLUSH BINARY LOGS")
			late, err := src.Head(t.Context())
			require.NoError(t, err)
			covers, err := late.Covers(early)
			require.NoError(t, err)
			require.True(t, covers)
			require.NoError(t, src.CheckHistory(t.Context(), early))
			require.NoError(t, src.CheckHistory(t.Context(), late))
			require.NoError(t, src.CheckHistory(t.Context(), position.Position{}))

			// MariaDB keeps a file until the engine's checkpoint has passed it.
			require.Eventually(t, func() bool {
				exec(t, db, "PURGE BINARY LOGS TO '"+late.File+"'")
				files, err := src.BinaryLogs(t.Context())
				return err == nil && files[0].Name == late.File
			}, time.Minute, 100*time.Millisecond)
			require.ErrorIs(t, src.CheckHistory(t.Context(), early), fault.BinlogPurged)
			require.NoError(t, src.CheckHistory(t.Context(), late))

			exec(t, db, "INSERT INTO a VALUES ()", "INSERT INTO a VALUES ()")
			later, err := src.Head(t.Context())
			require.NoError(t, err)
			reset := "RESET MASTER"
			if c.name == "mysql97" {
				reset = "RESET BINARY LOGS AND GTIDS"
			}
			exec(t, db, reset, "INSERT INTO a VALUES ()")
			require.ErrorIs(t, src.CheckHistory(t.Context(), later), fault.HistoryLost)
		})
	}
}

func TestCheckHistory_WithoutGTIDAnotherServerStops(t *testing.T) {
	src := open(t, config(testdb.Get(t, "mysql55")), 2)
	head, err := src.Head(t.Context())
	require.NoError(t, err)
	head.Server = "id:1"
	require.ErrorIs(t, src.CheckHistory(t.Context(), head), fault.ServerChanged)
	head.Flavor = position.MariaDB
	require.ErrorIs(t, src.CheckHistory(t.Context(), head), fault.ServerChanged)
}

func TestPin_NewConnectionsProveTheirHistory(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		src := open(t, config(s), 2)
		head, err := src.Head(t.Context())
		require.NoError(t, err)
		src.Pin(head)
		require.NoError(t, reconnect(t, src.DB().Conn))

		foreign := head
		foreign.Server = "somebody else"
		if head.HasGTID() {
			text := "00000000-0000-0000-0000-000000000001:1-5"
			if head.Flavor == position.MariaDB {
				text = "4000000000-1-5"
			}
			foreign.GTID = &text
		}
		src.Pin(foreign)
		err = mysqlconn.Fault(reconnect(t, src.DB().Conn), "source")
		require.Equal(t, fault.Fatal, fault.ClassOf(err), "%v", err)
	})
}
