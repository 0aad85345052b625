package applier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/binlog"
	"shardlift/internal/faultpoint"
	"shardlift/internal/table"
)

// reader cuts the stream into windows. A window is handed over as soon as the
// writer is free and a transaction has ended, so windows are milliseconds long
// when the task is caught up and grow to their limits when it is behind.
type reader struct {
	*applier
	windows chan *window
	// judged is sent to after the verdict on each statement.
	judged chan struct{}
	// err is why reading failed; drainedEarly that Drain ended it. Both are set when windows is closed.
	err          error
	drainedEarly bool
}

// run reads until the box ends at a transaction's end, Drain closes, or
// something fails; r.err and r.drainedEarly say which. What was handed over is
// written in any case. Everything ends at a transaction's end unless a single
// transaction is larger than a window.
func (r *reader) run(ctx context.Context, stream Stream) {
	defer close(r.windows)
	events := make(chan binlog.Event, 4)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(events)
		for {
			var ev binlog.Event
			err := faultpoint.Around(ctx, "applier.next", func(ctx context.Context) (err error) {
				ev, err = stream.Next(ctx)
				return err
			})
			if err != nil {
				return fmt.Errorf("read binlog stream: %w", err)
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if ev.Kind != binlog.DDL && ev.Kind != binlog.Truncate {
				continue
			}
			// Rows behind a statement may follow definitions that its verdict
			// refreshes: read on only after it.
			select {
			case <-r.judged:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	})
	g.Go(func() error {
		if err := r.cut(ctx, events); err != nil {
			return err
		}
		return errEnded // ends the reading goroutine
	})
	if err := g.Wait(); !errors.Is(err, errEnded) {
		r.err = err
	}
}

// errEnded says that the stretch ended as planned.
var errEnded = errors.New("stretch ended")

func (r *reader) cut(ctx context.Context, events <-chan binlog.Event) error {
	w := newWindow()
	box := time.NewTimer(time.Until(r.box))
	defer box.Stop()
	ending, drain := false, r.Drain
	for {
		if ending && !w.open {
			return r.finish(ctx, w)
		}
		in := events
		var out chan<- *window
		if full := w.bytes >= r.WindowBytes; full || w.ready() {
			out = r.windows
			if full {
				in = nil
			}
		}
		select {
		case ev, ok := <-in:
			if !ok {
				<-ctx.Done() // the reading goroutine has the error
				return context.Cause(ctx)
			}
			next, err := r.take(ctx, w, ev)
			if err != nil {
				return err
			}
			w = next
		case out <- w:
			w = newWindow()
		case <-box.C:
			ending = true
		case <-drain:
			ending, drain, r.drainedEarly = true, nil, true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// finish hands over what is left.
func (r *reader) finish(ctx context.Context, w *window) error {
	w.final = true
	if w.empty() {
		return nil
	}
	select {
	case r.windows <- w:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take puts one event into the window, or closes the window at a statement that
// must not share one, and returns the window to go on with.
func (r *reader) take(ctx context.Context, w *window, ev binlog.Event) (*window, error) {
	switch ev.Kind {
	case binlog.Rows:
		m, err := r.Mapping(ctx, ev.Table)
		if err != nil {
			return nil, ofTable(fmt.Errorf("map table %s: %w", ev.Table.Name, err), ev.Table.Name)
		}
		if err := logged(ev, m); err != nil {
			return nil, ofTable(err, ev.Table.Name)
		}
		w.addRows(ev, m)
		r.stats.read(ev)
		return w, nil
	case binlog.Commit, binlog.Heartbeat:
		w.addEnd(ev)
		r.stats.read(ev)
		return w, nil
	case binlog.DDL, binlog.Truncate:
		return r.statement(ctx, w, ev)
	default:
		return nil, fmt.Errorf("read binlog stream: event kind %d is not known", ev.Kind)
	}
}

// statement is a barrier: all before it is written before it is judged, so that
// a stop leaves the checkpoint right before the statement.
func (r *reader) statement(ctx context.Context, w *window, ev binlog.Event) (*window, error) {
	w.barrier = make(chan struct{})
	select {
	case r.windows <- w:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-w.barrier:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	verdict, tables, err := r.DDL(ctx, ev)
	if err != nil {
		return nil, err
	}
	select {
	case r.judged <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	next := newWindow()
	if verdict == TruncateDDL {
		next.truncate = append([]*table.Table{}, tables...)
		next.addGTID(ev.GTID)
	}
	next.addEnd(ev)
	return next, nil
}
