package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/applier"
	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/copier"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/task"
	"shardlift/internal/throttle"
)

// releaseTime bounds the release of a fence when the work has ended already.
const releaseTime = 5 * time.Second

// copyGroup and the numbers below it are the streams' that lanes open to look at a
// file's head; no apply group has them.
const copyGroup = -100

// CopyLane copies chunks of one lane for a time box.
func (a *Activities) CopyLane(ctx context.Context, in contract.CopyLaneIn) (contract.CopyLaneOut, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.CopyLaneOut{}, err
	}
	work, step := begin(ctx)
	out, err := a.copyLane(work, t, in, activity.GetInfo(ctx).Attempt, step)
	return out, step.end(err)
}

func (a *Activities) copyLane(ctx context.Context, t *resolved, in contract.CopyLaneIn, attempt int32, step *step) (out contract.CopyLaneOut, err error) {
	connections := t.Spec.Destination.MaxConnections
	if in.ApplyBeside {
		connections -= lanesBesideCopy + applyOwn
	}
	share := max(connections/max(in.Lanes, 1), 2) // one for the metadata, the rest write
	d, s, err := openStore(ctx, t, share)
	if err != nil {
		return out, err
	}
	defer func() { _ = d.Close() }()
	step.patient(d.Info())
	src, err := openSource(ctx, t, max(in.Connections, 1))
	if err != nil {
		return out, err
	}
	defer func() { _ = src.Close() }()
	needed, err := neededFrom(ctx, s, in.Group, in.Start)
	if err != nil {
		return out, err
	}
	if err := src.CheckHistory(ctx, needed); err != nil {
		return out, err
	}
	src.Pin(needed)
	if err := checkSeen(ctx, src, s); err != nil {
		return out, err
	}
	src.Rest() // many lanes start at once, and each looks into the binlog
	err = binlog.CheckBirth(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(t.Source), Capabilities: src.Capabilities(),
		ServerID: binlog.ServerID(t.TaskID, copyGroup-in.Lane), From: needed,
	})
	if err != nil {
		return out, err
	}
	if err := s.CheckPlan(ctx, in.Group, in.Epoch); err != nil {
		return out, err
	}
	tables, err := s.Tables(ctx)
	if err != nil {
		return out, err
	}
	defer func() { a.noteEnd(ctx, s, laneName(in), err) }()
	limiter := throttle.New(sourceLoad(src))
	shown := &laneBeat{step: step, limiter: limiter, last: contract.CopyBeat{Lane: in.Lane}}
	parts := lanesOf(s, in.Lanes, in.ApplyBeside)
	if in.Group > 0 {
		parts = newSharing(s, checkpoint.CopyUnit(in.Group, in.Lane), in.Owner, attempt, in.Group, true).parts
	}
	stop := limited{s, limiter, parts, shown.again, nil}.follow(ctx)
	defer stop()
	err = fenced(ctx, s, checkpoint.CopyUnit(in.Group, in.Lane), in.Owner, attempt, t.Spec.Objects, func(fence *checkpoint.Fence) error {
		out, err = copier.Run(ctx, copier.Config{
			Source: src, Destination: d, Store: s, Fence: fence, Mapping: mappings(d, tables),
			Lane: in.Lane, Lanes: in.Lanes, Box: in.Box, FullOnly: t.Spec.Type == task.Full, DeleteFirst: in.DeleteFirst,
			Writers: share - 1, Throttle: limiter, Drain: step.drain,
			Beat: shown.beat,
		})
		return err
	})
	if err == nil && out.Done { // the plan may have gone meanwhile, and "nothing is left" with it
		err = s.CheckPlan(ctx, in.Group, in.Epoch)
	}
	return out, err
}

// checkSeen refuses a source that lacks transactions which copied rows may show,
// or further positions: a fail-over has lost them, and no binlog will ever take
// the rows back (rule 9).
func checkSeen(ctx context.Context, src *source.Source, s *checkpoint.Store, further ...position.Position) error {
	seen, err := s.Seen(ctx)
	if err != nil {
		return err
	}
	return src.CheckSeen(ctx, append(seen, further...))
}

func laneName(in contract.CopyLaneIn) string {
	if in.Group > 0 {
		return fmt.Sprintf("copy of group %d, lane %d", in.Group, in.Lane)
	}
	return fmt.Sprintf("copy, lane %d", in.Lane)
}

// neededFrom is from where the binlog is still needed: the checkpoint when an
// apply has begun beside the copy, else the start position.
func neededFrom(ctx context.Context, s *checkpoint.Store, group int, start position.Position) (position.Position, error) {
	c, err := s.Load(ctx, group)
	if err != nil || c == nil || c.Position.IsZero() {
		return start, err
	}
	return c.Position, nil
}

// fenced owns a unit while f works: older attempts are shut out before. The unit
// is given up only when f ended in order: a statement that was cut off may still
// commit on the server, and the next owner has to wait for it. The operator's
// word that no older writer lives is good for the first attempt only, a later one
// has the former as its older writer.
func fenced(ctx context.Context, s *checkpoint.Store, unit string, o contract.Owner, attempt int32, objects selection.Selection, f func(*checkpoint.Fence) error) error {
	token := checkpoint.Token{Epoch: o.Epoch, Box: o.Box, Attempt: attempt}
	fence, err := s.Acquire(ctx, unit, token, objects.DestinationSchemas(), o.FenceConfirmed && attempt == 1)
	if err != nil {
		return err
	}
	err = f(fence)
	if err != nil && !errors.Is(err, copier.ErrDrained) && !errors.Is(err, applier.ErrDrained) {
		return err
	}
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if lost := fence.Release(free); lost != nil {
		activity.GetLogger(ctx).Warn("fence not released, the next owner takes it", "unit", unit, "error", lost)
	}
	return err
}

// mappings joins planned tables with their destinations, each once. Lanes call
// it one after the other.
func mappings(d *destination.Destination, tables []checkpoint.Table) func(context.Context, int) (*dialect.Mapping, error) {
	known := map[int]*dialect.Mapping{}
	return func(ctx context.Context, no int) (*dialect.Mapping, error) {
		if m := known[no]; m != nil {
			return m, nil
		}
		for _, t := range tables {
			if t.No != no {
				continue
			}
			m, err := mapping(ctx, d, t.Definition, t.Destination)
			err = ofTable(err, t.Source)
			if err == nil {
				known[no] = m
			}
			return m, err
		}
		return nil, fault.TableUnplanned.New(fmt.Sprintf("table %d of the plan", no), "")
	}
}
