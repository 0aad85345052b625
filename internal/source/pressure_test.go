package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
)

// TestPressure_OnEachServer: what a server does not tell is -1, never an error.
func TestPressure_OnEachServer(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			server := testdb.Get(t, name)
			for _, grants := range []string{"SELECT ON *.*", "SELECT, PROCESS, REPLICATION CLIENT ON *.*"} {
				user, password := server.Account(t, grants)
				p, err := open(t, as(config(server), user, password), 1).Pressure(t.Context(), true, true)
				require.NoError(t, err, grants)
				require.Positive(t, p.ThreadsRunning)
				require.Equal(t, int64(-1), p.ReplicaLag, "it is no replica")
				if name != "mysql55" && name != "mysql56" && grants != "SELECT ON *.*" {
					require.GreaterOrEqual(t, p.HistoryList, int64(0))
				}
			}
		})
	}
}
