package applier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shardlift/internal/position"
)

// Gate keeps an apply that runs beside the copy away from chunks that are being
// copied (rule 2): no change is written that a chunk's rows may be older than.
type Gate struct {
	// Visible returns a position that is not ahead of what a later SELECT on the
	// source sees. The binlog itself is ahead of it.
	Visible func(ctx context.Context) (position.Position, error)
	// Lows returns the low positions of all claimed chunks.
	Lows func(ctx context.Context) ([]position.Position, error)
}

// gateEvery is how often a window that must wait looks at the copy again.
const gateEvery = 100 * time.Millisecond

// behindCopy is shown while a window waits.
const behindCopy = "waits for the copy: a chunk that is read now may be older than the next changes"

// errGateLeft says that the run ended while a window was waiting; it is read
// again by the next run.
var errGateLeft = errors.New("the run ended before the window could be written")

// waitAtGate returns when the window may be written. A chunk that was claimed
// when the limits were read holds the window up to its low position; one that is
// claimed later reads its rows later, so it sees what was visible before.
func (a *applier) waitAtGate(ctx context.Context, w *window) error {
	if a.Gate == nil || w.rows == 0 && len(w.truncate) == 0 {
		return nil
	}
	tick := time.NewTicker(gateEvery)
	defer tick.Stop()
	box := time.NewTimer(time.Until(a.box))
	defer box.Stop()
	defer a.stats.throttled("")
	for {
		passes, err := w.within(a.limits)
		if err != nil || passes {
			return err
		}
		if err := a.readLimits(ctx); err != nil {
			return err
		}
		if passes, err = w.within(a.limits); err != nil || passes {
			return err
		}
		a.stats.throttled(behindCopy)
		select {
		case <-tick.C:
		case <-box.C:
			return errGateLeft
		case <-a.Drain:
			return errors.Join(ErrDrained, errGateLeft)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// readLimits reads how far windows may go. The order matters: what is claimed
// between the two sees what was visible first.
func (a *applier) readLimits(ctx context.Context) error {
	visible, err := a.Gate.Visible(ctx)
	if err != nil {
		return fmt.Errorf("read what is visible on the source: %w", err)
	}
	lows, err := a.Gate.Lows(ctx)
	if err != nil {
		return err
	}
	a.limits = append([]position.Position{visible}, lows...)
	return nil
}

// within says whether every transaction that has changes in the window lies
// before all limits; one that the window was cut in counts as a whole. The
// window's end does not tell: it stays behind while an XA transaction waits for
// its verdict. A limit without GTIDs, of a chunk that has no low position, lets
// nothing pass.
func (w *window) within(limits []position.Position) (bool, error) {
	if len(limits) == 0 || len(w.gtids) == 0 {
		return false, nil
	}
	mine, err := position.ParseSet(limits[0].Flavor, w.gtids[0])
	if err != nil {
		return false, err
	}
	for _, gtid := range w.gtids[1:] {
		if err := mine.Add(gtid); err != nil {
			return false, err
		}
	}
	for _, limit := range limits {
		if !limit.HasGTID() {
			return false, nil
		}
		set, err := limit.Set()
		if err != nil || !set.Contains(mine) {
			return false, err
		}
	}
	return true, nil
}
