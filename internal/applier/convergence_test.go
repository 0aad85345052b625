package applier

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// The model: a source table (id primary key, v and w unique, s shard key, x),
// random histories with key changes, swaps and NULLs, and a destination whose
// unique keys hold only inside each shard. The folding code is the real one.
const (
	colID = iota
	colV
	colW
	colS
	colX
	modelShards = 3
	modelKeys   = 8
)

func modelMapping(uniques int) *dialect.Mapping {
	m := &dialect.Mapping{
		Source:   &table.Table{Engine: "InnoDB"},
		Primary:  []int{colID},
		ShardKey: []int{colS},
		Identity: []int{colID, colS},
		Unique:   [][]int{{colID}, {colV}, {colW}}[:1+uniques],
	}
	for i := range 5 {
		m.Pairs = append(m.Pairs, dialect.Pair{Source: i, Destination: i})
		m.Source.Columns = append(m.Source.Columns, table.Column{Name: string("ivwsx"[i]), Type: table.TypeInt, Bits: 64, Nullable: true})
	}
	m.Destination = m.Source
	m.SecondaryUnique = uniques > 0
	return m
}

// memory is a destination in memory.
type memory struct {
	mapping *dialect.Mapping
	shards  [modelShards][]row.Row
}

func (d *memory) shard(r row.Row) *[]row.Row {
	s, _ := strconv.Atoi(string(r[colS]))
	return &d.shards[s%modelShards]
}

func (d *memory) conflicts(a, b row.Row) bool {
	return slices.ContainsFunc(d.mapping.Unique, func(key []int) bool {
		return a[key[0]] != nil && same(a[key[0]], b[key[0]])
	})
}

func (d *memory) insert(r row.Row) error {
	rows := d.shard(r)
	for _, have := range *rows {
		if d.conflicts(have, r) {
			return fmt.Errorf("1062: %s against %s", show(r), show(have))
		}
	}
	*rows = append(*rows, r)
	return nil
}

func (d *memory) replace(r row.Row) {
	rows := d.shard(r)
	*rows = slices.DeleteFunc(*rows, func(have row.Row) bool { return d.conflicts(have, r) })
	*rows = append(*rows, r)
}

// upsert reports affected rows as MySQL does: 1 inserted, 2 changed, 0 as it was.
func (d *memory) upsert(r row.Row) int {
	rows := d.shard(r)
	for i, have := range *rows {
		if d.conflicts(have, r) {
			changed := have.Clone()
			for _, c := range []int{colV, colW, colX} {
				changed[c] = r[c]
			}
			if changed.Equal(have) {
				return 0
			}
			(*rows)[i] = changed
			return 2
		}
	}
	*rows = append(*rows, r)
	return 1
}

func (d *memory) delete(r row.Row) int {
	rows := d.shard(r)
	before := len(*rows)
	*rows = slices.DeleteFunc(*rows, func(have row.Row) bool { return same(have[colID], r[colID]) && same(have[colS], r[colS]) })
	return before - len(*rows)
}

func (d *memory) all() []string {
	var out []string
	for _, rows := range d.shards {
		for _, r := range rows {
			out = append(out, show(r))
		}
	}
	slices.Sort(out)
	return out
}

func show(r row.Row) string {
	parts := make([]string, len(r))
	for i, v := range r {
		parts[i] = "NULL"
		if v != nil {
			parts[i] = string(v)
		}
	}
	return strings.Join(parts, " ")
}

// history is a source's life: every change and the rows after each of them.
type history struct {
	changes []row.Change
	states  [][]row.Row // states[i] is before changes[i]
	// ends are the numbers of changes at which a transaction ends.
	ends []int
}

type life struct {
	rng  *rand.Rand
	m    *dialect.Mapping
	rows map[string]row.Row
	h    history
}

func newLife(rng *rand.Rand, m *dialect.Mapping) *life {
	l := &life{rng: rng, m: m, rows: map[string]row.Row{}}
	for id := range modelKeys {
		if r := l.random(id); rng.Float64() < 0.6 && l.free(r, "") {
			l.rows[string(r[colID])] = r
		}
	}
	l.h.states = append(l.h.states, l.snapshot())
	for len(l.h.changes) < 25 {
		for range 1 + rng.IntN(3) {
			l.step()
		}
		l.h.ends = append(l.h.ends, len(l.h.changes))
	}
	return l
}

func num(n int) row.Value { return row.Value(strconv.Itoa(n)) }

func (l *life) random(id int) row.Row {
	v := num(l.rng.IntN(modelKeys))
	if l.rng.IntN(8) == 0 {
		v = nil
	}
	return row.Row{num(id), v, num(l.rng.IntN(modelKeys + 2)), num(l.rng.IntN(6)), num(l.rng.IntN(1000))}
}

// free says whether the source's global unique keys allow the row.
func (l *life) free(r row.Row, except string) bool {
	for id, have := range l.rows {
		if id == except {
			continue
		}
		for _, key := range l.m.Unique {
			if r[key[0]] != nil && same(have[key[0]], r[key[0]]) {
				return false
			}
		}
	}
	return true
}

func (l *life) ids() []string {
	out := []string{}
	for id := range l.rows {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

func (l *life) change(c row.Change) {
	if c.Before != nil {
		delete(l.rows, string(c.Before[colID]))
	}
	if c.After != nil {
		l.rows[string(c.After[colID])] = c.After
	}
	l.h.changes = append(l.h.changes, c)
	l.h.states = append(l.h.states, l.snapshot())
}

func (l *life) update(id string, column int, v row.Value) {
	before := l.rows[id]
	after := before.Clone()
	after[column] = v
	if !after.Equal(before) && l.free(after, id) {
		l.change(row.Change{Op: row.Update, Before: before, After: after})
	}
}

func (l *life) step() {
	ids := l.ids()
	if len(ids) < 2 {
		if r := l.random(l.rng.IntN(modelKeys)); l.rows[string(r[colID])] == nil && l.free(r, "") {
			l.change(row.Change{Op: row.Insert, After: r})
		}
		return
	}
	id := ids[l.rng.IntN(len(ids))]
	switch p := l.rng.Float64(); {
	case p < 0.2:
		if r := l.random(l.rng.IntN(modelKeys)); l.rows[string(r[colID])] == nil && l.free(r, "") {
			l.change(row.Change{Op: row.Insert, After: r})
		}
	case p < 0.35:
		l.change(row.Change{Op: row.Delete, Before: l.rows[id]})
	case p < 0.55:
		l.update(id, colX, num(l.rng.IntN(1000)))
	case p < 0.65:
		l.update(id, colV, num(l.rng.IntN(modelKeys)))
	case p < 0.72:
		l.update(id, colW, num(l.rng.IntN(modelKeys+2)))
	case p < 0.8:
		if to := num(l.rng.IntN(modelKeys)); l.rows[string(to)] == nil {
			l.update(id, colID, to)
		}
	case p < 0.9:
		l.update(id, colS, num(l.rng.IntN(6)))
	default: // swap v of two rows
		other := ids[l.rng.IntN(len(ids))]
		if a, b := l.rows[id][colV], l.rows[other][colV]; other != id {
			l.update(id, colV, nil)
			l.update(other, colV, a)
			l.update(id, colV, b)
		}
	}
}

func (l *life) snapshot() []row.Row {
	out := []row.Row{}
	for _, id := range l.ids() {
		out = append(out, l.rows[id])
	}
	return out
}

func texts(rows []row.Row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, show(r))
	}
	slices.Sort(out)
	return out
}

func foldOf(m *dialect.Mapping, changes []row.Change) *fold {
	f := newFold(m)
	for _, c := range changes {
		f.add(c)
	}
	return f
}

// shuffled executes deletions then writes, each in random order as lanes would,
// and gives up after limit statements (limit < 0: never), like a crash.
func (d *memory) safe(rng *rand.Rand, p plan, limit int) {
	rng.Shuffle(len(p.deletes), func(i, j int) { p.deletes[i], p.deletes[j] = p.deletes[j], p.deletes[i] })
	rng.Shuffle(len(p.replaces), func(i, j int) { p.replaces[i], p.replaces[j] = p.replaces[j], p.replaces[i] })
	for _, r := range p.deletes {
		if limit == 0 {
			return
		}
		limit--
		d.delete(r)
	}
	for _, r := range p.replaces {
		if limit == 0 {
			return
		}
		limit--
		d.replace(r)
	}
}

// TestRule4_SafeModeConverges: chunks are copied at different moments, the
// stream is replayed from before all of them, with windows cut anywhere, crashes
// inside windows and rewinds; in the end the destination equals the source.
func TestRule4_SafeModeConverges(t *testing.T) {
	for uniques := range 3 {
		m := modelMapping(uniques)
		for seed := range uint64(1500) {
			rng := rand.New(rand.NewPCG(seed, uint64(uniques)))
			l := newLife(rng, m)
			d := &memory{mapping: m}
			copyEnd := 0
			for _, chunk := range rng.Perm(4) {
				at := rng.IntN(len(l.h.states))
				copyEnd = max(copyEnd, at)
				for _, r := range l.h.states[at] {
					if id, _ := strconv.Atoi(string(r[colID])); id/2 == chunk {
						d.replace(r)
					}
				}
			}
			reached := copyEnd
			for i := 0; i < len(l.h.changes); {
				j := min(len(l.h.changes), i+1+rng.IntN(5))
				p := foldOf(m, l.h.changes[i:j]).safe()
				if rng.Float64() < 0.3 {
					d.safe(rng, p, rng.IntN(6))
					reached = max(reached, j)
					i = max(0, i-rng.IntN(6))
					continue
				}
				d.safe(rng, p, -1)
				i = j
				if i >= reached {
					require.Equal(t, texts(l.h.states[i]), d.all(), "seed %d, %d unique keys, after change %d", seed, uniques, i)
				}
			}
			require.Equal(t, texts(l.h.states[len(l.h.changes)]), d.all(), "seed %d, %d unique keys", seed, uniques)
		}
	}
}

// TestRule5And6_StrictNetFoldCountsExactly: from an equal destination each
// strict window makes it equal again, and each row's count is as expected.
func TestRule5And6_StrictNetFoldCountsExactly(t *testing.T) {
	for uniques := range 3 {
		m := modelMapping(uniques)
		for seed := range uint64(1500) {
			rng := rand.New(rand.NewPCG(seed, uint64(uniques)+10))
			l := newLife(rng, m)
			d := &memory{mapping: m}
			for _, r := range l.h.states[0] {
				require.NoError(t, d.insert(r))
			}
			for i := 0; i < len(l.h.changes); {
				j := min(len(l.h.changes), i+1+rng.IntN(5))
				p := foldOf(m, l.h.changes[i:j]).strict()
				for _, rows := range [][]row.Row{p.deletes, p.inserts, p.upserts} {
					rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
				}
				for _, r := range p.deletes {
					require.Equal(t, 1, d.delete(r), "seed %d: delete %s", seed, show(r))
				}
				for _, r := range p.inserts {
					require.NoError(t, d.insert(r), "seed %d", seed)
				}
				for _, r := range p.upserts {
					require.Equal(t, 2, d.upsert(r), "seed %d: upsert %s", seed, show(r))
				}
				i = j
				require.Equal(t, texts(l.h.states[i]), d.all(), "seed %d, %d unique keys, after change %d", seed, uniques, i)
			}
		}
	}
}

// TestRule5_LiteralFoldDiverges shows that the test above can fail: a fold that
// forgets the first before image loses the deletion of a moved identity's old
// unique value.
func TestRule5_LiteralFoldDiverges(t *testing.T) {
	m := modelMapping(2)
	diverged := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 99))
		l := newLife(rng, m)
		d := &memory{mapping: m}
		for _, r := range l.h.states[0] {
			require.NoError(t, d.insert(r))
		}
		for i := 0; i < len(l.h.changes); {
			j := min(len(l.h.changes), i+1+rng.IntN(5))
			f := foldOf(m, l.h.changes[i:j])
			for _, e := range f.effects {
				if e.after != nil {
					d.upsert(e.after)
				} else {
					d.delete(e.image)
				}
			}
			i = j
		}
		if !slices.Equal(texts(l.h.states[len(l.h.changes)]), d.all()) {
			diverged++
		}
	}
	require.Positive(t, diverged)
}

// TestRule4_AnySuffixReplayedConverges: with the destination at the end of the
// history, the stream is replayed from every change in turn, in windows that
// are cut anywhere; each replay ends at the same rows.
func TestRule4_AnySuffixReplayedConverges(t *testing.T) {
	for uniques := range 3 {
		m := modelMapping(uniques)
		for seed := range uint64(150) {
			rng := rand.New(rand.NewPCG(seed, uint64(uniques)+70))
			l := newLife(rng, m)
			d := &memory{mapping: m}
			end := len(l.h.changes)
			for _, r := range l.h.states[end] {
				require.NoError(t, d.insert(r))
			}
			for from := range end {
				for i := from; i < end; {
					j := min(end, i+1+rng.IntN(6))
					d.safe(rng, foldOf(m, l.h.changes[i:j]).safe(), -1)
					i = j
				}
				require.Equal(t, texts(l.h.states[end]), d.all(), "seed %d, %d unique keys, from change %d", seed, uniques, from)
			}
		}
	}
}
