package sequence

import (
	"context"
	"fmt"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// Config is one update of a task's sequences.
type Config struct {
	Source      *source.Source
	Destination *destination.Destination
	Tables      []checkpoint.Table
	// All lets DDM refresh every sequence of every schema first (policy.sequences: all).
	All bool
}

// Update raises what gives ids to each table with an auto-increment column to
// at least max(destination's largest + 1, source's AUTO_INCREMENT), and looks
// whether it stands there. It may be repeated. Fault SequenceBehind when a
// sequence is still too low afterwards.
func Update(ctx context.Context, c Config) (contract.SequencesOut, error) {
	var out contract.SequencesOut
	if c.All && c.Destination.HasSequences() {
		if err := c.Destination.FreshAllSequences(ctx); err != nil {
			return out, err
		}
	}
	for _, t := range c.Tables {
		counted, warning, err := c.one(ctx, t)
		if err != nil {
			return out, fmt.Errorf("sequence of %s: %w", t.Destination, err)
		}
		if !counted {
			continue
		}
		out.Total++
		out.Refreshed++
		if warning != "" {
			out.Warnings = append(out.Warnings, warning)
		}
	}
	return out, nil
}

// one raises the sequence of one table; counted is false when nothing gives ids
// to it.
func (c Config) one(ctx context.Context, t checkpoint.Table) (counted bool, warning string, err error) {
	there, err := c.Destination.Table(ctx, t.Destination)
	if err != nil {
		return false, "", err
	}
	column := autoIncrement(there)
	if column == "" {
		return false, "", nil
	}
	next, err := c.next(ctx, t, column)
	if err != nil {
		return false, "", err
	}
	placement, err := c.Destination.Placement(ctx, t.Destination)
	if err != nil {
		return false, "", err
	}
	if c.Destination.HasSequences() && placement.Kind != table.Single {
		warning, err = c.raiseSequence(ctx, t.Destination, placement, next)
		return true, warning, err
	}
	return true, "", c.raiseCounter(ctx, t.Destination, next)
}

// next is the smallest value that no row uses and that the source would not
// have given either.
func (c Config) next(ctx context.Context, t checkpoint.Table, column string) (uint64, error) {
	largest, ok, err := c.Destination.MaxValue(ctx, t.Destination, column)
	if err != nil {
		return 0, err
	}
	next := uint64(1)
	if ok {
		if next = largest + 1; next == 0 {
			return 0, fault.SequenceSpaceExhausted.New(t.Destination.String(), "column %s", column)
		}
	}
	if autoIncrement(t.Definition) == "" {
		return next, nil
	}
	given, ok, err := c.Source.AutoIncrement(ctx, t.Source)
	if err != nil {
		return 0, err
	}
	if ok {
		next = max(next, given)
	}
	return next, nil
}

func (c Config) raiseSequence(ctx context.Context, n table.Name, p table.Placement, next uint64) (warning string, err error) {
	name := p.Sequence
	if name == "" {
		name = n.Table
	}
	find := func() (destination.Sequence, error) {
		all, err := c.Destination.Sequences(ctx, n.Schema)
		if err != nil {
			return destination.Sequence{}, err
		}
		s, ok := all[strings.ToLower(name)]
		if !ok {
			return s, fault.SequenceUnreadable.New(n.String(), "there is no sequence %s", name)
		}
		return s, nil
	}
	s, err := find()
	if err != nil {
		return "", err
	}
	if s.Known && s.Start >= next {
		return "", nil
	}
	if err := c.Destination.SetSequence(ctx, s, next); err != nil {
		return "", err
	}
	if s, err = find(); err != nil {
		return "", err
	}
	switch {
	case !s.Known:
		return fmt.Sprintf("sequence of %s was set to %d; the destination does not show its value", n, next), nil
	case s.Start < next:
		return "", fault.SequenceBehind.New(n.String(), "it is at %d, %d is needed", s.Start, next)
	default:
		return "", nil
	}
}

func (c Config) raiseCounter(ctx context.Context, n table.Name, next uint64) error {
	now, known, err := c.Destination.AutoIncrement(ctx, n)
	if err != nil {
		return err
	}
	if known && now >= next {
		return nil
	}
	if err := c.Destination.SetAutoIncrement(ctx, n, next); err != nil {
		return err
	}
	now, known, err = c.Destination.AutoIncrement(ctx, n)
	if err == nil && known && now < next {
		return fault.SequenceBehind.New(n.String(), "it is at %d, %d is needed", now, next)
	}
	return err
}

func autoIncrement(t *table.Table) string {
	if t == nil {
		return ""
	}
	for _, c := range t.Columns {
		if c.AutoIncrement {
			return c.Name
		}
	}
	return ""
}
