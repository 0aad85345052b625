package copier

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
)

// TestFence_EveryPartHoldsTheFence: where nobody can kill the old lane's
// connections, the next part of its chunk is refused by the fence row.
func TestFence_EveryPartHoldsTheFence(t *testing.T) {
	r := newRig(t, "mysql97", false, 2000, manyRows(0, 2000))
	r.dst.SetEffects(destination.Effects{Lock: destination.LockShare, Kill: destination.KillNone})
	there := func() (n int) {
		require.NoError(t, r.dstDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&n))
		return n
	}
	first := 0
	_, err := Run(t.Context(), r.config(0, 1, func(c *Config) {
		c.ReadBytes, c.Writers = 8<<10, 1
		c.Beat = func(contract.CopyBeat) {
			if first == 0 {
				first = there()
				r.config(0, 2) // a newer attempt owns the lane
			}
		}
	}))
	require.ErrorIs(t, err, fault.Fenced)
	require.Positive(t, first)
	require.Less(t, first, 2000)
	require.Equal(t, first, there())
}
