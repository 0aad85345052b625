package applier

import (
	"bytes"
	"slices"

	"shardlift/internal/binlog"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/row"
)

// effect is what a window does to one identity. A nil image means that the
// identity is absent: before is the state at the window's start, after the one
// at its end.
type effect struct {
	before row.Row
	after  row.Row
	// image is any image of the identity: it names the row when both are nil.
	image row.Row
}

// fold holds the net effects of a window on one table.
type fold struct {
	mapping *dialect.Mapping
	effects map[string]*effect
	bytes   int
}

func newFold(m *dialect.Mapping) *fold {
	return &fold{mapping: m, effects: map[string]*effect{}}
}

// add folds one change in. Images are taken over, not copied.
func (f *fold) add(c row.Change) {
	if c.Before != nil {
		c.Before = f.mapping.Canonical(c.Before)
	}
	if c.After != nil {
		c.After = f.mapping.Canonical(c.After)
	}
	if c.Op == row.Update && f.key(c.Before) == f.key(c.After) {
		f.end(c.Before, c.After)
		return
	}
	if c.Before != nil {
		f.end(c.Before, nil)
	}
	if c.After != nil {
		f.begin(c.After)
	}
}

// end notes that the identity of before, which was present, becomes after.
func (f *fold) end(before, after row.Row) {
	e := f.effects[f.key(before)]
	if e == nil {
		e = &effect{before: before, image: before}
		f.put(e)
	}
	e.after = after
	f.bytes += after.Size()
}

// begin notes that the identity of after, which was absent, is present.
func (f *fold) begin(after row.Row) {
	e := f.effects[f.key(after)]
	if e == nil {
		e = &effect{image: after}
		f.put(e)
	}
	e.after = after
	f.bytes += after.Size()
}

func (f *fold) put(e *effect) {
	f.effects[f.key(e.image)] = e
	f.bytes += e.image.Size() + 100
}

func (f *fold) key(r row.Row) string { return r.Key(f.mapping.Identity) }

// plan is what the two phases write. Phase 1: deletes. Phase 2: the rest.
type plan struct {
	deletes  []row.Row
	inserts  []row.Row
	upserts  []row.Row
	replaces []row.Row
}

// safe is the plan that sets states whatever the destination holds (rule 4).
func (f *fold) safe() plan {
	var p plan
	for _, e := range f.effects {
		if e.after == nil {
			p.deletes = append(p.deletes, e.image)
		} else {
			p.replaces = append(p.replaces, e.after)
		}
	}
	f.sort(p)
	return p
}

// strict is the plan that makes exactly the net changes, so that each row's
// count is known: insert 1, delete 1, upsert 2 (rule 6). An identity whose
// unique columns change is deleted and inserted, because another row of the
// window may take over its old value (rule 5).
func (f *fold) strict() plan {
	var p plan
	for _, e := range f.effects {
		switch {
		case e.before == nil && e.after == nil:
		case e.before == nil:
			p.inserts = append(p.inserts, e.after)
		case e.after == nil:
			p.deletes = append(p.deletes, e.before)
		case f.keysDiffer(e):
			p.deletes = append(p.deletes, e.before)
			p.inserts = append(p.inserts, e.after)
		default:
			f.change(&p, e)
		}
	}
	f.sort(p)
	return p
}

// change plans an effect that leaves a row of the same keys. It is an upsert
// unless its count would not be known (dialect.Mapping.Changes) or the upsert
// would change more than it says (Rewrite).
func (f *fold) change(p *plan, e *effect) {
	written, surely := f.mapping.Changes(e.before, e.after)
	switch {
	case !written:
	case surely && !f.mapping.Rewrite:
		p.upserts = append(p.upserts, e.after)
	default:
		p.deletes = append(p.deletes, e.before)
		p.inserts = append(p.inserts, e.after)
	}
}

// keysDiffer says whether any column of any unique index of either side changes
// its bytes; the shard key is part of the identity and cannot.
func (f *fold) keysDiffer(e *effect) bool {
	for _, key := range f.mapping.Unique {
		for _, c := range key {
			if !same(e.before[c], e.after[c]) {
				return true
			}
		}
	}
	return false
}

func same(a, b row.Value) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// sort puts rows in the order of their identities, so that transactions that
// meet take locks in one order.
func (f *fold) sort(p plan) {
	for _, rows := range [][]row.Row{p.deletes, p.inserts, p.upserts, p.replaces} {
		slices.SortFunc(rows, func(a, b row.Row) int { return compareKeys(a, b, f.mapping.Identity) })
	}
}

func compareKeys(a, b row.Row, columns []int) int {
	for _, c := range columns {
		// Shorter first, so that numbers of one sign come in their own order.
		if d := len(a[c]) - len(b[c]); d != 0 {
			return d
		}
		if d := bytes.Compare(a[c], b[c]); d != 0 {
			return d
		}
	}
	return 0
}

// logged refuses rows whose images lack a column that the destination stores:
// it would become NULL.
func logged(ev binlog.Event, m *dialect.Mapping) error {
	for _, p := range m.Pairs {
		if slices.Contains(ev.Missing, p.Source) {
			return fault.VirtualUnlogged.New(m.Destination.Name.String()+"."+m.Destination.Columns[p.Destination].Name, "")
		}
	}
	return nil
}
