package applier

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
)

// rules are what keeps apply and copy apart while both run. The real ones are
// sound; each of the others leaves one out.
type rules struct {
	// gate: no window beyond the low position of a claimed chunk.
	gate bool
	// seen: no window beyond what a SELECT on the source sees.
	seen bool
	// claimed: rows are read only when the claim with its low position can be seen.
	claimed bool
	// wholeTransaction: a window cut inside a transaction needs the transaction's end.
	wholeTransaction bool
	// fenced: what a lost attempt had read is never written after its chunk went back.
	fenced bool
}

var sound = rules{gate: true, seen: true, claimed: true, wholeTransaction: true, fenced: true}

// world is one schedule: a source whose binlog is ahead of its tables, two lanes
// that copy, and the applier beside them. Positions are numbers of transactions.
type world struct {
	rules
	rng *rand.Rand
	l   *life
	d   *memory
	// published transactions can be read from the binlog, visible ones are seen by SELECT.
	published, visible int

	chunks []*modelChunk
	lanes  [2]*modelChunk
	// late are rows of lost attempts that are still on their way.
	late []row.Row
	// deleteFirst: the destination holds rows of an earlier copy.
	deleteFirst bool

	applied    int // changes of the stream that are written
	checkpoint int // changes; always a transaction's end
	// writing is what is left of the window that is written, up to change until.
	writing []func()
	until   int
	// reached is the highest change that any attempt may have written.
	reached int
}

const modelChunks = 4

type modelChunk struct {
	no        int
	claimed   bool // seen by the gate
	attempted bool
	done      bool
	low       int // read before the claim
	begun     bool
	next      int // the id that is read next
	rows      []row.Row
}

// state is what SELECT sees after so many transactions.
func (w *world) state(transactions int) []row.Row {
	if transactions == 0 {
		return w.l.h.states[0]
	}
	return w.l.h.states[w.l.h.ends[transactions-1]]
}

// transactionOf returns the transaction that brings so many changes.
func (w *world) transactionOf(changes int) int {
	i, _ := slices.BinarySearch(w.l.h.ends, changes)
	if !w.wholeTransaction && i < len(w.l.h.ends) && w.l.h.ends[i] != changes {
		return i // forgets the half-read transaction
	}
	return i + 1
}

func newWorld(seed uint64, m *dialect.Mapping, r rules) *world {
	rng := rand.New(rand.NewPCG(seed, uint64(len(m.Unique))+40))
	w := &world{rules: r, rng: rng, l: newLife(rng, m), d: &memory{mapping: m}, deleteFirst: rng.IntN(4) == 0}
	for no := range modelChunks {
		w.chunks = append(w.chunks, &modelChunk{no: no})
	}
	rng.Shuffle(modelChunks, func(i, j int) { w.chunks[i], w.chunks[j] = w.chunks[j], w.chunks[i] })
	if w.deleteFirst {
		for id := range modelKeys {
			_ = w.d.insert(w.l.random(id))
		}
	}
	return w
}

// run lets the actors act in random order until nothing is left to do.
func (w *world) run() {
	for {
		switch w.rng.IntN(12) {
		case 0:
			w.published = min(w.published+1, len(w.l.h.ends))
		case 1:
			w.visible = min(w.visible+1, w.published)
		case 2, 3, 4, 5, 6:
			w.copy(w.rng.IntN(len(w.lanes)))
		default:
			w.apply()
		}
		if len(w.late) > 0 && w.rng.IntN(20) == 0 {
			w.write(w.late[0], true)
			w.late = w.late[1:]
		}
		if w.copied() && len(w.late) == 0 && w.applied == len(w.l.h.changes) && len(w.writing) == 0 {
			return
		}
	}
}

func (w *world) copied() bool {
	return !slices.ContainsFunc(w.chunks, func(c *modelChunk) bool { return !c.done })
}

// copy is the next step of a lane.
func (w *world) copy(lane int) {
	c := w.lanes[lane]
	switch {
	case c == nil:
		w.lanes[lane] = w.claim()
	case w.rng.IntN(15) == 0: // the lane is lost, its chunk goes back
		if !w.fenced {
			w.late = append(w.late, c.rows...)
		}
		*c = modelChunk{no: c.no, attempted: true}
		w.lanes[lane] = nil
	case !c.claimed && (w.rules.claimed || len(c.rows) > 0):
		c.claimed = true
	case !c.begun:
		if c.begun = true; w.deleteFirst {
			w.d.deleteIDs(c.no*2, c.no*2+1)
		}
	case len(c.rows) > 0:
		w.write(c.rows[0], c.attempted)
		c.rows = c.rows[1:]
	case c.next < 2: // read a part; the next part is read later
		id := num(c.no*2 + c.next)
		c.next++
		for _, r := range w.state(w.visible) {
			if same(r[colID], id) {
				c.rows = append(c.rows, r)
			}
		}
	default:
		c.done, w.lanes[lane] = true, nil
		w.reached = max(w.reached, w.changes(w.visible))
	}
}

func (w *world) changes(transactions int) int {
	if transactions == 0 {
		return 0
	}
	return w.l.h.ends[transactions-1]
}

func (w *world) claim() *modelChunk {
	for _, c := range w.chunks {
		if !c.done && !slices.Contains(w.lanes[:], c) {
			c.low = w.visible
			return c
		}
	}
	return nil
}

// write writes a copied row: INSERT, and REPLACE after a 1062 or a crash.
func (w *world) write(r row.Row, attempted bool) {
	if attempted || w.d.insert(r) != nil {
		w.d.replace(r)
	}
}

func (d *memory) deleteIDs(ids ...int) {
	for s := range d.shards {
		d.shards[s] = slices.DeleteFunc(d.shards[s], func(r row.Row) bool {
			id, _ := strconv.Atoi(string(r[colID]))
			return slices.Contains(ids, id)
		})
	}
}

// apply is the applier's next step: a statement of the window that is written,
// or the next window where the gate lets it pass.
func (w *world) apply() {
	if len(w.writing) > 0 || w.until > w.applied {
		w.writeOn()
		return
	}
	readable := w.changes(w.published)
	if w.applied >= readable {
		return
	}
	j := min(readable, w.applied+1+w.rng.IntN(5))
	if !w.passes(w.transactionOf(j)) {
		return
	}
	p := foldOf(w.l.m, w.l.h.changes[w.applied:j]).safe()
	w.until, w.reached = j, max(w.reached, j)
	w.rng.Shuffle(len(p.deletes), func(i, j int) { p.deletes[i], p.deletes[j] = p.deletes[j], p.deletes[i] })
	w.rng.Shuffle(len(p.replaces), func(i, j int) { p.replaces[i], p.replaces[j] = p.replaces[j], p.replaces[i] })
	for _, r := range p.deletes {
		w.writing = append(w.writing, func() { w.d.delete(r) })
	}
	for _, r := range p.replaces {
		w.writing = append(w.writing, func() { w.d.replace(r) })
	}
}

func (w *world) writeOn() {
	if w.rng.IntN(20) == 0 { // a crash: begin again at the checkpoint
		w.writing, w.applied, w.until = nil, w.checkpoint, w.checkpoint
		return
	}
	if len(w.writing) > 0 {
		w.writing[0]()
		w.writing = w.writing[1:]
	}
	if len(w.writing) == 0 {
		w.applied = w.until
		if at, ok := slices.BinarySearch(w.l.h.ends, w.applied); ok && w.rng.IntN(3) > 0 {
			w.checkpoint = w.l.h.ends[at]
		}
	}
}

func (w *world) passes(transaction int) bool {
	if w.seen && transaction > w.visible {
		return false
	}
	return !w.gate || !slices.ContainsFunc(w.chunks, func(c *modelChunk) bool {
		return c.claimed && !c.done && c.low < transaction
	})
}

func (w *world) equal() bool {
	return slices.Equal(texts(w.l.h.states[len(w.l.h.changes)]), w.d.all())
}

// TestRule2_ApplyDuringCopyConvergesBehindTheGate: lanes copy in parts at
// different moments, are lost and begin again; the stream is applied beside
// them in windows that are cut anywhere, with crashes and rewinds, on sharded
// destinations with up to two secondary unique keys, empty or not. In the end
// the destination equals the source.
func TestRule2_ApplyDuringCopyConvergesBehindTheGate(t *testing.T) {
	for uniques := range 3 {
		m := modelMapping(uniques)
		for seed := range uint64(2000) {
			w := newWorld(seed, m, sound)
			w.run()
			require.Equal(t, texts(w.l.h.states[len(w.l.h.changes)]), w.d.all(), "seed %d, %d unique keys", seed, uniques)
		}
	}
}

// TestRule2_EachPartOfTheGateIsNeeded shows that the test above can fail.
func TestRule2_EachPartOfTheGateIsNeeded(t *testing.T) {
	for name, drop := range map[string]func(*rules){
		"no gate":                             func(r *rules) { r.gate, r.seen = false, false },
		"visible only":                        func(r *rules) { r.gate = false },
		"binlog ahead of the tables":          func(r *rules) { r.seen = false },
		"rows read before the claim":          func(r *rules) { r.claimed = false },
		"end of a cut transaction not waited": func(r *rules) { r.wholeTransaction = false },
		"lost attempts still write":           func(r *rules) { r.fenced = false },
	} {
		t.Run(name, func(t *testing.T) {
			r := sound
			drop(&r)
			m := modelMapping(1)
			diverged := 0
			for seed := range uint64(1000) {
				if w := newWorld(seed, m, r); w.diverges() {
					diverged++
				}
			}
			t.Logf("%d of 1000 schedules diverge", diverged)
			require.Positive(t, diverged)
		})
	}
}

func (w *world) diverges() bool {
	w.run()
	return !w.equal()
}
