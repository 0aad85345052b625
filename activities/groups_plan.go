package activities

import (
	"context"
	"errors"
	"slices"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// PlanGroup takes a start position for tables that are copied anew or that were
// added to the task, then cuts them into chunks. A further attempt begins anew.
func (a *Activities) PlanGroup(ctx context.Context, in contract.PlanGroupIn) (contract.PlanCopyOut, error) {
	var out contract.PlanCopyOut
	err := a.regroup(ctx, in.TaskRef, in.Owner, func(ctx context.Context, r regrouping) (err error) {
		defer func() { a.noteEnd(ctx, r.store, "plan of group", err) }()
		src, err := openSource(ctx, r.task, shortConnections)
		if err != nil {
			return err
		}
		defer func() { _ = src.Close() }()
		turn, end, err := r.store.Turn(ctx, checkpoint.Token{Box: r.token.Box, Attempt: r.token.Attempt})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end(ctx)) }()
		p := newPlanner(r.task, src, r.dst, turn, r.step)
		p.group = in.Group
		if err := r.dropLeft(ctx, turn, in); err != nil {
			return err
		}
		of, err := r.acquire(ctx, checkpoint.ApplyUnit(in.Group))
		if err != nil {
			return err
		}
		apart, err := p.members(ctx, in)
		if err != nil {
			return err
		}
		if err := r.endLanes(ctx, apart); err != nil {
			return err
		}
		if out, err = p.planGroup(ctx, of, apart); err != nil {
			return err
		}
		out.Epoch = in.Epoch
		a.note(ctx, r.store, levelInfo, "planned %d chunks of %s from position %s", out.Chunks, texts(apart.Names()), out.Start)
		return of.Release(ctx)
	})
	return out, err
}

// dropLeft drops groups that have tables of the new one: an addition that was not
// completed, and could not be taken back, left them. Else group 0 would leave the
// tables out after the merge, too.
func (r regrouping) dropLeft(ctx context.Context, turn *checkpoint.Store, in contract.PlanGroupIn) error {
	groups, err := turn.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.No == in.Group || g.Dropped || !g.Added || !slices.ContainsFunc(in.Tables, g.Has) {
			continue
		}
		if err := r.endLanes(ctx, g); err != nil {
			return err
		}
		of, err := r.acquire(ctx, checkpoint.ApplyUnit(g.No))
		if err != nil {
			return err
		}
		if err := turn.DropGroup(ctx, of, g); err != nil {
			return err
		}
		if err := r.store.ForgetUnits(ctx, g.No, r.schemas); err != nil {
			return err
		}
	}
	return nil
}

// members are the group's tables with their numbers in the plan. Those that are
// not in it yet join the task: their destination tables have to be empty.
func (p *planner) members(ctx context.Context, in contract.PlanGroupIn) (checkpoint.TableGroup, error) {
	apart := checkpoint.TableGroup{No: in.Group}
	if there, err := p.Store.Group(ctx, in.Group); err != nil {
		return apart, err
	} else if there != nil {
		apart = *there
	}
	own := apart.Tables
	apart.Tables, apart.Planned = nil, true
	planned, err := p.Store.Tables(ctx)
	if err != nil {
		return apart, err
	}
	next, err := p.Store.NextTable(ctx)
	if err != nil {
		return apart, err
	}
	for _, n := range in.Tables {
		if i := slices.IndexFunc(planned, func(t checkpoint.Table) bool { return t.Source == n }); i >= 0 {
			if len(own) == 0 { // a wildcard selects it, and it is group 0's
				return apart, fault.AlreadySelected.New(n.String(), "")
			}
			apart.Tables = append(apart.Tables, checkpoint.GroupTable{Name: n, No: planned[i].No})
			continue
		}
		if err := p.joins(ctx, n); err != nil {
			return apart, err
		}
		apart.Tables = append(apart.Tables, checkpoint.GroupTable{Name: n, No: next})
		apart.Added = true
		next++
	}
	return apart, nil
}

// joins makes sure that a table may join the task.
func (p *planner) joins(ctx context.Context, n table.Name) error {
	to, _, ok := p.t.Spec.Objects.Match(n)
	if !ok {
		return fault.TableUnplanned.New(n.String(), "")
	}
	there, err := p.Destination.Tables(ctx, to.Schema)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(there, func(d table.Name) bool { return strings.EqualFold(d.Table, to.Table) }) {
		return ofTable(fault.DestinationTable.New(to.String(), "").WithRemedy("create it there, then add the table again"), n)
	}
	rows, err := p.Destination.ReadDB().QueryContext(ctx, p.Destination.Hint()+"SELECT 1 FROM "+dialect.QuoteName(to.Schema, to.Table)+" LIMIT 1")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	if rows.Next() {
		return ofTable(fault.AddedNotEmpty.New(to.String(), ""), n)
	}
	return rows.Err()
}

// planGroup is PlanCopy for some tables: the position first, then the definitions.
func (p *planner) planGroup(ctx context.Context, of *checkpoint.Fence, apart checkpoint.TableGroup) (out contract.PlanCopyOut, err error) {
	selected, err := selectedOf([]checkpoint.TableGroup{apart}, p.t.Spec.Objects, apart.No)
	if err != nil {
		return out, err
	}
	if _, err := p.catalogued(ctx, selected, apart); err != nil {
		return out, err
	}
	if p.Beat.Start, err = p.takePosition(ctx, apart.Names()); err != nil {
		return out, err
	}
	apart.From = p.Beat.Start
	p.Source.Pin(p.Beat.Start)
	tables, err := p.catalogued(ctx, selected, apart)
	if err != nil {
		return out, err
	}
	if err := p.Store.PrepareFences(ctx, p.t.Spec.Objects.DestinationSchemas()); err != nil {
		return out, err
	}
	// Before the old chunks go: no number is used twice, their marks remain.
	last, err := p.Store.LastNumber(ctx)
	if err != nil {
		return out, err
	}
	marked, err := p.Store.LastMarked(ctx, p.t.Spec.Objects.DestinationSchemas())
	if err != nil {
		return out, err
	}
	p.Last = max(last, marked)
	if err := p.Store.Replan(ctx, of, apart, tables); err != nil {
		return out, err
	}
	before := p.Last
	for _, t := range tables {
		if err := p.CutTable(ctx, t); err != nil {
			return out, ofTable(err, t.Source)
		}
		out.RowsEstimated += t.RowsEstimated
		out.BytesEstimated += t.BytesEstimated
		p.Beat.Tables++
		p.Report()
	}
	out.Start, out.Tables, out.Chunks = p.Beat.Start, len(tables), int(p.Last-before)
	return out, nil
}

// catalogued reads the group's tables from the source, checked against the destination.
func (p *planner) catalogued(ctx context.Context, selected selection.Selection, apart checkpoint.TableGroup) ([]checkpoint.Table, error) {
	found, err := p.Source.Catalogue(ctx, selected)
	if err != nil {
		return nil, err
	}
	out := make([]checkpoint.Table, 0, len(apart.Tables))
	for _, member := range apart.Tables {
		i := slices.IndexFunc(found, func(t *table.Table) bool { return t.Name == member.Name })
		if i < 0 {
			return nil, ofTable(fault.TableMissing.New(member.String(), ""), member.Name)
		}
		to, _, _ := p.t.Spec.Objects.Match(member.Name)
		if err := p.fits(ctx, found[i], to); err != nil {
			return nil, err
		}
		out = append(out, checkpoint.Table{
			No: member.No, Source: member.Name, Destination: to, Definition: found[i],
			RowsEstimated: max(found[i].Rows, 0), BytesEstimated: max(found[i].Bytes, 0),
		})
		p.step.moved()
	}
	return out, nil
}
