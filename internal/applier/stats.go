package applier

import (
	"context"
	"sync"
	"time"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/position"
)

// beatEvery is how often live numbers are given out.
const beatEvery = time.Second

// stats are the live numbers of a run.
type stats struct {
	mu      sync.Mutex
	beatNow contract.ApplyBeat
	// rates are measured from one beat to the next.
	lastAt     time.Time
	lastRows   int64
	lastTx     int64
	redos      int64
	reconnects int64
	pending    bool // something was read that is not written yet
}

func (s *stats) start(c checkpoint.Checkpoint, group int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beatNow = contract.ApplyBeat{Group: group, Mode: "safe", Applied: c.Position, Read: c.Position, Rows: c.Rows, Transactions: c.Transactions, Divergences: c.Divergences}
	s.lastAt, s.lastRows, s.lastTx = time.Now(), c.Rows, c.Transactions
}

func (s *stats) read(ev binlog.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.Kind == binlog.Rows {
		s.pending = true
	} else {
		s.beatNow.Read = ev.Position
	}
	if !ev.SourceTime.IsZero() {
		s.beatNow.CaptureDelay = millis(time.Since(ev.SourceTime))
	}
}

// idle notes a window without rows whose position is not saved yet.
func (s *stats) idle(w *window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending {
		s.beatNow.Read = w.end
		s.caughtUp()
	}
}

func (s *stats) appliedWindow(w *window, c checkpoint.Checkpoint, strict bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beatNow
	b.Applied, b.Rows, b.Transactions, b.Divergences = c.Position, c.Rows, c.Transactions, c.Divergences
	b.Mode = "safe"
	if strict {
		b.Mode = "strict"
	}
	b.CaughtUp = samePlace(b.Applied, b.Read)
	if w.rows > 0 && !w.sourceTime.IsZero() {
		b.DelayMillis = millis(time.Since(w.sourceTime))
		b.ApplyDelay = millis(time.Since(w.readTime))
	}
	if b.CaughtUp {
		s.pending = false
		if w.rows == 0 {
			s.caughtUp()
		}
	}
}

// caughtUp: nothing waits, so the delay is none (drs.md P-05: 0 is consistent at the moment).
func (s *stats) caughtUp() {
	b := &s.beatNow
	b.CaughtUp, b.DelayMillis, b.CaptureDelay, b.ApplyDelay = true, 0, 0, 0
}

// throttled notes why the next window waits; empty when it does not.
func (s *stats) throttled(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beatNow.Throttle = reason
}

func (s *stats) redone()      { s.mu.Lock(); s.redos++; s.mu.Unlock() }
func (s *stats) reconnected() { s.mu.Lock(); s.reconnects++; s.mu.Unlock() }

// beat gives the numbers out until ctx ends.
func (s *stats) beat(ctx context.Context, give func(contract.ApplyBeat)) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		give(s.snapshot())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *stats) snapshot() contract.ApplyBeat {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if d := now.Sub(s.lastAt).Seconds(); d > 0.5 {
		s.beatNow.RowsRate = float64(s.beatNow.Rows-s.lastRows) / d
		s.beatNow.TxRate = float64(s.beatNow.Transactions-s.lastTx) / d
		s.lastAt, s.lastRows, s.lastTx = now, s.beatNow.Rows, s.beatNow.Transactions
	}
	s.beatNow.At = now.UTC()
	return s.beatNow
}

func samePlace(a, b position.Position) bool {
	if a.HasGTID() && b.HasGTID() {
		return *a.GTID == *b.GTID
	}
	return a.File == b.File && a.Offset == b.Offset
}

func millis(d time.Duration) int64 { return max(0, d.Milliseconds()) }
