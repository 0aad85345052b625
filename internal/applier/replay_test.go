package applier

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
)

// restore sets the checkpoint back, as a restored metadata schema or a data node
// that lost its last writes would have it: a new epoch begins at any position.
func (r *rig) restore(epoch int64, c checkpoint.Checkpoint) *checkpoint.Fence {
	r.t.Helper()
	fence, err := r.store.Acquire(r.t.Context(), "apply/0", checkpoint.Token{Epoch: epoch, Box: 1, Attempt: 1}, []string{r.to}, false)
	require.NoError(r.t, err)
	gone, err := r.store.Load(r.t.Context(), 0)
	require.NoError(r.t, err)
	require.Nil(r.t, gone)
	require.NoError(r.t, r.store.Save(r.t.Context(), fence, c))
	return fence
}

// TestRule4_AnyCheckpointReplayedConverges: checkpoints are kept along a
// workload with key moves, swaps, shard moves and a TRUNCATE; the checkpoint is
// set back to each of them and everything after it applied once more by the real
// applier. The destination ends equal, and strict mode finds nothing after it.
func TestRule4_AnyCheckpointReplayedConverges(t *testing.T) {
	for _, c := range []struct {
		source  string
		sharded bool
	}{{"mysql97", true}, {"mysql56", false}, {"mariadb", true}} {
		t.Run(fmt.Sprintf("%s sharded %v", c.source, c.sharded), func(t *testing.T) {
			t.Parallel()
			rules := twoRules
			if !c.sharded {
				rules = nil
			}
			r := newRig(t, c.source, c.sharded, twoTables, rules)
			kept := []checkpoint.Checkpoint{{Position: r.from}}
			for seed := range uint64(5) {
				r.storm(seed+20, 25)
				if seed == 2 {
					r.exec("TRUNCATE log")
				}
				r.drain()
				saved, err := r.store.Load(t.Context(), 0)
				require.NoError(t, err)
				kept = append(kept, *saved)
			}
			r.requireEqual()
			for i, one := range kept {
				fence := r.restore(int64(i+2), one)
				r.drain(func(c *Config) { c.Fence = fence })
				r.requireEqual()
			}
			r.box = 1000
			fence := r.restore(100, kept[1])
			r.drain(func(c *Config) { c.Fence = fence })
			r.storm(77, 25)
			out := r.drain(r.strict, func(c *Config) { c.Fence = fence })
			require.Zero(t, out.Divergences)
			r.requireEqual()
		})
	}
}
