package throttle

import (
	"context"
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
			l.Set(c.limits)
			began := time.Now()
			for range 10 {
				require.NoError(t, l.Wait(t.Context(), c.rows/10, c.bytes/10))
			}
			require.InDelta(t, c.seconds, time.Since(began).Seconds(), 0.2)
		})
	}
}

func TestLimiter_ChangesWhileAStepWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil)
		l.Set(task.Limits{RowsPerSecond: 10})
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- l.Wait(t.Context(), 100_000, 0) }()
		time.AfterFunc(2*time.Second, func() { l.Set(task.Limits{}) })
		require.NoError(t, <-done)
		require.Less(t, time.Since(began), 5*time.Second)
	})
}

func TestLimiter_WaitsWhileTheLoadIsHigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := New(func(context.Context) (string, error) {
			if calls++; calls < 4 {
				return "source runs 200 threads", nil
			}
			return "", nil
		})
		reason := make(chan string, 1)
		go func() {
			time.Sleep(500 * time.Millisecond) //nolint:forbidigo // the clock is the test's own
			reason <- l.Reason()
		}()
		began := time.Now()
		require.NoError(t, l.Wait(t.Context(), 1, 1))
		require.Equal(t, 3*time.Second, time.Since(began))
		require.Equal(t, "source runs 200 threads", <-reason)
		require.Empty(t, l.Reason())
		l.Set(task.Limits{MBPerSecond: 5})
		require.Equal(t, "limit of 5 MB/s", l.Reason())
	})
}

func TestLimiter_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil)
		l.Set(task.Limits{RowsPerSecond: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Wait(ctx, 1000, 0), context.DeadlineExceeded)
	})
}
