package activities

import (
	"context"
	"fmt"
	"time"

	"shardlift/internal/binlog"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/schema"
)

// statementsGroup is the number of the stream that is read for statements only;
// no apply group has it.
const statementsGroup = -2

// watchStatements reads the stream beside the copy, from the start position, for
// statements that change a table while its rows are being read (rule 11): a
// chunk read before and one read after would not fit together. It ends with ctx
// or such a statement; a lost connection is opened again where it ended.
func (w *watcher) watchStatements(ctx context.Context, from position.Position) error {
	for {
		next, err := w.readStatements(ctx, from)
		if err == nil || ctx.Err() != nil || fault.ClassOf(err) != fault.Retry {
			return err
		}
		from = next
		timer := time.NewTimer(binlogEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// readStatements reads one stream and returns where it ended.
func (w *watcher) readStatements(ctx context.Context, from position.Position) (position.Position, error) {
	selected, err := effectiveSelection(ctx, w.store, w.t.Spec.Objects, 0)
	if err != nil {
		return from, err
	}
	history, err := schema.Open(ctx, w.store, 0, from)
	if err != nil {
		return from, err
	}
	if err := w.checkReads(ctx); err != nil {
		return from, err
	}
	stream, err := binlog.Open(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(w.t.Source), Capabilities: w.src.Capabilities(),
		ServerID: binlog.ServerID(w.t.TaskID, statementsGroup), From: from, Selection: selected, Tables: history,
		StatementsOnly: true, // its rows are the apply's matter
	})
	if err != nil {
		return from, err
	}
	defer stream.Close()
	rules := schema.Rules{Selection: selected, StopAtTruncate: w.t.Spec.Policy.Truncate == "stop"}
	for {
		ev, err := stream.Next(ctx)
		if err != nil {
			return stream.Position(), fmt.Errorf("watch statements: %w", err)
		}
		if ev.Kind != binlog.DDL && ev.Kind != binlog.Truncate {
			continue
		}
		if _, _, err := history.Judge(ev, rules); err != nil {
			return stream.Position(), changedWhileCopied(err)
		}
	}
}

// checkReads makes sure that the source's history still contains what the copy
// was reading: after a restore from a backup the start position may be in it
// while rows of the transactions that were lost are on the destination.
func (w *watcher) checkReads(ctx context.Context) error {
	lows, err := w.store.Lows(ctx)
	if err != nil {
		return err
	}
	var last position.Position
	for _, low := range lows {
		if low.IsZero() {
			continue
		}
		if after, err := low.Covers(last); last.IsZero() || err == nil && after {
			last = low
		}
	}
	return w.src.CheckHistory(ctx, last)
}

// changedWhileCopied drops the statement's place: no resume passes it, since
// rows of both definitions may have been copied.
func changedWhileCopied(err error) error {
	f, ok := fault.As(err)
	if !ok {
		return err
	}
	return &fault.Error{
		Code: f.Code, Class: f.Class, Object: f.Object, Table: f.Table, Message: f.Message + " (during the full copy)",
		Remedy: "make the same change on the destination, then reset the task: rows copied before and after the statement do not fit together",
	}
}
