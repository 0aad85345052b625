package throttle

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"shardlift/internal/task"
)

// loadPause is how long a step waits before it asks for the load again.
const loadPause = time.Second

// Load says why moving rows should wait now; empty when it should not.
type Load func(ctx context.Context) (reason string, err error)

// Limiter is shared by the lanes of a process. It is safe for concurrent use.
type Limiter struct {
	load  Load
	rows  *rate.Limiter
	bytes *rate.Limiter

	mu     sync.Mutex
	limits task.Limits
	busy   string // what the load function said last
}

// New returns a limiter without limits; load may be nil.
func New(load Load) *Limiter {
	return &Limiter{load: load, rows: rate.NewLimiter(rate.Inf, 0), bytes: rate.NewLimiter(rate.Inf, 0)}
}

// Set changes the limits; steps that wait already go on at the new rate.
func (l *Limiter) Set(limits task.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limits == l.limits {
		return
	}
	l.limits = limits
	set(l.rows, limits.RowsPerSecond)
	set(l.bytes, limits.MBPerSecond<<20)
}

// set bounds a burst to a tenth of a second, so that a limit holds within every second.
func set(l *rate.Limiter, perSecond int) {
	if perSecond <= 0 {
		l.SetLimit(rate.Inf)
		return
	}
	l.SetLimit(rate.Limit(perSecond))
	l.SetBurst(max(1, perSecond/10))
}

// Wait returns when rows rows of bytes bytes may be moved. It is called before
// the work, so a limit set meanwhile takes effect at the next call, and at the
// latest after one of its short waits.
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

// spend takes n tokens in bursts, reading the burst anew each time, because the
// limit may change while a large step waits.
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
		if err := sleep(ctx, r.Delay()); err != nil {
			return err
		}
		n -= part
	}
	return ctx.Err()
}

func (l *Limiter) waitForLoad(ctx context.Context) error {
	if l.load == nil {
		return nil
	}
	for {
		reason, err := l.load(ctx)
		if err != nil {
			return fmt.Errorf("read the load: %w", err)
		}
		l.mu.Lock()
		l.busy = reason
		l.mu.Unlock()
		if reason == "" {
			return nil
		}
		if err := sleep(ctx, loadPause); err != nil {
			return err
		}
	}
}

// Reason says what limits the rate now; empty when nothing does.
func (l *Limiter) Reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.busy != "":
		return l.busy
	case l.limits.MBPerSecond > 0 && l.limits.RowsPerSecond > 0:
		return fmt.Sprintf("limit of %d MB/s and %d rows/s", l.limits.MBPerSecond, l.limits.RowsPerSecond)
	case l.limits.MBPerSecond > 0:
		return fmt.Sprintf("limit of %d MB/s", l.limits.MBPerSecond)
	case l.limits.RowsPerSecond > 0:
		return fmt.Sprintf("limit of %d rows/s", l.limits.RowsPerSecond)
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
