package compare

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/position"
)

// traffic writes to the source and applies the same statements to the
// destination a little later, in order, as the applier does.
type traffic struct {
	pair *pair
	lag  time.Duration
	// skip says which statements never reach the destination.
	skip func(id int) bool

	mu      sync.Mutex
	written []statement
	applied int
	moved   chan struct{} // closed and renewed when applied grows
}

type statement struct {
	id  int
	sql string
	at  time.Time
}

// start runs the traffic until the returned function is called, which waits
// until everything has been applied.
func (x *traffic) start(t *testing.T) (stop func()) {
	t.Helper()
	x.moved = make(chan struct{})
	x.pair.positions = x.head
	x.pair.settled = x.settled
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return x.write(ctx) })
	group.Go(func() error { return x.apply(ctx) })
	return func() {
		cancel()
		if err := group.Wait(); !errors.Is(err, context.Canceled) {
			require.NoError(t, err)
		}
	}
}

func (x *traffic) write(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 0; ctx.Err() == nil; n++ {
		id := rng.IntN(2000)
		var sql string
		switch rng.IntN(10) {
		case 0, 1:
			sql = fmt.Sprintf("DELETE FROM t WHERE id = %d", id)
		case 2, 3, 4:
			sql = fmt.Sprintf("REPLACE INTO t VALUES (%d,%d)", id, n)
		case 5:
			sql = fmt.Sprintf("REPLACE INTO t VALUES (%d,%d)", 10_000+n, n) // grows at the end
		default:
			id = -1 // one row that nearly every statement changes
			sql = fmt.Sprintf("UPDATE t SET v = %d WHERE id = -1", n)
		}
		if x.skip != nil && x.skip(id) {
			id = -2
		}
		if err := x.waitForApply(ctx); err != nil {
			return err
		}
		x.mu.Lock()
		_, err := x.pair.source.ExecContext(ctx, sql)
		if err == nil {
			x.written = append(x.written, statement{id, sql, time.Now()})
		}
		x.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// waitForApply keeps the destination at most fifty statements behind.
func (x *traffic) waitForApply(ctx context.Context) error {
	since := x.head()
	since.Offset -= min(since.Offset, 50)
	return x.settled(ctx, since)
}

func (x *traffic) apply(ctx context.Context) error {
	for {
		x.mu.Lock()
		var next *statement
		if x.applied < len(x.written) {
			next = &x.written[x.applied]
		}
		x.mu.Unlock()
		if next == nil || time.Since(next.at) < x.lag {
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
			continue
		}
		if next.id != -2 {
			if _, err := x.pair.destination.ExecContext(ctx, next.sql); err != nil {
				return err
			}
		}
		x.mu.Lock()
		x.applied++
		close(x.moved)
		x.moved = make(chan struct{})
		x.mu.Unlock()
	}
}

func (x *traffic) head() position.Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	return position.Position{File: "bin.000001", Offset: uint64(len(x.written))}
}

func (x *traffic) settled(ctx context.Context, since position.Position) error {
	for {
		x.mu.Lock()
		reached, moved := uint64(x.applied) >= since.Offset, x.moved
		x.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func movingPair(t *testing.T) *pair {
	t.Helper()
	p := newPair(t, "mysql97", "mysql57")
	p.both(t, twoColumns)
	p.both(t, "INSERT INTO t VALUES "+insertNumbers(2000, func(int) string { return "0" })+",(-1,0),(-9,0)")
	return p
}

// While the source is written and the destination follows, nothing is reported.
func TestCompare_MovingDataGivesNoFalseAlarm(t *testing.T) {
	p := movingPair(t)
	stop := (&traffic{pair: p, lag: 30 * time.Millisecond}).start(t)
	defer stop()
	for range 3 {
		require.Equal(t, checkpoint.ResultConsistent, p.compare(t, contract.CompareValues, "t").Result, p.results.kinds())
		require.Equal(t, checkpoint.ResultConsistent, p.compare(t, contract.CompareRows, "t").Result, p.results.kinds())
	}
}

// Among moving data, what really differs is found: a row at rest, and a row
// that the source changes all the time while the destination's stays.
func TestCompare_FindsRealDifferencesAmongMovingData(t *testing.T) {
	p := movingPair(t)
	p.onDestination(t, "UPDATE t SET v = 1 WHERE id = -9")
	stop := (&traffic{pair: p, lag: 10 * time.Millisecond, skip: func(id int) bool { return id == -1 }}).start(t)
	defer stop()
	require.Equal(t, checkpoint.ResultInconsistent, p.compare(t, contract.CompareValues, "t").Result)
	require.Equal(t, map[string]string{"`id` = -9": different, "`id` = -1": different}, p.results.kinds())

	p.onDestination(t, "DELETE FROM t WHERE id = -9")
	require.Equal(t, checkpoint.ResultInconsistent, p.compare(t, contract.CompareRows, "t").Result)
	require.Equal(t, map[string]string{"`id` = -9": onlySource}, p.results.kinds(), "a table that never rests is counted by its keys")
}

// An error of the wait ends the run; it is no verdict.
func TestCompare_DestinationThatNeverSettlesIsAnError(t *testing.T) {
	p := movingPair(t)
	p.onDestination(t, "UPDATE t SET v = 1 WHERE id = -9")
	behind := errors.New("the applier has stopped")
	p.settled = func(context.Context, position.Position) error { return behind }
	_, err := Run(t.Context(), p.config(contract.CompareValues, "t"))
	require.ErrorIs(t, err, behind)
	require.NotContains(t, err.Error(), "-9")
}
