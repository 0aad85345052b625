package applier

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// splitRows is the number of rows of one table and shard from which they are
// spread over several lanes; below it another commit costs more than it saves.
const splitRows = 200

// maxConflicts is how often a transaction is tried again after a deadlock or a
// lock wait timeout (1213, 1205).
const maxConflicts = 10

// statement is one SQL statement with the rows it writes and, in strict mode,
// the affected rows it must report.
type statement struct {
	sql    string
	kind   changeKind
	fold   *fold
	rows   []row.Row
	expect int64 // -1: not counted
}

// item is what one transaction writes: statements of one shard of one schema.
type item struct {
	place      place
	phase      int
	statements []statement
	committed  bool
	// unknown: the commit failed, so it may have been carried out.
	unknown bool
	// marks: the place's mark is raised as well, last.
	marks bool
}

// place is where an item's rows live. Shard -1 stands for rows whose shard is
// not known or that are on all shards; their transaction may span shards.
type place struct {
	schema string
	shard  int
	part   int
}

// phases turns a window into the items of phase 1 and phase 2.
func (a *applier) phases(w *window, strict bool) [2][]*item {
	var deletes, writes items
	for _, f := range w.order {
		if strict {
			p, counts := f.strict(), a.countsOf(f.mapping)
			a.split(&deletes, f, p.deletes, kindDelete, counts.Delete)
			a.split(&writes, f, p.inserts, kindInsert, counts.Insert)
			a.split(&writes, f, p.upserts, kindUpsert, counts.Upsert)
		} else {
			p := f.safe()
			a.split(&deletes, f, p.deletes, kindDelete, -1)
			a.split(&writes, f, p.replaces, kindReplace, -1)
		}
	}
	return [2][]*item{deletes.sorted(1), writes.sorted(2)}
}

type items map[place][]statement

// sorted returns the items with the most statements first: they take longest.
func (s items) sorted(phase int) []*item {
	out := make([]*item, 0, len(s))
	for p, statements := range s {
		out = append(out, &item{place: p, phase: phase, statements: statements})
	}
	slices.SortFunc(out, func(a, b *item) int { return len(b.statements) - len(a.statements) })
	return out
}

// split groups rows by physical shard and lane and adds their statements.
// A table with a secondary unique key has one lane per shard, because parallel
// REPLACE statements on it deadlock (measured: 57 % with 8 lanes); the rows of
// other tables are spread by primary key.
func (a *applier) split(into *items, f *fold, rows []row.Row, kind changeKind, perRow int64) {
	if len(rows) == 0 {
		return
	}
	if *into == nil {
		*into = items{}
	}
	m := f.mapping
	groups := map[place][]row.Row{}
	byShard := map[int]int{}
	shards := make([]int, len(rows))
	for i, r := range rows {
		shards[i] = a.shard(m, r)
		byShard[shards[i]]++
	}
	for i, r := range rows {
		p := place{schema: m.Destination.Name.Schema, shard: shards[i]}
		if parts := min(a.Lanes, 1+byShard[p.shard]/splitRows); parts > 1 && !m.SecondaryUnique && p.shard >= 0 {
			h := fnv.New32a()
			_, _ = h.Write(r.AppendKey(nil, m.Primary))
			p.part = int(h.Sum32() % uint32(parts))
		}
		groups[p] = append(groups[p], r)
	}
	for p, rows := range groups {
		(*into)[p] = append((*into)[p], a.statements(f, rows, kind, perRow)...)
	}
}

func (a *applier) shard(m *dialect.Mapping, r row.Row) int {
	if m.Placement.Kind == table.Broadcast {
		return -1
	}
	if shard, ok := a.Destination.Dialect().Shard(m, r); ok {
		return shard
	}
	return -1
}

func (a *applier) statements(f *fold, rows []row.Row, kind changeKind, perRow int64) []statement {
	d, m := a.Destination.Dialect(), f.mapping
	var texts []dialect.Statement
	switch kind {
	case kindDelete:
		texts = d.Delete(m, rows)
	case kindInsert:
		texts = d.Insert(m, rows)
	case kindUpsert:
		texts = d.Upsert(m, rows)
	case kindReplace:
		texts = d.Replace(m, rows)
	}
	out := make([]statement, 0, len(texts))
	for _, t := range texts {
		// A REPLACE may become several statements about the same rows; counted
		// statements have their own rows each.
		s := statement{sql: t.SQL, kind: kind, fold: f, rows: rows, expect: -1}
		if perRow > 0 {
			s.rows, rows = rows[:t.Rows], rows[t.Rows:]
			s.expect = perRow * int64(t.Rows)
		}
		out = append(out, s)
	}
	return out
}

// write writes both phases of a window; phase 1 of all lanes is committed
// before phase 2 begins. With an error it returns the items of the phase that
// failed and of those after it; what is not committed has left nothing behind.
func (a *applier) write(ctx context.Context, w *window, strict bool) (left []*item, err error) {
	phases := a.phases(w, strict)
	alone := a.marking(w, phases)
	for i, phase := range phases {
		if err := a.writePhase(ctx, phase); err != nil {
			return slices.Concat(phases[i:]...), err
		}
	}
	if err := a.writePhase(ctx, alone); err != nil {
		return nil, err
	}
	a.marked(slices.Concat(phases[0], phases[1], alone))
	return nil, nil
}

func (a *applier) writePhase(ctx context.Context, phase []*item) error {
	queue := make(chan *item, len(phase))
	for _, it := range phase {
		queue <- it
	}
	close(queue)
	// A failure cuts off no other lane, which would leave it open whether its
	// item is committed; they take no further ones.
	errs := make([]error, min(a.Lanes, len(phase)))
	var failed atomic.Bool
	var lanes sync.WaitGroup
	for lane := range errs {
		lanes.Go(func() {
			for it := range queue {
				if failed.Load() {
					return
				}
				if errs[lane] = a.writeItem(ctx, lane, it); errs[lane] != nil {
					failed.Store(true)
					return
				}
			}
		})
	}
	lanes.Wait()
	return weightiest(errs)
}

// weightiest returns the error that decides what is done next: another owner,
// then a divergence, which must not go under in a connection that was lost at
// the same time, then any.
func weightiest(errs []error) error {
	for _, counts := range []func(error) bool{
		func(err error) bool { return errors.Is(err, fault.Fenced) },
		isDivergence,
		func(err error) bool { return err != nil },
	} {
		if i := slices.IndexFunc(errs, counts); i >= 0 {
			return errs[i]
		}
	}
	return nil
}

// writeItem commits one item, trying again after deadlocks and lock waits.
func (a *applier) writeItem(ctx context.Context, lane int, it *item) error {
	for attempt := 1; ; attempt++ {
		began := time.Now()
		err := faultpoint.Around(ctx, "applier.write", func(ctx context.Context) error { return a.tryItem(ctx, lane, it) })
		if err == nil && a.Throttle != nil {
			return a.Throttle.Took(ctx, time.Since(began))
		}
		if err == nil || !a.isConflict(err) || attempt == maxConflicts {
			return err
		}
		if err := wait(ctx, time.Duration(attempt)*5*time.Millisecond); err != nil {
			return err
		}
	}
}

func (a *applier) tryItem(ctx context.Context, lane int, it *item) error {
	s, err := a.session(ctx, lane)
	if err != nil {
		return err
	}
	if err := s.Begin(ctx); err != nil {
		return fmt.Errorf("begin on lane %d: %w", lane, err)
	}
	if err := a.execute(ctx, s, it); err != nil {
		return errors.Join(err, s.Rollback(ctx))
	}
	if err := s.Commit(ctx); err != nil {
		it.unknown = true
		return fmt.Errorf("commit on lane %d: %w", lane, err)
	}
	it.committed = true
	return nil
}

func (a *applier) execute(ctx context.Context, s session, it *item) error {
	if err := a.guard(ctx, s, it.place); err != nil {
		return err
	}
	for _, st := range it.statements {
		affected, err := s.Exec(ctx, st.sql)
		if err != nil {
			return &statementError{statement: st, err: err}
		}
		if st.expect >= 0 && affected != st.expect {
			return &countError{statement: st, affected: affected}
		}
	}
	if it.marks {
		return a.mark(ctx, s, it.place)
	}
	return nil
}

func (a *applier) guard(ctx context.Context, s session, p place) error {
	return a.Fence.Guard(ctx, s, p.schema, p.shard)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
