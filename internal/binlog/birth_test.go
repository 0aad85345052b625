package binlog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

// TestCheckBirth_LeavesNoDumpBehind: the source would keep a dump that waits for
// more until its next heartbeat, and each lane that starts looks once.
func TestCheckBirth_LeavesNoDumpBehind(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testdb.Get(t, name))
			user, password := r.server.Account(t, "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")
			c := r.config(r.head())
			c.Conn.User, c.Conn.Password = user, secret.NewText(password)
			c.Heartbeat = time.Hour
			stamped, err := Stamp(t.Context(), c)
			require.NoError(t, err)
			require.NotZero(t, stamped.Created)
			c.From = stamped
			require.NoError(t, CheckBirth(t.Context(), c))
			require.Eventually(t, func() bool {
				found, err := testdb.Processes(t.Context(), r.db)
				require.NoError(t, err)
				for _, p := range found {
					if p.User == user {
						return false
					}
				}
				return true
			}, time.Minute, 20*time.Millisecond)
		})
	}
}
