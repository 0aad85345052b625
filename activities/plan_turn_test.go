package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// TestPlan_AndResetTakeTheTurn: neither changes a plan that a newer attempt has
// made, and the tables stay as they are.
func TestPlan_AndResetTakeTheTurn(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 20)
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Owner: contract.Owner{Box: 5}, Fresh: true})
	r.exec("INSERT INTO `" + r.to + "`.orders VALUES (1, 1)")
	_, err := do(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Owner: contract.Owner{Box: 4}, Fresh: true})
	require.ErrorContains(t, err, fault.Fenced.Code)
	_, err = do(r, r.ResetTask, contract.ResetIn{TaskRef: r.ref, Owner: contract.Owner{Box: 4}, Truncate: true})
	require.ErrorContains(t, err, fault.Fenced.Code)
	require.Equal(t, 1, r.count(r.to))
	r.withMetadata(func(s *checkpoint.Store) { require.NoError(t, s.CheckPlan(t.Context(), 0, p.Epoch)) })
}

// TestCopyLane_BelievesAWholePlanOnly: without it, a plan that was lost would be
// a copy with nothing left to do.
func TestCopyLane_BelievesAWholePlanOnly(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 20)
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	in := contract.CopyLaneIn{TaskRef: r.ref, Owner: contract.Owner{Epoch: p.Epoch, Box: 1}, Lanes: 1, Box: time.Minute, Connections: 4, Start: p.Start}
	r.withMetadata(func(s *checkpoint.Store) { require.NoError(t, s.Reset(t.Context())) })
	_, err := do(r, r.CopyLane, in)
	require.ErrorContains(t, err, fault.LostCopy.Code)
}
