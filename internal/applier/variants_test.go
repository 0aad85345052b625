package applier

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/row"
)

// The rows of the convergence table (shared/reference/bench/convergence): which
// forms of copy and replay end equal to the source, with the real fold. What the
// engine does are D and I (safe mode) and the net fold (strict mode); the others
// show that the schedules here are able to break a form that is wrong.

var errDuplicate = errors.New("1062")

// formWrite is how one row is written.
type formWrite func(d *memory, r row.Row) error

func writeInsert(d *memory, r row.Row) error {
	if d.insert(r) != nil {
		return errDuplicate
	}
	return nil
}

func writeReplace(d *memory, r row.Row) error { d.replace(r); return nil }

// writeUpsert is INSERT … ON DUPLICATE KEY UPDATE of all columns but id and s:
// the first row that conflicts takes the new values.
func writeUpsert(columns ...int) formWrite {
	return func(d *memory, r row.Row) error {
		rows := d.shard(r)
		at := slices.IndexFunc(*rows, func(have row.Row) bool { return d.conflicts(have, r) })
		if at < 0 {
			*rows = append(*rows, r)
			return nil
		}
		changed := (*rows)[at].Clone()
		for _, c := range columns {
			changed[c] = r[c]
		}
		for i, have := range *rows {
			if i != at && d.conflicts(have, changed) {
				return errDuplicate
			}
		}
		(*rows)[at] = changed
		return nil
	}
}

// formFold is what a window deletes and writes.
type formFold func(f *fold) (deletes, writes []row.Row)

func foldSafe(f *fold) (deletes, writes []row.Row) {
	p := f.safe()
	return p.deletes, p.replaces
}

// foldAll deletes whatever it touches.
func foldAll(f *fold) (deletes, writes []row.Row) {
	for _, e := range f.effects {
		deletes = append(deletes, e.image)
		if e.after != nil {
			writes = append(writes, e.after)
		}
	}
	return deletes, writes
}

func foldNet(f *fold) (deletes, writes []row.Row) {
	p := f.strict()
	return p.deletes, slices.Concat(p.inserts, p.upserts)
}

// variant is one schedule over one form.
type variant struct {
	rng   *rand.Rand
	h     history
	d     *memory
	copy  formWrite
	fold  formFold
	write formWrite
	most  int // changes in a window
}

// window applies changes, in random order within the phases; limit is the number
// of statements before a crash, -1 for none.
func (v *variant) window(from, to, limit int) error {
	deletes, writes := v.fold(foldOf(v.d.mapping, v.h.changes[from:to]))
	for _, rows := range [][]row.Row{deletes, writes} {
		slices.SortFunc(rows, func(a, b row.Row) int { return compareKeys(a, b, v.d.mapping.Identity) }) // maps have no order
		v.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	for _, r := range deletes {
		if limit == 0 {
			return nil
		}
		limit--
		v.d.delete(r)
	}
	for _, r := range writes {
		if limit == 0 {
			return nil
		}
		limit--
		if err := v.write(v.d, r); err != nil {
			return err
		}
	}
	return nil
}

func (v *variant) next(from int) int { return min(len(v.h.changes), from+1+v.rng.IntN(v.most)) }

// chunk returns the rows of a quarter of the keys as of a moment.
func (v *variant) chunk(no, at int) []row.Row {
	var out []row.Row
	for _, r := range v.h.states[at] {
		if id, _ := strconv.Atoi(string(r[colID])); id/2 == no {
			out = append(out, r)
		}
	}
	return out
}

func (v *variant) copyRows(rows []row.Row) error {
	for _, r := range rows {
		if err := v.copy(v.d, r); err != nil {
			return err
		}
	}
	return nil
}

// afterCopy copies chunks at different moments, then replays everything; with
// crashes windows are left half-written and read again from further back.
func (v *variant) afterCopy(crashes bool) error {
	for _, no := range v.rng.Perm(4) {
		if err := v.copyRows(v.chunk(no, v.rng.IntN(len(v.h.states)))); err != nil {
			return err
		}
	}
	for i := 0; i < len(v.h.changes); {
		j := v.next(i)
		if crashes && v.rng.IntN(3) == 0 {
			if err := v.window(i, j, v.rng.IntN(6)); err != nil {
				return err
			}
			i = max(0, i-v.rng.IntN(4))
			continue
		}
		if err := v.window(i, j, -1); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// duringCopy replays beside the copy, behind the low positions or not.
func (v *variant) duringCopy(gate bool) error {
	type reading struct {
		low  int
		rows []row.Row
	}
	now, applied, todo := 0, 0, v.rng.Perm(4)
	var open []reading
	for len(todo) > 0 || len(open) > 0 || applied < len(v.h.changes) {
		switch p := v.rng.IntN(10); {
		case p < 3 && now < len(v.h.changes):
			now++
		case p < 5 && len(todo) > 0 && len(open) < 2:
			open = append(open, reading{now, v.chunk(todo[0], now)})
			todo = todo[1:]
		case p < 7 && len(open) > 0:
			i := v.rng.IntN(len(open))
			if err := v.copyRows(open[i].rows); err != nil {
				return err
			}
			open = slices.Delete(open, i, i+1)
		default:
			limit := now
			for _, r := range open {
				if gate {
					limit = min(limit, r.low)
				}
			}
			if j := min(limit, v.next(applied)); j > applied {
				if err := v.window(applied, j, -1); err != nil {
					return err
				}
				applied = j
			}
		}
		if len(todo) == 0 && len(open) == 0 {
			now = len(v.h.changes)
		}
	}
	return nil
}

// strictFrom starts equal and has to be equal after each window.
func (v *variant) strictFrom() error {
	for _, r := range v.h.states[0] {
		if err := writeInsert(v.d, r); err != nil {
			return err
		}
	}
	for i := 0; i < len(v.h.changes); {
		j := v.next(i)
		if err := v.window(i, j, -1); err != nil {
			return err
		}
		if i = j; !slices.Equal(texts(v.h.states[i]), v.d.all()) {
			return errors.New("diverged")
		}
	}
	return nil
}

// TestConvergence_RowsOfTheTable runs each row with 0 to 2 secondary unique keys
// on one shard and on three.
func TestConvergence_RowsOfTheTable(t *testing.T) {
	after := func(v *variant) error { return v.afterCopy(false) }
	crashing := func(v *variant) error { return v.afterCopy(true) }
	ungated := func(v *variant) error { return v.duringCopy(false) }
	gated := func(v *variant) error { return v.duringCopy(true) }
	upsert, upsertID := writeUpsert(colV, colW, colX), writeUpsert(colID, colV, colW, colX)
	const never, always, withUniques = 0, 1, 2 // when it fails
	for _, c := range []struct {
		name  string
		copy  formWrite
		fold  formFold
		write formWrite
		most  int
		run   func(*variant) error
		fails int
	}{
		{"A copy INSERT, fold last, ODKU", writeInsert, foldSafe, upsert, 4, after, withUniques},
		{"A1 the same, windows of one change", writeInsert, foldSafe, upsert, 1, after, withUniques},
		{"B copy ODKU, fold last, ODKU", upsert, foldSafe, upsert, 4, after, withUniques},
		{"B2 copy REPLACE, fold last, ODKU", writeReplace, foldSafe, upsert, 4, after, withUniques},
		{"B3 copy REPLACE, fold last, ODKU of the key too", writeReplace, foldSafe, upsertID, 4, after, withUniques},
		{"C copy REPLACE, delete all touched, INSERT", writeReplace, foldAll, writeInsert, 4, after, withUniques},
		{"D copy REPLACE, fold last, REPLACE", writeReplace, foldSafe, writeReplace, 4, after, never},
		{"E copy REPLACE, delete all touched, REPLACE", writeReplace, foldAll, writeReplace, 4, after, never},
		{"F during the copy without the gate", writeReplace, foldAll, writeReplace, 4, ungated, always},
		{"G during the copy behind the gate", writeReplace, foldAll, writeReplace, 4, gated, never},
		{"H during the copy, copy plain INSERT", writeInsert, foldAll, writeReplace, 4, gated, always},
		{"I during the copy, fold last", writeReplace, foldSafe, writeReplace, 4, gated, never},
		{"restarts, delete all touched, REPLACE", writeReplace, foldAll, writeReplace, 3, crashing, never},
		{"restarts, fold last, REPLACE", writeReplace, foldSafe, writeReplace, 3, crashing, never},
		{"strict, fold last, ODKU", nil, foldSafe, upsert, 4, (*variant).strictFrom, withUniques},
		{"strict, net fold, ODKU", nil, foldNet, upsert, 4, (*variant).strictFrom, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			broken := 0
			for uniques := range 3 {
				for _, shards := range []int{1, modelShards} {
					failures := 0
					var first error
					for seed := range uint64(60) {
						v := &variant{
							rng: rand.New(rand.NewPCG(seed, uint64(10*uniques+shards))),
							d:   &memory{mapping: modelMapping(uniques)}, copy: c.copy, fold: c.fold, write: c.write, most: c.most,
						}
						v.h = onShards(newLife(v.rng, v.d.mapping).h, shards)
						err := c.run(v)
						if err == nil && !slices.Equal(texts(v.h.states[len(v.h.changes)]), v.d.all()) {
							err = errors.New("diverged")
						}
						if err != nil {
							failures++
							first = errors.Join(first, fmt.Errorf("seed %d: %w", seed, err))
						}
					}
					where := fmt.Sprintf("%d secondary unique keys, %d shards: %d failures", uniques, shards, failures)
					switch {
					case c.fails == always || c.fails == withUniques && uniques > 0:
						broken += failures
					case c.fails == never || shards == 1:
						require.NoError(t, first, where)
					default: // two shard keys of one shard may meet in the primary key
					}
				}
			}
			require.Equal(t, c.fails != never, broken > 0, "%d failures", broken)
		})
	}
}

// onShards puts every row on one shard when there is only one.
func onShards(h history, shards int) history {
	if shards > 1 {
		return h
	}
	flat := func(r row.Row) row.Row {
		if r == nil {
			return nil
		}
		r = r.Clone()
		r[colS] = num(0)
		return r
	}
	out := history{ends: h.ends}
	for _, c := range h.changes {
		out.changes = append(out.changes, row.Change{Op: c.Op, Before: flat(c.Before), After: flat(c.After)})
	}
	for _, state := range h.states {
		rows := []row.Row{}
		for _, r := range state {
			rows = append(rows, flat(r))
		}
		out.states = append(out.states, rows)
	}
	return out
}
