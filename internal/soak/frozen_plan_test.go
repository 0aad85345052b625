//go:build faultpoint

package soak

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/faultpoint"
)

// everyStand is how far the points are apart at which a planner stands still: it
// has more than a hundred, and make soak draws any.
const everyStand = 23

// TestPlan_FrozenPlannerChangesNothing: a planner stands still at one of its points
// after the other, another one makes the plan, the first goes on, and the copy and
// the apply after both miss no row.
func TestPlan_FrozenPlannerChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	stands := 0
	for at := 1; frozenAt(t, p, at); at += everyStand {
		stands++
	}
	require.Greater(t, stands, 3, "planning has fewer points than there were")
}

// frozenAt is one schedule; false when planning has no such point.
func frozenAt(t *testing.T, p *place, at int) bool {
	t.Helper()
	shapes := people()
	w := &writer{db: p.db, rng: rand.New(rand.NewPCG(5, uint64(at))), shapes: shapes, xid: p.schema, pace: func(context.Context, int) {}}
	first, err := p.prepare(t.Context(), &schedule{Seed: uint64(at), shapes: shapes, rows: 40, engine: engine{Lanes: 2, Window: 400}}, w)
	require.NoError(t, err)
	first.owned, first.say = func(string) {}, func(string, ...any) {}
	newer := first

	stood, goOn := make(chan struct{}), make(chan struct{})
	var points atomic.Int64
	first.Attempt, first.planned = 1, func(plan) {} // its heartbeats are lost
	first.under = func(ctx context.Context, _ string) context.Context {
		return faultpoint.With(ctx, func(context.Context, string) error {
			if points.Add(1) == int64(at) {
				close(stood)
				<-goOn
			}
			return nil
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- first.run(t.Context()) }()
	select {
	case <-stood:
	case err := <-ended:
		require.ErrorIs(t, err, errMore)
		return false
	}
	newer.under = func(ctx context.Context, _ string) context.Context { return ctx }
	newer.planned = func(p plan) { newer.Plan = p }
	newer.Attempt = 2
	planned := newer.run(t.Context())
	written := w.write(t.Context(), 10)
	close(goOn)
	late := <-ended
	require.Error(t, late)
	require.NotErrorIs(t, late, errMore, "it believes that it made the plan")
	require.ErrorIs(t, planned, errMore)
	require.NoError(t, written)

	stop, err := (&run{place: p}).head(t.Context())
	require.NoError(t, err)
	newer.Attempt, newer.Stop = 3, &stop
	require.NoError(t, newer.run(t.Context()), "the planner stood at point %d", at)
	found, err := p.differences(t.Context(), &shapes[0])
	require.NoError(t, err)
	require.Empty(t, found, "the planner stood at point %d", at)
	return true
}
