package destination

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
)

// TestSession_OpensWhileSomebodyRunsBytes: a statement that runs on the server
// and holds bytes that are no text (our own do) made information_schema's process
// list fail with 3854, and with it every new session and every KILL. It waits for
// a lock in real life; here it sleeps.
func TestSession_OpensWhileSomebodyRunsBytes(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testdb.Get(t, name)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			conn, err := server.DB(t, "").Conn(ctx)
			require.NoError(t, err)
			db := server.DB(t, "")
			var id int64
			require.NoError(t, conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id))
			defer func() {
				_, _ = db.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("KILL %d", id))
				cancel()
				<-ended
				_ = conn.Close()
			}()
			go func() {
				defer close(ended)
				_, _ = conn.ExecContext(ctx, "SELECT SLEEP(300), HEX(_binary '\xff\xfe\x81\xc3')")
			}()
			require.Eventually(t, func() bool {
				found, err := testdb.Processes(ctx, db)
				require.NoError(t, err)
				return slices.ContainsFunc(found, func(p testdb.Process) bool {
					return p.ID == id && strings.Contains(strings.ToLower(p.State), "sleep")
				})
			}, time.Minute, 20*time.Millisecond)

			d := open(t, server)
			s, err := d.Session(t.Context())
			require.NoError(t, err)
			require.NoError(t, d.Kill(t.Context(), []string{s.ID()}))
			require.NoError(t, s.Close())
		})
	}
}
