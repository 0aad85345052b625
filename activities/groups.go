package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// ParkTables takes tables out of group 0 into a group of their own.
func (a *Activities) ParkTables(ctx context.Context, in contract.ParkIn) (contract.ParkOut, error) {
	var out contract.ParkOut
	err := a.regroup(ctx, in.TaskRef, in.Owner, func(ctx context.Context, r regrouping) error {
		apart, err := r.store.Group(ctx, in.Group)
		if err != nil {
			return err
		}
		if apart == nil {
			apart = &checkpoint.TableGroup{No: in.Group, From: in.Start}
			if apart.Tables, err = r.store.GroupTables(ctx, in.Tables); err != nil {
				return err
			}
		}
		own, err := r.acquire(ctx, checkpoint.ApplyUnit(0))
		if err != nil {
			return err
		}
		if err := r.endLanes(ctx, *apart); err != nil {
			return err
		}
		of, err := r.acquire(ctx, checkpoint.ApplyUnit(in.Group))
		if err != nil {
			return err
		}
		c, err := r.store.Park(ctx, own, of, *apart)
		if err != nil {
			return err
		}
		if c != nil {
			out.Position = c.Position
		}
		open, err := r.store.UnfinishedOf(ctx, in.Group)
		if err != nil {
			return err
		}
		out.Copied = open == 0
		a.note(ctx, r.store, levelWarn, "parked %s as group %d at %s", texts(apart.Names()), in.Group, out.Position)
		return r.release(ctx, own, of)
	})
	return out, err
}

// MergeGroup gives a group's tables back to group 0.
func (a *Activities) MergeGroup(ctx context.Context, in contract.MergeIn) (contract.MergeOut, error) {
	var out contract.MergeOut
	err := a.regroup(ctx, in.TaskRef, in.Owner, func(ctx context.Context, r regrouping) error {
		own, err := r.acquire(ctx, checkpoint.ApplyUnit(0))
		if err != nil {
			return err
		}
		apart, err := r.store.Group(ctx, in.Group)
		if err != nil {
			return err
		}
		if apart != nil && !apart.Dropped {
			if err := a.merge(ctx, r, own, *apart); err != nil {
				return err
			}
		}
		c, err := r.store.Load(ctx, 0)
		if err != nil {
			return err
		}
		if c != nil {
			out.Position = c.Position
		}
		if err := r.release(ctx, own); err != nil {
			return err
		}
		return r.store.ForgetUnits(ctx, in.Group, r.schemas)
	})
	return out, err
}

func (a *Activities) merge(ctx context.Context, r regrouping, own *checkpoint.Fence, apart checkpoint.TableGroup) error {
	if err := r.endLanes(ctx, apart); err != nil {
		return err
	}
	of, err := r.acquire(ctx, checkpoint.ApplyUnit(apart.No))
	if err != nil {
		return err
	}
	why, err := r.store.Mergeable(ctx, apart)
	if err != nil {
		return err
	}
	if why != "" {
		return fault.MergeEarly.New(texts(apart.Names()), "%s", why)
	}
	c, err := r.store.Merge(ctx, own, of, apart)
	if err != nil {
		return err
	}
	if c == nil {
		a.note(ctx, r.store, levelInfo, "merged %s", texts(apart.Names()))
	} else {
		a.note(ctx, r.store, levelInfo, "merged %s at %s", texts(apart.Names()), c.Position)
	}
	return nil
}

// DropGroup leaves a group's tables out of the task for good.
func (a *Activities) DropGroup(ctx context.Context, in contract.MergeIn) (contract.Nothing, error) {
	return contract.Nothing{}, a.regroup(ctx, in.TaskRef, in.Owner, func(ctx context.Context, r regrouping) error {
		apart, err := r.store.Group(ctx, in.Group)
		if err != nil {
			return err
		}
		if apart != nil && !apart.Dropped {
			if err := r.endLanes(ctx, *apart); err != nil {
				return err
			}
			of, err := r.acquire(ctx, checkpoint.ApplyUnit(in.Group))
			if err != nil {
				return err
			}
			if err := r.store.DropGroup(ctx, of, *apart); err != nil {
				return err
			}
			a.note(ctx, r.store, levelWarn, "dropped %s, its rows stay on the destination", texts(apart.Names()))
		}
		return r.store.ForgetUnits(ctx, in.Group, r.schemas)
	})
}

// regrouping is one attempt of an activity of groups.
type regrouping struct {
	task    *resolved
	dst     *destination.Destination
	store   *checkpoint.Store
	token   checkpoint.Token
	schemas []string
	// confirmed is the operator's word that no older writer lives.
	confirmed bool
	step      *step
}

func (a *Activities) regroup(ctx context.Context, ref contract.TaskRef, o contract.Owner, f func(context.Context, regrouping) error) error {
	t, err := a.tasks.task(ctx, ref)
	if err != nil {
		return err
	}
	attempt := activity.GetInfo(ctx).Attempt
	work, step := begin(ctx)
	err = a.withStore(work, t, func(d *destination.Destination, s *checkpoint.Store) error {
		return f(work, regrouping{
			task: t, dst: d, store: s, schemas: t.Spec.Objects.DestinationSchemas(), step: step,
			token: checkpoint.Token{Epoch: o.Epoch, Box: o.Box, Attempt: attempt}, confirmed: o.FenceConfirmed && attempt == 1,
		})
	})
	return step.end(err)
}

func (r regrouping) acquire(ctx context.Context, unit string) (*checkpoint.Fence, error) {
	f, err := r.store.Acquire(ctx, unit, r.token, r.schemas, r.confirmed)
	r.step.moved()
	return f, err
}

func (r regrouping) release(ctx context.Context, fences ...*checkpoint.Fence) error {
	for _, f := range fences {
		if err := f.Release(ctx); err != nil {
			return err
		}
	}
	return nil
}

// endLanes shuts out whoever may still copy chunks of a group's tables; what they
// had claimed goes back.
func (r regrouping) endLanes(ctx context.Context, g checkpoint.TableGroup) error {
	units, err := r.store.CopyUnits(ctx, g.No, g.Tables)
	if err != nil {
		return err
	}
	for _, unit := range units {
		f, err := r.acquire(ctx, unit)
		if err != nil {
			return err
		}
		if err := f.Release(ctx); err != nil {
			return err
		}
	}
	return nil
}

// merged is the answer for a group that is there no more: its tables go on with
// group 0.
func (a *Activities) merged(ctx context.Context, s *checkpoint.Store) (contract.ApplyOut, error) {
	c, err := s.Load(ctx, 0)
	if err != nil || c == nil {
		return contract.ApplyOut{Drained: true}, err
	}
	return contract.ApplyOut{Applied: c.Position, Drained: true, Divergences: c.Divergences}, nil
}

// awaitMerge waits until group 0 may take a group that has caught up; false when
// that takes longer, or the step drains.
func awaitMerge(ctx context.Context, s *checkpoint.Store, group int, drain <-chan struct{}, step *step) (bool, error) {
	deadline := time.Now().Add(settleTime)
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for {
		apart, err := s.Group(ctx, group)
		if err != nil || apart == nil {
			return err == nil, err
		}
		why, err := s.Mergeable(ctx, *apart)
		if err != nil || why == "" {
			return err == nil, err
		}
		step.moved()
		if time.Now().After(deadline) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-drain:
			return false, nil
		case <-tick.C:
		}
	}
}

// effectiveSelection is what a group's stream is about. Group 0 leaves out the
// tables of other groups and dropped ones, and those that a wildcard selects and
// that the destination did not have when the task was planned: they are none of
// the task's. One that came later is not left out: its CREATE TABLE stops the
// apply. Another group has its own tables only.
func effectiveSelection(ctx context.Context, s *checkpoint.Store, objects selection.Selection, group int) (selection.Selection, error) {
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, err
	}
	if group > 0 {
		return selectedOf(groups, objects, group)
	}
	definitions, err := s.Definitions(ctx, 0)
	if err != nil {
		return nil, err
	}
	left := map[table.Name]bool{}
	for _, d := range definitions {
		left[d.Name] = d.Table == nil && d.From.IsZero()
	}
	for _, g := range groups {
		for _, t := range g.Tables {
			left[t.Name] = true
		}
	}
	out := make(selection.Selection, len(objects))
	for i, rule := range objects {
		out[i] = rule
		out[i].Exclude = slices.Clone(rule.Exclude)
		for name, skip := range left {
			if skip && name.Schema == rule.Schema {
				out[i].Exclude = append(out[i].Exclude, name.Table)
			}
		}
	}
	return out, nil
}

// selectedOf selects the tables of one group by their names.
func selectedOf(groups []checkpoint.TableGroup, objects selection.Selection, group int) (selection.Selection, error) {
	var out selection.Selection
	for _, g := range groups {
		if g.No != group {
			continue
		}
		for _, n := range g.Names() {
			to, _, ok := objects.Match(n)
			if !ok {
				return nil, fault.TableUnplanned.New(n.String(), "")
			}
			out = append(out, selection.Rule{Schema: n.Schema, To: to.Schema, Tables: []string{n.Table}, Rename: map[string]string{n.Table: to.Table}})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("group %d has no tables", group)
	}
	return out, nil
}

// ofTable names the source table that an error concerns alone.
func ofTable(err error, n table.Name) error { return fault.CausedByTable(err, n.String()) }

// texts lists tables for people.
func texts(names []table.Name) string {
	const shown = 5
	out := ""
	for i, n := range names {
		switch {
		case i == shown:
			return out + fmt.Sprintf(", %d more", len(names)-shown)
		case i > 0:
			out += ", "
		}
		out += n.String()
	}
	return out
}
