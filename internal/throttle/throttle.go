package throttle

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"shardlift/internal/task"
)

const (
	// loadEvery is how often the load is asked for, and how long a busy server is
	// left alone at least.
	loadEvery = time.Second
	// longestSleep bounds each wait, so that a changed limit takes effect soon.
	longestSleep = time.Second
)

// Load says why moving rows should wait now; empty when it should not.
type Load func(ctx context.Context, limits task.LoadLimits) (reason string, err error)

// Limiter is shared by the lanes of a process. It is safe for concurrent use.
type Limiter struct {
	load  Load
	rows  *rate.Limiter
	bytes *rate.Limiter

	asking sync.Mutex // who asks for the load; the others wait for the answer
	asked  time.Time

	mu sync.Mutex
	// What holds now: of the task as a whole.
	mb, perSecond int
	window        string
	limits        task.LoadLimits
	busy          string // what the load function said last
	pace          pace
}

// New returns a limiter without limits; load may be nil.
func New(load Load) *Limiter {
	return &Limiter{load: load, rows: rate.NewLimiter(rate.Inf, 0), bytes: rate.NewLimiter(rate.Inf, 0)}
}

// Set takes the task's limits as they hold now, of which this limiter has one of
// parts equal parts. Steps that wait already go on at the new rate. Call it again
// when a window may have begun or ended.
func (l *Limiter) Set(limits task.Limits, parts int) {
	mb, rows, window := limits.At(time.Now())
	part := 1 / float64(max(parts, 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mb, l.perSecond, l.window, l.limits = mb, rows, window, limits.Load
	set(l.rows, float64(rows)*part)
	set(l.bytes, float64(mb)*(1<<20)*part)
}

// set bounds a burst to a tenth of a second, so that a limit holds within every second.
func set(l *rate.Limiter, perSecond float64) {
	limit, burst := rate.Inf, 0
	if perSecond > 0 {
		limit, burst = rate.Limit(perSecond), max(1, int(perSecond/10))
	}
	if l.Limit() != limit {
		l.SetLimit(limit)
		l.SetBurst(burst)
	}
}

// Wait returns when rows rows of bytes bytes may be moved. It is called before
// the work; whoever waits follows a limit that is set meanwhile within a second.
func (l *Limiter) Wait(ctx context.Context, rows, bytes int64) error {
	if err := l.waitForLoad(ctx); err != nil {
		return err
	}
	if err := spend(ctx, l.rows, rows); err != nil {
		return fmt.Errorf("wait for the limit of rows: %w", err)
	}
	if err := spend(ctx, l.bytes, bytes); err != nil {
		return fmt.Errorf("wait for the limit of bytes: %w", err)
	}
	return nil
}

// Within says how many rows and bytes the limits let pass in d: work that is cut
// into such pieces moves evenly. Without a limit it is the largest number.
func (l *Limiter) Within(d time.Duration) (rows, bytes int64) {
	return within(l.rows, d), within(l.bytes, d)
}

func within(l *rate.Limiter, d time.Duration) int64 {
	n := float64(l.Limit()) * d.Seconds() // rate.Inf is a number, too
	if n >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(int64(n), 1)
}

// spend takes n tokens in bursts, reading limit and burst anew each time, because
// they may change while a large step waits.
func spend(ctx context.Context, l *rate.Limiter, n int64) error {
	for n > 0 {
		if l.Limit() == rate.Inf {
			return ctx.Err()
		}
		part := min(n, int64(max(l.Burst(), 1)))
		r := l.ReserveN(time.Now(), int(part))
		if !r.OK() { // the burst was lowered just now
			continue
		}
		delay := r.Delay()
		if delay > longestSleep {
			r.Cancel()
			if err := sleep(ctx, longestSleep); err != nil {
				return err
			}
			continue
		}
		if err := sleep(ctx, delay); err != nil {
			return err
		}
		n -= part
	}
	return ctx.Err()
}

// waitForLoad waits until the source is not busy. All callers share one answer a
// second.
func (l *Limiter) waitForLoad(ctx context.Context) error {
	if l.load == nil {
		return nil
	}
	l.asking.Lock()
	defer l.asking.Unlock()
	for {
		l.mu.Lock()
		limits := l.limits
		l.mu.Unlock()
		if limits.Source() && time.Since(l.asked) < loadEvery && l.reason() == "" {
			return nil
		}
		reason := ""
		if limits.Source() {
			var err error
			if reason, err = l.load(ctx, limits); err != nil {
				return fmt.Errorf("read the load: %w", err)
			}
			l.asked = time.Now()
		}
		l.mu.Lock()
		l.busy = reason
		l.mu.Unlock()
		if reason == "" {
			return nil
		}
		if err := sleep(ctx, loadEvery); err != nil {
			return err
		}
	}
}

func (l *Limiter) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy
}

// Took tells how long a transaction on the destination took, and rests where
// they take longer than they may.
func (l *Limiter) Took(ctx context.Context, d time.Duration) error {
	l.mu.Lock()
	rest := l.pace.took(d, time.Duration(l.limits.DestinationMillis)*time.Millisecond)
	l.mu.Unlock()
	return sleep(ctx, rest)
}

// Reason says what limits the rate now; empty when nothing does.
func (l *Limiter) Reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	within := ""
	if l.window != "" {
		within = " from " + l.window
	}
	switch slow := l.pace.reason(); {
	case l.busy != "":
		return l.busy
	case slow != "":
		return slow
	case l.mb > 0 && l.perSecond > 0:
		return fmt.Sprintf("limit of %d MB/s and %d rows/s%s", l.mb, l.perSecond, within)
	case l.mb > 0:
		return fmt.Sprintf("limit of %d MB/s%s", l.mb, within)
	case l.perSecond > 0:
		return fmt.Sprintf("limit of %d rows/s%s", l.perSecond, within)
	default:
		return ""
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
