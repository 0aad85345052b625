//go:build faultpoint

package soak

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
)

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(&mysql.NopLogger{})
	if text := os.Getenv(orderVariable); text != "" {
		os.Exit(work(text))
	}
	os.Exit(m.Run())
}

// duration and seed are what make soak says.
func asked(t *testing.T) (length time.Duration, seed uint64) {
	t.Helper()
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	if text := os.Getenv("SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	return length, seed
}

// TestSoak_SchedulesConverge runs attempts in this process: a kill ends all that
// an attempt does, its connections included.
func TestSoak_SchedulesConverge(t *testing.T) {
	length, seed := asked(t)
	reached := soak(t, seeds(length, seed, 18), false)
	if seed == 0 && !t.Failed() {
		for _, p := range points() {
			_, ok := reached.Load(p)
			require.True(t, ok, "no schedule reached the fault point %s", p)
		}
	}
}

// TestSoak_KilledProcessesConverge runs attempts as processes that are killed
// (SIGKILL) and stopped (SIGSTOP).
func TestSoak_KilledProcessesConverge(t *testing.T) {
	length, seed := asked(t)
	soak(t, seeds(length, seed, 6), true)
}

// soak runs schedules on two places at a time, as many as the servers have
// connections for, and returns the points that were reached.
func soak(t *testing.T, next func() (uint64, bool), process bool) *sync.Map {
	var reached sync.Map
	var passed, faults, refused atomic.Int64
	ran := counts{}
	g, ctx := errgroup.WithContext(t.Context())
	began := time.Now()
	for range 2 {
		places := map[string]*place{}
		g.Go(func() error {
			for {
				seed, ok := next()
				if !ok || ctx.Err() != nil || t.Failed() {
					return nil
				}
				s := draw(seed, process)
				where := fmt.Sprintf("%s, sharded %v", s.source, s.sharded)
				if places[where] == nil {
					places[where] = newPlaceOn(t, testdb.Get(t, s.source), s.sharded, nodesFor(s.source))
				}
				out := judged(ctx, t, places[where], s)
				ran.add(where)
				for _, p := range out.reached {
					reached.Store(p, true)
				}
				faults.Add(int64(len(out.done)))
				if out.refused {
					refused.Add(1)
				}
				if n := passed.Add(1); n%50 == 0 {
					t.Logf("%d schedules, %d faults in %s, the last seed was %d", n, faults.Load(), time.Since(began).Round(time.Second), seed)
				}
			}
		})
	}
	require.NoError(t, g.Wait())
	t.Logf("%d schedules with %d faults passed, %d of them refused to go on after a loss, in %s", passed.Load(), faults.Load(), refused.Load(), time.Since(began).Round(time.Second))
	t.Logf("schedules by place: %v", ran.of)
	return &reached
}

// nodesFor spreads the connections over two servers.
func nodesFor(source string) simtest.Option {
	if source == "mysql97" || source == "mysql80" {
		return simtest.On("mysql97", "mysql97")
	}
	return simtest.On("mysql80", "mysql80")
}

// counts counts the schedules of each place.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[where]++
}

// seeds gives the seeds to run: one, so many, or as many as fit.
func seeds(length time.Duration, one, many uint64) func() (uint64, bool) {
	var n atomic.Uint64
	first, end := uint64(1), time.Now().Add(length)
	if length > 0 {
		first = uint64(time.Now().Unix()) * 1000
	}
	return func() (uint64, bool) {
		i := n.Add(1) - 1
		switch {
		case one > 0:
			return one, i == 0
		case length > 0:
			return first + i, time.Now().Before(end)
		default:
			return first + i, i < many
		}
	}
}

// judged executes a schedule and shrinks it when it fails.
func judged(ctx context.Context, t *testing.T, p *place, s schedule) outcome {
	t.Helper()
	out, err := p.execute(ctx, s)
	if ctx.Err() != nil {
		return out
	}
	if err != nil && len(out.wrong) == 0 {
		t.Errorf("schedule %d could not be run: %v\n%s", s.Seed, err, s)
		return out
	}
	if len(out.wrong) > 0 {
		small := shrink(ctx, p, s)
		t.Errorf("SEED=%d make soak: %d attempts, faults that happened: %v\n%s\nsmallest schedule that failed again:\n%s", s.Seed, out.starts, out.done, lines(out.wrong), small)
	}
	return out
}

func lines(list []string) (out string) {
	for _, l := range list {
		out += "  " + l[:min(len(l), 300)] + "\n"
	}
	return out
}

// tries is how often a smaller schedule is run: not every run interleaves alike.
const tries = 3

// shrink leaves out one fault after the other while the schedule still fails.
func shrink(ctx context.Context, p *place, s schedule) schedule {
	for i := 0; i < len(s.faults); {
		smaller := s
		smaller.faults = append(append([]trouble{}, s.faults[:i]...), s.faults[i+1:]...)
		if fails(ctx, p, smaller) {
			s = smaller
		} else {
			i++
		}
	}
	return s
}

func fails(ctx context.Context, p *place, s schedule) bool {
	for range tries {
		if out, err := p.execute(ctx, s); err == nil && len(out.wrong) > 0 {
			return true
		}
	}
	return false
}
