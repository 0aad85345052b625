package copier

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/task"
	"shardlift/internal/throttle"
)

// TestRun_LimitHoldsWithinAChunk: a limited copy reads and writes a chunk in
// pieces, instead of all of it at once after a long wait.
func TestRun_LimitHoldsWithinAChunk(t *testing.T) {
	const rows, perSecond = 1500, 500
	r := newRig(t, "mysql97", false, rows, manyRows(0, rows))
	limiter := throttle.New(nil)
	limiter.Set(task.Limits{RowsPerSecond: perSecond}, 1)
	ended := make(chan error, 1)
	began := time.Now()
	go func() {
		_, err := Run(t.Context(), r.config(0, 1, func(c *Config) { c.Throttle = limiter }))
		ended <- err
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	steps, before := 0, 0
	for running := true; running; {
		select {
		case err := <-ended:
			require.NoError(t, err)
			running = false
		case <-tick.C:
		}
		var there int
		require.NoError(t, r.dstDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&there))
		require.LessOrEqual(t, float64(there), perSecond*(time.Since(began).Seconds()+0.2), "never ahead of the limit")
		if there > before {
			steps++
		}
		before = there
	}
	require.Greater(t, steps, 1)
	require.Greater(t, time.Since(began).Seconds(), rows/perSecond-1.0)
	r.requireEqual()
}
