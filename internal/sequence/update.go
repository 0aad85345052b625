package sequence

import (
	"context"
	"fmt"
	"math"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// Source tells the next AUTO_INCREMENT value of a source table; ok is false for
// a table without one. *source.Source does.
type Source interface {
	AutoIncrement(ctx context.Context, n table.Name) (next uint64, ok bool, err error)
}

// Update raises the sequences and AUTO_INCREMENT values of tables of the plan.
// With all it first runs `fresh all sequence start value`, which touches every
// schema of the instance. A table that cannot be raised for good (no sequence,
// no room in its column) becomes a warning; SequenceBehind and errors of the
// network are returned, and the whole may be repeated.
func Update(ctx context.Context, src Source, dst *destination.Destination, tables []checkpoint.Table, all bool) (contract.SequencesOut, error) {
	u := updater{src: src, dst: dst}
	if all && dst.HasSequences() {
		if err := dst.FreshAllSequences(ctx); err != nil {
			if fault.ClassOf(err) == fault.Retry {
				return u.out, err
			}
			u.warn("fresh all sequence start value: %v; each sequence was set by itself", err)
		}
	}
	bySchema, order := map[string][]checkpoint.Table{}, []string{}
	for _, t := range tables {
		schema := t.Destination.Schema
		if bySchema[schema] == nil {
			order = append(order, schema)
		}
		bySchema[schema] = append(bySchema[schema], t)
	}
	for _, schema := range order {
		if err := u.schema(ctx, schema, bySchema[schema]); err != nil {
			return u.out, fmt.Errorf("update sequences of schema %s: %w", schema, err)
		}
	}
	return u.out, nil
}

type updater struct {
	src Source
	dst *destination.Destination
	out contract.SequencesOut
}

func (u *updater) warn(format string, args ...any) {
	u.out.Warnings = append(u.out.Warnings, fmt.Sprintf(format, args...))
}

func (u *updater) schema(ctx context.Context, schema string, tables []checkpoint.Table) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Destination.Table
	}
	found, err := u.dst.Definitions(ctx, schema, names)
	if err != nil {
		return err
	}
	definitions := map[string]*table.Table{}
	for _, d := range found {
		definitions[strings.ToLower(d.Name.Table)] = d
	}
	placements, err := u.dst.Placements(ctx, schema)
	if err != nil {
		return err
	}
	sequences, err := u.dst.Sequences(ctx, schema)
	if err != nil {
		return err
	}
	for _, t := range tables {
		key := strings.ToLower(t.Destination.Table)
		d := definitions[key]
		if d == nil {
			return fault.DestinationTable.New(t.Destination.String(), "")
		}
		column, ok := autoIncrement(d)
		if !ok {
			continue
		}
		u.out.Total++
		s, ok := sequences[key]
		if err := u.table(ctx, t, column, placements[key], s, ok); err != nil {
			return fmt.Errorf("table %s: %w", t.Destination, err)
		}
	}
	return nil
}

func autoIncrement(t *table.Table) (table.Column, bool) {
	for _, c := range t.Columns {
		if c.AutoIncrement {
			return c, true
		}
	}
	return table.Column{}, false
}

func (u *updater) table(ctx context.Context, t checkpoint.Table, column table.Column, p table.Placement, s destination.Sequence, hasSequence bool) error {
	needed, ok, err := u.needed(ctx, t, column)
	if err != nil {
		return err
	}
	if !ok {
		u.warn("%s: %s", t.Destination, fault.SequenceSpaceExhausted.New(column.Name, "").Error())
		return nil
	}
	sharded := p.Kind == table.Sharded || p.Kind == table.Broadcast
	switch {
	case hasSequence && (sharded || p.Sequence != ""):
		err = u.raiseSequence(ctx, s, needed)
	case sharded:
		u.warn("%s: column %s is AUTO_INCREMENT and the destination has no sequence for it", t.Destination, column.Name)
		return nil
	default:
		err = u.raiseAutoIncrement(ctx, t.Destination, needed)
	}
	if err != nil && (fault.ClassOf(err) == fault.Retry || ctx.Err() != nil) {
		return err
	}
	if err != nil {
		u.warn("%s: %v", t.Destination, err)
		return nil
	}
	u.out.Refreshed++
	return nil
}

// needed is what the next value has to be at least; ok is false when the column
// has no room for it.
func (u *updater) needed(ctx context.Context, t checkpoint.Table, column table.Column) (needed uint64, ok bool, err error) {
	largest, any, err := u.dst.MaxValue(ctx, t.Destination, column.Name)
	if err != nil {
		return 0, false, err
	}
	if largest == math.MaxUint64 {
		return 0, false, nil
	}
	needed = 1
	if any {
		needed = largest + 1
	}
	next, known, err := u.src.AutoIncrement(ctx, t.Source)
	if err != nil {
		return 0, false, err
	}
	if known {
		needed = max(needed, next)
	}
	return needed, needed <= room(column), nil
}

// room is the largest value of a column.
func room(c table.Column) uint64 {
	switch {
	case c.Type != table.TypeInt || c.Bits == 0:
		return 1 << 53 // FLOAT, DOUBLE: beyond it whole numbers are left out
	case c.Unsigned:
		return math.MaxUint64 >> (64 - c.Bits)
	default:
		return math.MaxUint64 >> (65 - c.Bits)
	}
}

// raiseSequence always sets the value, because each node of DDM may have values
// of its own in a cache that are below what one of them tells.
func (u *updater) raiseSequence(ctx context.Context, s destination.Sequence, needed uint64) error {
	target := needed
	if s.Known {
		target = max(target, s.Start)
	}
	now, taken, err := u.next(ctx, s)
	if err != nil {
		return err
	}
	if taken {
		target = max(target, now+1)
	}
	if err := u.dst.SetSequence(ctx, s, target); err != nil {
		return err
	}
	now, taken, err = u.next(ctx, s)
	if err != nil {
		return err
	}
	if !taken {
		return u.verifyShown(ctx, s, needed)
	}
	if now < needed {
		return fault.SequenceBehind.New(s.Schema+"."+s.Name, "")
	}
	return nil
}

// next takes a value; taken is false where the product has no such statement.
func (u *updater) next(ctx context.Context, s destination.Sequence) (value uint64, taken bool, err error) {
	value, err = u.dst.NextValue(ctx, s)
	if err == nil {
		return value, true, nil
	}
	if mysqlconn.Number(err) != 0 && !mysqlconn.IsConnectionLost(err) {
		return 0, false, nil
	}
	return 0, false, err
}

func (u *updater) verifyShown(ctx context.Context, s destination.Sequence, needed uint64) error {
	all, err := u.dst.Sequences(ctx, s.Schema)
	if err != nil {
		return err
	}
	now, ok := all[strings.ToLower(s.Name)]
	if !ok || !now.Known {
		return fault.SequenceUnreadable.New(s.Schema+"."+s.Name, "it was set and could not be verified")
	}
	if now.Start < needed {
		return fault.SequenceBehind.New(s.Schema+"."+s.Name, "")
	}
	return nil
}

func (u *updater) raiseAutoIncrement(ctx context.Context, n table.Name, needed uint64) error {
	now, known, err := u.dst.AutoIncrement(ctx, n)
	if err != nil {
		return err
	}
	if known && now >= needed {
		return nil
	}
	if err := u.dst.SetAutoIncrement(ctx, n, needed); err != nil {
		return err
	}
	now, known, err = u.dst.AutoIncrement(ctx, n)
	if err != nil {
		return err
	}
	if known && now < needed {
		return fault.SequenceBehind.New(n.String(), "").WithRemedy("nothing: the step is repeated; by hand: ALTER TABLE <schema>.<table> AUTO_INCREMENT = <largest key + 1>")
	}
	return nil
}
