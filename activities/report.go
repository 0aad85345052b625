package activities

import (
	"context"
	"fmt"
	"time"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// What is known of writes on the source after the stop position.
const (
	writesNone    = "none"
	writesSome    = "some"
	writesUnknown = "not verifiable"
)

// lookTime bounds the look at the source's binlog after the stop position.
const lookTime = 20 * time.Second

// StoreReport makes the final report and stores it on the destination. A source
// that is away does not keep it: what cannot be told is said to be so.
func (a *Activities) StoreReport(ctx context.Context, in contract.ReportIn) (contract.Report, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.Report{}, err
	}
	r := contract.Report{
		Forced: in.Forced, Incomplete: in.Incomplete, Sequences: in.Sequences, Warnings: in.Warnings,
		StopPosition: in.StopPosition, WritesAfterStop: writesUnknown, OpenTransactions: -1, PreparedXA: -1,
	}
	err = a.withStore(ctx, t, func(_ *destination.Destination, s *checkpoint.Store) error {
		if err := count(ctx, s, &r); err != nil {
			return err
		}
		stop := r.StopPosition
		if stop == nil && t.Spec.Type == task.FullIncremental { // incomplete: it ended where the apply was
			if c, err := s.Load(ctx, 0); err == nil && c != nil {
				stop = &c.Position
			}
		}
		a.lookAfter(ctx, t, stop, &r)
		if in.Head != nil {
			r.OpenTransactions, r.PreparedXA = in.Head.OpenTransactions, in.Head.PreparedXA
		}
		r.At = time.Now().UTC()
		return s.PutReport(ctx, r)
	})
	return r, err
}

func count(ctx context.Context, s *checkpoint.Store, r *contract.Report) error {
	p, err := s.Progress(ctx)
	if err != nil {
		return err
	}
	r.Tables, r.RowsCopied, r.BytesCopied = p.Tables, p.RowsDone, p.BytesDone
	c, err := s.Load(ctx, 0)
	if err != nil {
		return err
	}
	if c != nil {
		r.RowsApplied, r.Divergences = c.Rows, c.Divergences
	}
	return nil
}

// lookAfter says whether the source was written after the stop position.
func (a *Activities) lookAfter(ctx context.Context, t *resolved, stop *position.Position, r *contract.Report) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return
	}
	defer func() { _ = src.Close() }()
	head, err := readHead(ctx, src)
	if err != nil {
		return
	}
	r.OpenTransactions, r.PreparedXA = head.OpenTransactions, head.PreparedXA
	if stop == nil || stop.IsZero() {
		return
	}
	covered, err := stop.Covers(head.Position)
	switch {
	case err != nil:
	case covered:
		r.WritesAfterStop = writesNone
	default:
		r.WritesAfterStop = selectedWrites(ctx, t, src, *stop, head.Position)
	}
}

// selectedWrites reads the binlog between two positions for changes of selected
// tables: a server may have other work. Where it cannot be read, that the
// position moved counts.
func selectedWrites(ctx context.Context, t *resolved, src *source.Source, from, to position.Position) string {
	stream, err := binlog.Open(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(t.Source), Capabilities: src.Capabilities(), ServerID: binlog.ServerID(t.TaskID, reportGroup),
		From: from, Selection: t.Spec.Objects, Tables: tablesNow{ctx, src},
	})
	if err != nil {
		return writesSome
	}
	defer stream.Close()
	for {
		e, err := stream.Next(ctx)
		if err != nil {
			return writesSome
		}
		switch e.Kind {
		case binlog.Rows, binlog.Truncate, binlog.DDL:
			return writesSome
		case binlog.Commit, binlog.Heartbeat:
			if done, err := e.Position.Covers(to); err != nil {
				return writesSome
			} else if done {
				return writesNone
			}
		}
	}
}

// reportGroup is a number that no apply group has: two clients of one server id
// throw each other out.
const reportGroup = -1

// tablesNow gives definitions as they are now, good enough to see that a table was written.
type tablesNow struct {
	ctx context.Context
	src *source.Source
}

// Table returns the present definition.
func (t tablesNow) Table(n table.Name) (*table.Table, error) {
	found, err := t.src.Table(t.ctx, n)
	if err != nil {
		return nil, fmt.Errorf("read definition: %w", err)
	}
	return found, nil
}
