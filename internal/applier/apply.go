package applier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// session is a fenced connection to the destination.
type session = *destination.Session

// idleSave is how often the checkpoint moves while no selected row changes.
const idleSave = time.Second

// apply writes one window and moves the checkpoint to its end.
func (a *applier) apply(ctx context.Context, w *window) error {
	if err := a.waitAtGate(ctx, w); err != nil {
		return err
	}
	if err := a.throttle(ctx, w); err != nil {
		return err
	}
	strict := a.Gate == nil && w.strictable() && a.strict()
	if strict {
		if err := a.learnCounts(ctx, w); err != nil {
			return err
		}
	}
	if err := a.truncate(ctx, w); err != nil {
		return err
	}
	if err := a.writeOrRedo(ctx, w, strict); err != nil {
		return err
	}
	if err := a.save(ctx, w, strict); err != nil {
		return err
	}
	if w.barrier != nil {
		close(w.barrier)
	}
	return nil
}

// strict says whether every position that a former attempt may have written up
// to has passed.
func (a *applier) strict() bool {
	for len(a.safeUntil) > 0 {
		covered, err := a.applied.Position.Covers(a.safeUntil[0])
		if err != nil || !covered {
			return false
		}
		a.safeUntil = a.safeUntil[1:]
	}
	return true
}

func (a *applier) throttle(ctx context.Context, w *window) error {
	if a.Throttle == nil || w.rows == 0 {
		return nil
	}
	if err := a.Throttle.Wait(ctx, w.rows, int64(w.bytes)); err != nil {
		return fmt.Errorf("wait for the rate limit: %w", err)
	}
	return nil
}

// writeOrRedo writes the window. Whatever goes wrong in strict mode, and a lost
// connection in either, is made good by writing the same window in safe mode:
// it sets the same final states from any half-written one.
func (a *applier) writeOrRedo(ctx context.Context, w *window, strict bool) error {
	left, err := a.write(ctx, w, strict)
	if err == nil || ctx.Err() != nil || errors.Is(err, fault.Fenced) {
		return err
	}
	if strict {
		if stop := a.judge(ctx, left, err); stop != nil {
			return stop
		}
	} else if !mysqlconn.IsConnectionLost(err) && !errors.Is(err, destination.ErrUnknownOutcome) {
		return refused(err)
	}
	if err := a.renewSessions(ctx); err != nil {
		return err
	}
	a.stats.redone()
	if _, err := a.write(ctx, w, false); err != nil {
		return refused(fmt.Errorf("write window again in safe mode: %w", err))
	}
	return nil
}

// ofTable names the source table that an error concerns alone, so that the task
// may go on without it.
func ofTable(err error, n table.Name) error { return fault.CausedByTable(err, n.String()) }

// refused names the table whose statement the destination refused.
func refused(err error) error {
	if e, ok := errors.AsType[*statementError](err); ok {
		return ofTable(err, e.statement.fold.mapping.Source.Name)
	}
	return err
}

// judge decides about a failure in strict mode: divergent rows are noted, and
// stop the run unless the policy is to report them.
func (a *applier) judge(ctx context.Context, left []*item, cause error) error {
	if !isDivergence(cause) {
		return nil
	}
	found, err := a.countAgain(ctx, left)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return nil
	}
	for _, d := range found {
		if err := a.Store.AddDivergence(ctx, a.Group, d.Table, d.KeyHash, d.Kind); err != nil {
			return fmt.Errorf("note divergence of %s: %w", d.Table, err)
		}
	}
	if err := a.listDivergences(ctx, found); err != nil {
		return err
	}
	a.applied.Divergences += int64(len(found))
	if a.ReportDivergence {
		return nil
	}
	// The count survives the stop; the position stays where it was.
	if err := a.Store.Save(ctx, a.Fence, a.applied); err != nil {
		return fmt.Errorf("save the count of divergences: %w", err)
	}
	d := found[0]
	stop := error(fault.Divergence.New(d.Table.String(), "%d rows, the first with key hash %016x is %s", len(found), d.KeyHash, d.Kind))
	if !slices.ContainsFunc(found, func(o Divergence) bool { return o.Source != d.Source }) {
		stop = ofTable(stop, d.Source)
	}
	return stop
}

// countAgain looks for divergent rows on fresh connections; one that is lost on
// the way is no reason to pass them over.
func (a *applier) countAgain(ctx context.Context, left []*item) ([]Divergence, error) {
	for attempt := 1; ; attempt++ {
		if err := a.renewSessions(ctx); err != nil {
			return nil, err
		}
		found, err := a.divergences(ctx, left)
		lost := mysqlconn.IsConnectionLost(err) || errors.Is(err, destination.ErrUnknownOutcome)
		if !lost || ctx.Err() != nil || attempt == maxReconnects {
			return found, err
		}
	}
}

// truncate empties the destination tables of a TRUNCATE; the barrier before it
// has flushed all lanes, and its own window is written before the next one.
func (a *applier) truncate(ctx context.Context, w *window) error {
	for _, t := range w.truncate {
		m, err := a.Mapping(ctx, t)
		if err != nil {
			return ofTable(fmt.Errorf("map table %s: %w", t.Name, err), t.Name)
		}
		s, err := a.session(ctx, 0)
		if err != nil {
			return err
		}
		err = faultpoint.Around(ctx, "applier.truncate", func(ctx context.Context) error {
			_, err := s.Exec(ctx, a.Destination.Dialect().Truncate(m).SQL)
			return err
		})
		if err != nil {
			return ofTable(fmt.Errorf("truncate %s: %w", m.Destination.Name, err), t.Name)
		}
		w.emptied = append(w.emptied, m.Destination.Name.Schema)
	}
	return nil
}

// save moves the checkpoint to the window's end. Without rows it moves about
// once a second, and always at the end of a run, at a barrier and at Stop.
func (a *applier) save(ctx context.Context, w *window, strict bool) error {
	if w.end.IsZero() {
		a.applied.Rows += w.rows
		return nil
	}
	next := a.applied
	next.Position, next.Marks = w.end, a.counters()
	next.Rows += w.rows
	next.Transactions += w.transactions
	if !w.sourceTime.IsZero() {
		next.SourceTime = w.sourceTime
	}
	due := w.rows > 0 || w.final || w.barrier != nil || len(w.truncate) > 0 || time.Since(a.saved) >= idleSave
	if !due && a.Stop != nil {
		covered, err := w.end.Covers(*a.Stop)
		due = err != nil || covered
	}
	if !due {
		a.stats.idle(w)
		return nil
	}
	err := faultpoint.Around(ctx, "applier.save", func(ctx context.Context) error { return a.Store.Save(ctx, a.Fence, next) })
	if err != nil {
		return fmt.Errorf("save checkpoint of group %d: %w", a.Group, err)
	}
	a.applied, a.saved = next, time.Now()
	a.stats.appliedWindow(w, next, strict)
	return nil
}

// session returns the lane's connection, opened and registered with the fence.
func (a *applier) session(ctx context.Context, lane int) (session, error) {
	if a.sessions[lane] != nil {
		return a.sessions[lane], nil
	}
	s, err := a.Destination.Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("open destination session of lane %d: %w", lane, err)
	}
	if err := a.Fence.Register(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("register session of lane %d: %w", lane, err), s.Close())
	}
	a.sessions[lane] = s
	return s, nil
}

// renewSessions drops all connections after one was lost and makes sure that
// the server has given them up too, so that none of their transactions can
// still commit behind the window that is written again.
func (a *applier) renewSessions(ctx context.Context) error {
	var ids []string
	for _, s := range a.sessions {
		if s != nil {
			ids = append(ids, s.ID())
		}
	}
	a.closeSessions()
	if err := a.Fence.Settle(ctx, ids); err != nil {
		return fmt.Errorf("end lost sessions: %w", err)
	}
	return nil
}

func (a *applier) closeSessions() {
	for i, s := range a.sessions {
		if s != nil {
			_ = s.Close()
			a.sessions[i] = nil
		}
	}
}

// isConflict says whether the same transaction may pass when it is repeated. A
// safe write that meets a duplicate is one where REPLACE is a DELETE and an INSERT
// (Vitess): somebody's row came between the two, the copy's for example.
func (a *applier) isConflict(err error) bool {
	refused, ok := errors.AsType[*statementError](err)
	return mysqlconn.IsDeadlock(err) || ok && refused.statement.expect < 0 && mysqlconn.IsDuplicateKey(refused.err)
}

// retryable says whether reading on from the checkpoint may help.
func retryable(err error) bool {
	if errors.Is(err, fault.Fenced) {
		return false
	}
	return fault.ClassOf(err) == fault.Retry
}
