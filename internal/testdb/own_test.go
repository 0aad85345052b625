package testdb

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOwn_KeepsDataOverKillAndStop covers each way to take a server away.
func TestOwn_KeepsDataOverKillAndStop(t *testing.T) {
	for _, name := range Versions() {
		t.Run(name, func(t *testing.T) {
			s := Own(t, name, "--max-connections=77")
			schema := s.Schema(t)
			db := s.DB(t, schema)
			var connections int
			require.NoError(t, db.QueryRow("SELECT @@max_connections").Scan(&connections))
			require.Equal(t, 77, connections)

			_, err := db.Exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO a VALUES (1)")
			require.NoError(t, err)
			s.Kill(t)
			require.Error(t, db.Ping())
			s.Start(t)
			requireCount(t, s, schema, 1)

			_, err = s.DB(t, schema).Exec("INSERT INTO a VALUES (2)")
			require.NoError(t, err)
			s.Stop(t)
			require.Error(t, s.DB(t, schema).Ping())
			s.Start(t)
			requireCount(t, s, schema, 2)

			s.Freeze(t)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err = s.DB(t, schema).PingContext(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded, "%v", err)
			s.Thaw(t)
			requireCount(t, s, schema, 2)
		})
	}
}

// TestOwn_HasItsOwnIdentity: two servers of one template must differ, or
// replication between them loses events.
func TestOwn_HasItsOwnIdentity(t *testing.T) {
	uuids, ids := map[string]bool{}, map[int]bool{}
	for range 2 {
		var uuid string
		var id int
		require.NoError(t, Own(t, "mysql57").DB(t, "").QueryRow("SELECT @@server_uuid, @@server_id").Scan(&uuid, &id))
		uuids[uuid], ids[id] = true, true
	}
	require.Len(t, uuids, 2)
	require.Len(t, ids, 2)
}

// TestOwn_LeavesNothing covers the end of a test that froze or killed.
func TestOwn_LeavesNothing(t *testing.T) {
	for name, hurt := range map[string]func(*Server, testing.TB){
		"running": func(*Server, testing.TB) {},
		"frozen":  (*Server).Freeze,
		"killed":  (*Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			var run string
			var pid int
			t.Run("use", func(t *testing.T) {
				s := Own(t, "mysql97")
				run, pid = s.instance.run, s.instance.pidIn("pid")
				require.True(t, running(pid))
				hurt(s, t)
			})
			require.False(t, running(pid))
			require.NoDirExists(t, run)
		})
	}
}

// TestStart_KeepsDataInItsDirectory is how the demo uses the package.
func TestStart_KeepsDataInItsDirectory(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(t.Context(), "mysql97", dir)
	require.NoError(t, err)
	_, err = Start(t.Context(), "mysql97", dir)
	require.ErrorContains(t, err, "another process uses")
	schema := "kept"
	_, err = s.DB(t, "").Exec("CREATE DATABASE kept; CREATE TABLE kept.a (id INT PRIMARY KEY); INSERT INTO kept.a VALUES (1)")
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s, err = Start(t.Context(), "mysql97", dir)
	require.NoError(t, err)
	requireCount(t, s, schema, 1)
	pid := s.instance.pidIn("pid")
	require.NoError(t, s.Close())
	require.False(t, running(pid))
	_, err = os.Stat(dir)
	require.NoError(t, err)
}

func requireCount(t *testing.T, s *Server, schema string, want int) {
	t.Helper()
	var n int
	require.NoError(t, s.DB(t, schema).QueryRow("SELECT COUNT(*) FROM a").Scan(&n))
	require.Equal(t, want, n)
}
