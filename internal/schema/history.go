package schema

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// Store keeps definitions; *checkpoint.Store does.
type Store interface {
	// Definitions are those of a group's tables, whichever group added them.
	Definitions(ctx context.Context, group int) ([]checkpoint.Definition, error)
	AddDefinition(ctx context.Context, d checkpoint.Definition) error
}

var _ binlog.Tables = (*History)(nil)

// History is the definitions of one apply group's tables as of the place up to
// which the group has applied. It is safe for concurrent use.
type History struct {
	store Store
	group int

	mu     sync.Mutex
	tables map[table.Name]*table.Table
	// later are definitions from statements that lie at or after the place of
	// Open: they were passed by an attempt whose checkpoint did not get so far.
	later []checkpoint.Definition
}

// Open reads the definitions of a group that hold at a position: those of the
// plan and those of statements that were passed before it. One that stands
// exactly there is still to come.
func Open(ctx context.Context, store Store, group int, at position.Position) (*History, error) {
	stored, err := store.Definitions(ctx, group)
	if err != nil {
		return nil, err
	}
	h := &History{store: store, group: group, tables: map[table.Name]*table.Table{}}
	for _, d := range stored {
		if !d.From.IsZero() && !at.IsZero() {
			before, err := at.Covers(d.From)
			if err != nil {
				return nil, fmt.Errorf("place the definition of %s: %w", d.Name, err)
			}
			if !before || samePlace(at, d.From) {
				h.later = append(h.later, d)
				continue
			}
		}
		h.set(d.Name, d.Table)
	}
	return h, nil
}

func (h *History) set(n table.Name, t *table.Table) {
	if t == nil {
		delete(h.tables, n)
	} else {
		h.tables[n] = t
	}
}

// again takes over the definitions of a statement that was passed before, and
// says whether those of all its tables are there: a crash may have kept some
// from being stored.
func (h *History) again(at position.Position, names []table.Name) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[table.Name]*table.Table{}
	for _, d := range h.later {
		if samePlace(d.From, at) {
			found[d.Name] = d.Table
		}
	}
	for _, n := range names {
		if _, ok := found[n]; !ok {
			return false
		}
	}
	for n, t := range found {
		h.set(n, t)
	}
	return len(found) > 0
}

// Table returns a table's definition; the same pointer means the same
// definition. Fault TableUnplanned for a table that the task does not have.
func (h *History) Table(n table.Name) (*table.Table, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.tables[n]; t != nil {
		return t, nil
	}
	return nil, fault.TableUnplanned.New(n.String(), "")
}

// Has says whether the task has the table.
func (h *History) Has(n table.Name) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tables[n] != nil
}

// Today reads definitions as the source has them now; *source.Source does. A
// table that is not there is fault.TableMissing.
type Today interface {
	Table(ctx context.Context, n table.Name) (*table.Table, error)
}

// Ahead calls each for the statements (Truncate and DDL) from a place on up to
// what the source has now.
type Ahead func(ctx context.Context, from position.Position, each func(binlog.Event)) error

// Refresh takes over the definitions of tables for the rows behind a statement.
// The source only tells those of today, which may be several statements on: so
// the statement is followed from the definition before it. Where it does not say
// enough, today's definition holds if no later statement changes the table, for
// which ahead looks; else nobody knows the columns of the rows between
// (fault.DefinitionUnknown): they are never guessed. A table that is gone is
// gone from there on.
func (h *History) Refresh(ctx context.Context, src Today, ahead Ahead, ev binlog.Event, names []table.Name) error {
	found := make([]*table.Table, len(names))
	var open []table.Name
	for i, n := range names {
		today, err := src.Table(ctx, n)
		if err != nil && !isMissing(err) {
			return fmt.Errorf("read the definition of %s: %w", n, err)
		}
		found[i] = today
		s := h.after(ev, n, today)
		switch {
		case !s.known:
			open = append(open, n)
		case s.table == nil || today == nil || !sameShape(s.table, today):
			found[i] = s.table
		}
	}
	if err := unchanged(ctx, ahead, ev, open); err != nil {
		return err
	}
	for i, n := range names {
		if err := h.store.AddDefinition(ctx, checkpoint.Definition{Name: n, Group: h.group, From: ev.At, Table: found[i]}); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, n := range names {
		h.set(n, found[i])
	}
	return nil
}

// unchanged makes sure that no statement behind ev changes one of the tables.
func unchanged(ctx context.Context, ahead Ahead, ev binlog.Event, names []table.Name) error {
	if len(names) == 0 {
		return nil
	}
	var changed *table.Name
	err := ahead(ctx, ev.At, func(later binlog.Event) {
		for i := range names {
			if changed == nil && !samePlace(later.At, ev.At) && reshapes(later, names[i]) {
				changed = &names[i]
			}
		}
	})
	if err != nil {
		return fmt.Errorf("look for later statements about %s: %w", names[0], err)
	}
	if changed != nil {
		return fault.DefinitionUnknown.New(changed.String(), "%s at %s", ev.Describe(), ev.At)
	}
	return nil
}

// reshapes says whether a statement may change the columns of a table.
func reshapes(ev binlog.Event, n table.Name) bool {
	if !ev.Parsed || ev.Foreign {
		return ev.Foreign || slices.Contains(ev.Names, n)
	}
	return slices.ContainsFunc(ev.Effects, func(e ddl.Effect) bool {
		switch e.Kind {
		case ddl.Alter:
			return slices.Contains(e.Tables, n) && (!e.ColumnsKnown || len(e.Columns) > 0)
		case ddl.Rename, ddl.Drop, ddl.CreateTable:
			return !e.Temporary && slices.Contains(e.Tables, n)
		case ddl.DropSchema:
			return e.Tables[0].Schema == n.Schema
		default:
			return false
		}
	})
}
