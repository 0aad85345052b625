package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// TestRule9_SourceThatLacksWhatWasCopiedStops: a fail-over has lost a transaction
// that copied rows show, and the worker has started again since. Neither copy nor
// apply goes on; the start position alone would let them.
func TestRule9_SourceThatLacksWhatWasCopiedStops(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 20)
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	r.withMetadata(func(s *checkpoint.Store) {
		f, err := s.Acquire(t.Context(), "copy/0", checkpoint.Token{Epoch: p.Epoch, Box: 1, Attempt: 1}, []string{r.to}, false)
		require.NoError(t, err)
		c, err := s.Claim(t.Context(), f, 0, 1, p.Start)
		require.NoError(t, err)
		lost := p.Start
		text := *p.Start.GTID + ",99999999-9999-9999-9999-999999999999:1"
		lost.GTID = &text
		require.NoError(t, s.NoteSeen(t.Context(), f, *c, lost))
		require.NoError(t, f.Release(t.Context()))
	})
	owner := contract.Owner{Epoch: p.Epoch, Box: 2}
	_, err := do(r, r.CopyLane, contract.CopyLaneIn{TaskRef: r.ref, Owner: owner, Lanes: 1, Box: time.Minute, Connections: 4, Start: p.Start})
	require.ErrorContains(t, err, fault.HistoryLost.Code)
	stop := must(r, r.ReadHead, r.ref)
	_, err = do(r, r.ApplyBinlog, contract.ApplyIn{TaskRef: r.ref, Owner: owner, Box: time.Minute, Start: p.Start, CopyEnd: stop.Position, Stop: &stop.Position})
	require.ErrorContains(t, err, fault.HistoryLost.Code)
}
