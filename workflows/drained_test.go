package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
)

// TestMigration_StopEndsWhenEverythingIsApplied: an apply that ends with its box
// before the stop position is followed by another one (rule 13).
func TestMigration_StopEndsWhenEverythingIsApplied(t *testing.T) {
	b := newBench(t)
	boxes := 0
	stub(b, contract.ApplyBinlog).After(time.Minute).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		if in.Stop == nil {
			return contract.ApplyOut{Applied: at(500)}, nil
		}
		boxes++
		return contract.ApplyOut{Applied: at(uint64(500 + 100*boxes)), Drained: boxes == 4}, nil
	})
	b.usual()
	after(b, time.Second, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
	require.Equal(t, 4, boxes)
}
