package applier

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shardlift/internal/checkpoint"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// changeKind is what a statement does to each of its rows.
type changeKind uint8

const (
	kindDelete changeKind = iota + 1
	kindInsert
	kindUpsert
	kindReplace
)

// statementError is a statement that the destination refused.
type statementError struct {
	statement statement
	err       error
}

func (e *statementError) Error() string {
	return fmt.Sprintf("write %d rows of %s: %v", len(e.statement.rows), e.statement.fold.mapping.Destination.Name, e.err)
}

func (e *statementError) Unwrap() error { return e.err }

// countError is a strict statement that affected another number of rows than
// its changes can.
type countError struct {
	statement statement
	affected  int64
}

func (e *countError) Error() string {
	return fmt.Sprintf("write %d rows of %s: %d rows affected, expected %d",
		len(e.statement.rows), e.statement.fold.mapping.Destination.Name, e.affected, e.statement.expect)
}

// Divergence is a row that was not on the destination what it was on the
// source before a change. KeyHash names it; its values are never shown.
type Divergence struct {
	Table   table.Name
	Source  table.Name
	KeyHash uint64
	// Kind is "missing" (a row to change or delete was not there), "present" (a
	// row to insert was there) or "changed" (the row had the new values already).
	Kind string
}

// countsOf says how many affected rows each row of a table counts as.
func (a *applier) countsOf(m *dialect.Mapping) checkpoint.Counts {
	if m.Placement.Kind == table.Broadcast {
		return a.broadcast[m.Destination.Name.Schema]
	}
	return checkpoint.Counts{Insert: 1, Upsert: 2, Delete: 1}
}

// learnCounts finds out, once a run and schema, how rows of broadcast tables
// count, before the first window that depends on it.
func (a *applier) learnCounts(ctx context.Context, w *window) error {
	for _, f := range w.order {
		schema := f.mapping.Destination.Name.Schema
		if _, known := a.broadcast[schema]; known || f.mapping.Placement.Kind != table.Broadcast {
			continue
		}
		counts, err := a.Fence.BroadcastCounts(ctx, schema)
		if err != nil {
			return err
		}
		a.broadcast[schema] = counts
	}
	return nil
}

// isDivergence says whether a strict write failed because of what the
// destination holds.
func isDivergence(err error) bool {
	if _, ok := errors.AsType[*countError](err); ok {
		return true
	}
	refused, ok := errors.AsType[*statementError](err)
	return ok && refused.statement.expect >= 0 && mysqlconn.IsDuplicateKey(refused.err)
}

// divergences finds out which rows are not as they should be: each row that is
// not committed is written alone, counted, and all of it rolled back. The rows
// of a shard share a transaction, deletions first, so that those of the second
// phase find what the first phase would have left to them; where that is open,
// because a commit's outcome is not known, the second phase is not counted.
func (a *applier) divergences(ctx context.Context, left []*item) ([]Divergence, error) {
	var shards []place
	byShard := map[place][]*item{}
	open := slices.IndexFunc(left, func(it *item) bool { return it.unknown })
	for _, it := range left {
		if it.committed || it.unknown || open >= 0 && it.phase > left[open].phase {
			continue
		}
		shard := place{schema: it.place.schema, shard: it.place.shard}
		if byShard[shard] == nil {
			shards = append(shards, shard)
		}
		byShard[shard] = append(byShard[shard], it)
	}
	var found []Divergence
	for _, shard := range shards {
		some, err := a.countShard(ctx, byShard[shard])
		found = append(found, some...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (a *applier) countShard(ctx context.Context, items []*item) (found []Divergence, err error) {
	s, err := a.session(ctx, 0)
	if err != nil {
		return nil, err
	}
	if err := s.Begin(ctx); err != nil {
		return nil, fmt.Errorf("begin to find divergent rows: %w", err)
	}
	defer func() { err = errors.Join(err, s.Rollback(ctx)) }()
	for _, it := range items {
		some, err := a.countEach(ctx, s, it)
		found = append(found, some...)
		if errors.Is(err, errMayHaveEnded) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// errMayHaveEnded: a refused statement over several shards may have ended the
// transaction, so that what follows would be committed at once (vtgate).
var errMayHaveEnded = errors.New("the transaction may have ended")

// listedDivergences is how many rows of one window get a line of their own in
// the task's log; the metadata has them all.
const listedDivergences = 20

// listDivergences tells the operator which rows they are: table and key hash,
// never values.
func (a *applier) listDivergences(ctx context.Context, found []Divergence) error {
	for i, d := range found {
		text := fmt.Sprintf("divergence: a row of %s with key hash %016x is %s", d.Table, d.KeyHash, d.Kind)
		if i == listedDivergences {
			text = fmt.Sprintf("divergence: %d more rows of the same window", len(found)-i)
		}
		if err := a.Store.AppendLog(ctx, "warn", text); err != nil {
			return err
		}
		if i == listedDivergences {
			break
		}
	}
	return nil
}

func (a *applier) countEach(ctx context.Context, s session, it *item) ([]Divergence, error) {
	if err := a.guard(ctx, s, it.place); err != nil {
		return nil, err
	}
	var found []Divergence
	for _, st := range it.statements {
		want := st.expect / int64(max(len(st.rows), 1))
		for i := range st.rows {
			one := st.rows[i : i+1]
			affected, err := s.Exec(ctx, a.statements(st.fold, one, st.kind, want)[0].sql)
			if err != nil && !mysqlconn.IsDuplicateKey(err) {
				return found, fmt.Errorf("find divergent rows of %s: %w", st.fold.mapping.Destination.Name, err)
			}
			if err != nil || affected != want {
				found = append(found, divergence(st.fold.mapping, one[0], st.kind, affected, err != nil))
			}
			if err != nil && it.place.shard < 0 {
				return found, errMayHaveEnded
			}
		}
	}
	return found, nil
}

func divergence(m *dialect.Mapping, r row.Row, kind changeKind, affected int64, duplicate bool) Divergence {
	d := Divergence{Table: m.Destination.Name, Source: m.Source.Name, KeyHash: r.KeyHash(m.Identity), Kind: "missing"}
	switch {
	case duplicate:
		d.Kind = "present"
	case kind == kindUpsert && affected == 0:
		d.Kind = "changed"
	}
	return d
}
