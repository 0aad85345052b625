package activities

import (
	"context"
	"path"
	"slices"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/compare"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/task"
)

const (
	// compareConnections are those of a comparison at the source, of the task's budget.
	compareConnections = 2
	// compareAtDestination leaves the rest to copy and apply.
	compareAtDestination = 4
	settlePoll           = 200 * time.Millisecond
	// settleTime is how long a comparison waits for the apply before it says so.
	settleTime = 5 * time.Minute
)

// CompareTables compares for a time box.
func (a *Activities) CompareTables(ctx context.Context, in contract.CompareIn) (contract.CompareOut, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.CompareOut{}, err
	}
	work, step := begin(ctx)
	out, err := a.compare(work, t, in, step)
	return out, step.end(err)
}

func (a *Activities) compare(ctx context.Context, t *resolved, in contract.CompareIn, step *step) (contract.CompareOut, error) {
	d, s, err := openStore(ctx, t, compareAtDestination)
	if err != nil {
		return contract.CompareOut{}, err
	}
	defer func() { _ = d.Close() }()
	src, err := openSource(ctx, t, compareConnections)
	if err != nil {
		return contract.CompareOut{}, err
	}
	defer func() { _ = src.Close() }()
	tables, left, err := comparedTables(ctx, s, in.Tables)
	if err != nil {
		return contract.CompareOut{}, err
	}
	if found, err := s.Comparison(ctx, in.ID); err == nil && found == nil && left > 0 {
		a.note(ctx, s, levelWarn, "comparison %s leaves out %d tables that are parked, being copied anew or dropped", in.ID, left)
	}
	c := compare.Config{
		ID: in.ID, Type: in.Type, Tables: tables, Source: src, Destination: d, Results: s, Box: in.Box,
		Beat: func(b contract.CompareBeat) { step.beat(b, [2]int64{int64(b.TablesDone), b.Rows}, false) },
	}
	if t.Spec.Type == task.FullIncremental {
		c.Settled = func(ctx context.Context, since position.Position) error {
			return settled(ctx, s, in.Group, since, step)
		}
	}
	// A comparison holds nothing but its place, so that a pause may just end it.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(step.draining(ctx), func() { cancel(context.Canceled) })
	defer stop()
	return compare.Run(ctx, c)
}

// comparedTables are those of group 0 that a pattern matches, and how many others
// it leaves out: what is not at group 0's position differs for no fault.
func comparedTables(ctx context.Context, s *checkpoint.Store, glob string) (out []compare.Table, left int, err error) {
	planned, err := s.Tables(ctx)
	if err != nil {
		return nil, 0, err
	}
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, t := range planned {
		if glob != "" {
			ok, err := path.Match(glob, t.Source.String())
			if err != nil {
				return nil, 0, fault.InvalidField.New("tables", "%q is no pattern", glob)
			}
			if !ok {
				continue
			}
		}
		if slices.ContainsFunc(groups, func(g checkpoint.TableGroup) bool { return g.Has(t.Source) }) {
			left++
			continue
		}
		out = append(out, compare.Table{No: t.No, Source: t.Source, Destination: t.Destination})
	}
	if len(out) == 0 && left > 0 {
		return nil, 0, fault.TablesApart.New("tables", "%d tables", left)
	}
	if len(out) == 0 {
		return nil, 0, fault.InvalidField.New("tables", "%q matches no table of the task", glob)
	}
	return out, left, nil
}

// settled waits until the apply has passed a position.
func settled(ctx context.Context, s *checkpoint.Store, group int, since position.Position, step *step) error {
	deadline := time.Now().Add(settleTime)
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for {
		c, err := s.Load(ctx, group)
		if err != nil {
			return err
		}
		if c != nil {
			if done, err := c.Position.Covers(since); err != nil || done {
				return err
			}
		}
		step.moved()
		if time.Now().After(deadline) {
			return fault.ApplyBehind.New("comparison", "waited %s", settleTime)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
