package schema

import (
	"context"
	"fmt"
	"sync"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// Store keeps definitions; *checkpoint.Store does.
type Store interface {
	Definitions(ctx context.Context) ([]checkpoint.Definition, error)
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
	stored, err := store.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	h := &History{store: store, group: group, tables: map[table.Name]*table.Table{}}
	for _, d := range stored {
		if d.Group != group {
			continue
		}
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
// says whether there are any.
func (h *History) again(at position.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := false
	for _, d := range h.later {
		if samePlace(d.From, at) {
			h.set(d.Name, d.Table)
			found = true
		}
	}
	return found
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

// Refresh reads a table's definition from the source again, for rows after the
// statement at a position. A table that is gone is gone from there on.
func (h *History) Refresh(ctx context.Context, src *source.Source, n table.Name, at position.Position) error {
	fresh, err := src.Table(ctx, n)
	if isMissing(err) {
		fresh, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("read the definition of %s: %w", n, err)
	}
	if err := h.store.AddDefinition(ctx, checkpoint.Definition{Name: n, Group: h.group, From: at, Table: fresh}); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(n, fresh)
	return nil
}
