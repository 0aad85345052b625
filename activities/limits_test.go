package activities

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/internal/throttle"
)

// TestLimits_ExactAcrossLanesAndChangedWhileRunning: lanes that know nothing of
// each other share a limit through the control row and the plan; the sum is the
// limit, with all lanes and with the last one, and a change takes effect within
// five seconds.
func TestLimits_ExactAcrossLanesAndChangedWhileRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, fence, claimed := r.claimed(t, 3)
	require.NoError(t, s.SetLimits(t.Context(), task.Limits{RowsPerSecond: 1000}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var moved atomic.Int64
	var lanes sync.WaitGroup
	for range 3 {
		limiter := throttle.New(nil)
		stop := limited{s, limiter, lanesOf(s, 3, false), func() {}, nil}.follow(ctx)
		lanes.Go(func() {
			defer stop()
			for limiter.Wait(ctx, 20, 0) == nil {
				moved.Add(20)
			}
		})
	}
	rate := func(d time.Duration) float64 {
		before, began := moved.Load(), time.Now()
		<-time.After(d)
		return float64(moved.Load()-before) / time.Since(began).Seconds()
	}
	becomes := func(want, off float64) { // a machine that stands still moves less
		t.Helper()
		require.Eventually(t, func() bool { return math.Abs(rate(2*time.Second)-want) < off }, 2*time.Minute, time.Millisecond)
	}
	require.LessOrEqual(t, 2*limitsEvery, 5*time.Second, "a new limit holds within 5 s")
	becomes(1000, 150)
	require.NoError(t, s.SetLimits(t.Context(), task.Limits{Windows: []task.LimitWindow{{From: "00:00", To: "24:00", RowsPerSecond: 100}}}))
	becomes(100, 35)

	// Two of the lanes have nothing left: the last one has the whole limit.
	for _, c := range claimed[:2] {
		require.NoError(t, s.Finish(t.Context(), fence, c))
	}
	limiter := throttle.New(nil)
	stop := limited{s, limiter, lanesOf(s, 3, false), func() {}, nil}.follow(ctx)
	defer stop()
	require.Eventually(t, func() bool {
		began := time.Now()
		return limiter.Wait(ctx, 100, 0) == nil && math.Abs(time.Since(began).Seconds()-0.9) < 0.5
	}, 2*time.Minute, time.Millisecond)
	require.Equal(t, "limit of 100 rows/s from 00:00 to 24:00", limiter.Reason())
	cancel()
	lanes.Wait()
}

// TestLimits_GroupsShareWithTheTask: the lanes of a group's copy, then its apply,
// share with the apply of group 0; who is gone leaves its part to the others.
func TestLimits_GroupsShareWithTheTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, s, err := openStore(t.Context(), r.resolve(), 4)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	step := func(unit string, group int, lane bool) (*sharing, *checkpoint.Fence) {
		o := contract.Owner{Epoch: 1, Box: 1}
		f, err := s.Acquire(t.Context(), unit, checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}, nil, false)
		require.NoError(t, err)
		return newSharing(s, unit, o, 1, group, lane), f
	}
	both, own := task.Limits{RowsPerSecond: 1000, Apply: true}, task.Limits{RowsPerSecond: 1000}
	parts := func(limits task.Limits, steps ...*sharing) (out []int) {
		for range 2 { // everybody has seen everybody
			out = nil
			for _, step := range steps {
				n, err := step.parts(t.Context(), limits)
				require.NoError(t, err)
				out = append(out, n)
			}
		}
		return out
	}
	zero, _ := step(checkpoint.ApplyUnit(0), 0, false)
	require.Equal(t, []int{1}, parts(both, zero))
	first, _ := step(checkpoint.CopyUnit(1, 0), 1, true)
	second, held := step(checkpoint.CopyUnit(1, 1), 1, true)
	require.Equal(t, []int{3, 3, 3}, parts(both, zero, first, second))
	require.Equal(t, []int{0, 2, 2}, parts(own, zero, first, second), "the limits do not hold for the apply")
	require.Equal(t, []int{1, 1, 1}, parts(task.Limits{Apply: true}, zero, first, second), "there are none")
	require.NoError(t, held.Release(t.Context()))
	require.Equal(t, []int{2, 2}, parts(both, zero, first))
	zero.lasts = 0 // the other lane has died, its unit is still held
	require.Equal(t, []int{1}, parts(both, zero))
	again, _ := step(checkpoint.ApplyUnit(1), 1, false)
	require.Equal(t, []int{3, 3}, parts(both, newSharing(s, checkpoint.ApplyUnit(0), contract.Owner{}, 1, 0, false), again), "what is seen first counts, a lane that died too")
	require.Equal(t, []int{0, 0}, parts(own, zero, again))
}

// claimed makes a plan of n chunks, all claimed.
func (r *rig) claimed(t *testing.T, n int) (*checkpoint.Store, *checkpoint.Fence, []checkpoint.Chunk) {
	t.Helper()
	resolved, err := r.tasks.task(t.Context(), r.ref)
	require.NoError(t, err)
	d, s, err := openStore(t.Context(), resolved, 8)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	require.NoError(t, s.PutTables(t.Context(), []checkpoint.Table{{No: 1, Source: table.Name{Schema: "a", Table: "t"}, Destination: table.Name{Schema: "b", Table: "t"}, Definition: &table.Table{}}}))
	for i := range n {
		require.NoError(t, s.AddChunks(t.Context(), []checkpoint.Chunk{{No: int64(i + 1), Table: 1}}))
	}
	fence, err := s.Acquire(t.Context(), "copy/0", checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}, nil, false)
	require.NoError(t, err)
	var out []checkpoint.Chunk
	for range n {
		c, err := s.Claim(t.Context(), fence, 0, n, position.Position{})
		require.NoError(t, err)
		out = append(out, *c)
	}
	return s, fence, out
}

func TestLimits_OfTheApplyHoldWhereTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, c := range []struct {
		limits task.Limits
		in     contract.ApplyIn
		want   int
	}{
		{task.Limits{MBPerSecond: 5}, contract.ApplyIn{}, 0},
		{task.Limits{Apply: true}, contract.ApplyIn{}, 1},
		{task.Limits{Apply: true}, contract.ApplyIn{BesideCopy: true, CopyLanes: 4}, 1},
	} {
		parts, err := forApply(nil, c.in, &sharing{})(ctx, c.limits)
		require.NoError(t, err)
		require.Equal(t, c.want, parts)
	}
}

func TestBusy_NamesFigureAndLimit(t *testing.T) {
	t.Parallel()
	p := source.Pressure{ThreadsRunning: 70, HistoryList: 5000, ReplicaLag: 9}
	for want, limits := range map[string]task.LoadLimits{
		"":                                     {ThreadsRunning: 70, HistoryList: 5000, ReplicaLagSeconds: 9, DestinationMillis: 1},
		"the source runs 70 threads, limit 69": {ThreadsRunning: 69, HistoryList: 1},
		"the source is 9 s behind its own source, limit 8 s":   {ReplicaLagSeconds: 8},
		"the source's history list has 5000 entries, limit 10": {HistoryList: 10},
	} {
		require.Equal(t, want, busy(p, limits))
	}
	require.Empty(t, busy(source.Pressure{ThreadsRunning: -1, HistoryList: -1, ReplicaLag: -1}, task.LoadLimits{ThreadsRunning: 1, HistoryList: 1, ReplicaLagSeconds: 1}))
}

// TestSourceLoad_AsksTheRealServer: running statements make the source busy.
func TestSourceLoad_AsksTheRealServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	resolved, err := r.tasks.task(t.Context(), r.ref)
	require.NoError(t, err)
	src, err := openSource(t.Context(), resolved, 1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	ctx, cancel := context.WithCancel(t.Context())
	var sleepers sync.WaitGroup
	db := r.server.DB(t, r.source)
	for range 5 {
		sleepers.Go(func() { _, _ = db.ExecContext(ctx, "DO SLEEP(30)") })
	}
	require.Eventually(t, func() bool {
		reason, err := sourceLoad(src)(t.Context(), task.LoadLimits{ThreadsRunning: 4})
		return err == nil && strings.HasPrefix(reason, "the source runs ")
	}, time.Minute, 50*time.Millisecond)
	reason, err := sourceLoad(src)(t.Context(), task.LoadLimits{ThreadsRunning: 100_000, ReplicaLagSeconds: 1, HistoryList: 1 << 40})
	require.NoError(t, err)
	require.Empty(t, reason)
	cancel()
	sleepers.Wait()
}
