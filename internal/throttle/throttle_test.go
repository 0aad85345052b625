package throttle

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/task"
)

func TestLimiter_HoldsRowsAndBytesPerSecond(t *testing.T) {
	for _, c := range []struct {
		limits      task.Limits
		rows, bytes int64
		seconds     float64
	}{
		{task.Limits{RowsPerSecond: 1000}, 5000, 1, 5},
		{task.Limits{MBPerSecond: 2}, 1, 6 << 20, 3},
		{task.Limits{}, 1 << 40, 1 << 40, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := New(nil)
			l.Set(c.limits, 1)
			began := time.Now()
			for range 10 {
				require.NoError(t, l.Wait(t.Context(), c.rows/10, c.bytes/10))
			}
			require.InDelta(t, c.seconds, time.Since(began).Seconds(), 0.2)
		})
	}
}

func TestLimiter_SaysWhatPassesWithinATime(t *testing.T) {
	l := New(nil)
	rows, bytes := l.Within(time.Second)
	require.Equal(t, int64(math.MaxInt64), rows)
	require.Equal(t, int64(math.MaxInt64), bytes)
	l.Set(task.Limits{RowsPerSecond: 30, MBPerSecond: 1}, 10)
	rows, bytes = l.Within(5 * time.Second)
	require.Equal(t, int64(15), rows)
	require.Equal(t, int64(5<<20/10), bytes)
	rows, _ = l.Within(time.Millisecond)
	require.Equal(t, int64(1), rows, "at least one goes on")
}

func TestLimiter_ChangesWhileAStepWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil)
		l.Set(task.Limits{RowsPerSecond: 10}, 1)
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- l.Wait(t.Context(), 100_000, 0) }()
		time.AfterFunc(2*time.Second, func() { l.Set(task.Limits{}, 1) })
		require.NoError(t, <-done)
		require.Less(t, time.Since(began), 5*time.Second)
	})
}

func TestLimiter_WaitsWhileTheLoadIsHigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := New(func(_ context.Context, limits task.LoadLimits) (string, error) {
			require.Equal(t, 100, limits.ThreadsRunning)
			if calls++; calls < 4 {
				return "source runs 200 threads", nil
			}
			return "", nil
		})
		l.Set(task.Limits{Load: task.LoadLimits{ThreadsRunning: 100}}, 1)
		reason := make(chan string, 1)
		go func() {
			<-time.After(500 * time.Millisecond) // of the test's own clock
			reason <- l.Reason()
		}()
		began := time.Now()
		require.NoError(t, l.Wait(t.Context(), 1, 1))
		require.Equal(t, 3*time.Second, time.Since(began))
		require.Equal(t, "source runs 200 threads", <-reason)
		require.Empty(t, l.Reason())
		l.Set(task.Limits{MBPerSecond: 5}, 3)
		require.Equal(t, "limit of 5 MB/s", l.Reason())
	})
}

func TestLimiter_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil)
		l.Set(task.Limits{RowsPerSecond: 1}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Wait(ctx, 1000, 0), context.DeadlineExceeded)
	})
}

// TestLimiter_PartsSumUpExactly: lanes on different workers have equal parts of
// a limit, however small it is, and a part that waits for seconds follows a new
// limit at once.
func TestLimiter_PartsSumUpExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var moved atomic.Int64
		var lanes sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		for range 7 {
			l := New(nil)
			l.Set(task.Limits{MBPerSecond: 1}, 7)
			lanes.Go(func() {
				for l.Wait(ctx, 1000, 10_000) == nil {
					moved.Add(10_000)
				}
			})
		}
		lanes.Wait()
		require.InEpsilon(t, 100<<20, moved.Load(), 0.02)

		l := New(nil)
		l.Set(task.Limits{RowsPerSecond: 1}, 100)
		began := time.Now()
		time.AfterFunc(1500*time.Millisecond, func() { l.Set(task.Limits{RowsPerSecond: 1000}, 1) })
		require.NoError(t, l.Wait(t.Context(), 500, 0))
		require.Less(t, time.Since(began), 4*time.Second)
	})
}

// TestLimiter_FollowsTheClock: a window's limit holds from its begin to its end.
func TestLimiter_FollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the test's clock begins at midnight UTC
		limits := task.Limits{RowsPerSecond: 100, Windows: []task.LimitWindow{{From: "00:01", To: "00:02", RowsPerSecond: 10}}}
		l := New(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		var follower sync.WaitGroup
		follower.Go(func() {
			for ctx.Err() == nil {
				l.Set(limits, 1)
				_ = sleep(ctx, 2*time.Second)
			}
		})
		synctest.Wait()
		var minutes [3]int
		began := time.Now()
		for l.Wait(ctx, 10, 0) == nil {
			if at := int(time.Since(began).Minutes()); at < 3 {
				minutes[at] += 10
			}
			if time.Since(began) > 70*time.Second && time.Since(began) < 110*time.Second {
				require.Equal(t, "limit of 10 rows/s from 00:01 to 00:02", l.Reason())
			}
		}
		follower.Wait()
		require.InDelta(t, 6000, minutes[0], 100)
		require.InDelta(t, 600, minutes[1], 250, "within 2 s of the window's begin")
		require.InDelta(t, 6000, minutes[2], 250)
	})
}

// TestLimiter_RestsWhileTheDestinationIsSlow: the speed sinks while transactions
// take too long and comes back when they do not.
func TestLimiter_RestsWhileTheDestinationIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil)
		l.Set(task.Limits{Load: task.LoadLimits{DestinationMillis: 100}}, 1)
		rested := func(took time.Duration) time.Duration {
			began := time.Now()
			require.NoError(t, l.Took(t.Context(), took))
			return time.Since(began)
		}
		require.Zero(t, rested(50*time.Millisecond))
		require.Empty(t, l.Reason())
		var last time.Duration
		for range 20 {
			last = rested(400 * time.Millisecond)
		}
		require.Equal(t, longestRest, last)
		require.Regexp(t, `^the destination takes 39\d ms for a transaction, limit 100 ms: at 1/16.0 of the speed$`, l.Reason())
		for range 60 {
			last = rested(20 * time.Millisecond)
		}
		require.Zero(t, last)
		require.Empty(t, l.Reason())
		l.Set(task.Limits{}, 1)
		require.Zero(t, rested(time.Minute))
	})
}

// TestLimiter_AsksForTheLoadOnceASecond: however many writers wait.
func TestLimiter_AsksForTheLoadOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := New(func(context.Context, task.LoadLimits) (string, error) { calls++; return "", nil })
		for range 100 {
			require.NoError(t, l.Wait(t.Context(), 1, 1))
		}
		require.Zero(t, calls, "nothing is limited")
		l.Set(task.Limits{Load: task.LoadLimits{HistoryList: 5}}, 1)
		for range 50 {
			require.NoError(t, l.Wait(t.Context(), 1, 1))
			require.NoError(t, sleep(t.Context(), 100*time.Millisecond))
		}
		require.InDelta(t, 5, calls, 1)
	})
}
