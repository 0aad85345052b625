package activities

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
)

// played is a copy as foretell sees it: tables whose chunks lanes take one after
// the other, on a server whose speed sways.
type played struct {
	tables []playedTable
	lanes  int
	// rows is how many rows a lane copies in a second, each what a chunk takes
	// besides its rows, ramp how long the lanes take to begin.
	rows       float64
	each, ramp float64 // the lanes begin within two seconds after ramp
	sway       float64
}

type playedTable struct{ rows, estimated, chunk int64 }

// worst returns how far the remaining time was off at most, as a part of the
// whole time, looked at every two seconds after a tenth of the rows, and how many
// seconds the copy took.
func (c played) worst(rng *rand.Rand) (float64, int) {
	type end struct {
		table int
		rows  int64
	}
	at, took := map[int][]end{}, 0
	free := make([]float64, c.lanes)
	for i := range free {
		free[i] = c.ramp + 2*rng.Float64()
	}
	p := contract.CopyProgress{}
	chunks, done, rowsOf := make([]int, len(c.tables)), make([]int, len(c.tables)), make([]int64, len(c.tables))
	total := int64(0)
	for n, t := range c.tables {
		total, p.RowsEstimated = total+t.rows, p.RowsEstimated+t.estimated
		for left := t.rows; left > 0 || chunks[n] == 0; left -= t.chunk {
			lane := 0
			for i := range free {
				if free[i] < free[lane] {
					lane = i
				}
			}
			rows := max(min(left, t.chunk), 0)
			free[lane] += (c.each + float64(rows)/c.rows) * (1 - c.sway/2 + c.sway*rng.Float64())
			second := int(free[lane])
			at[second] = append(at[second], end{n, rows})
			chunks[n]++
			took = max(took, second)
		}
		p.Chunks += chunks[n]
	}
	f, worst := &foretell{}, 0.0
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for second := range took {
		for _, e := range at[second] {
			p.RowsDone, p.ChunksDone = p.RowsDone+e.rows, p.ChunksDone+1
			done[e.table]++
			rowsOf[e.table] += e.rows
		}
		if second%2 != 0 {
			continue
		}
		p.RowsExpected = 0
		for n, t := range c.tables { // as checkpoint.Store.Progress sums them
			if done[n] > 0 {
				p.RowsExpected += rowsOf[n] * int64(chunks[n]) / int64(done[n])
			} else {
				p.RowsExpected += t.estimated
			}
		}
		told := f.remaining(began.Add(time.Duration(second)*time.Second), p)
		if p.RowsDone*10 < total || p.ChunksDone == p.Chunks {
			continue
		}
		off := (told.Seconds() + float64(second-took)) / float64(took)
		worst = max(worst, off, -off)
	}
	return worst, took
}

// TestForetell_ErrsByLessThan15PercentAfterATenth: what a copy looks like to it,
// in simulation. The last is harder, and its bound says so.
func TestForetell_ErrsByLessThan15PercentAfterATenth(t *testing.T) {
	one := func(rows, estimated int64) []playedTable { return []playedTable{{rows, estimated, 25_000}} }
	many := func(n int, rows int64, then ...playedTable) []playedTable {
		var out []playedTable
		for range n {
			out = append(out, playedTable{rows, rows, 25_000})
		}
		return append(out, then...)
	}
	usual := played{lanes: 4, rows: 25_000, each: 0.02, ramp: 5, sway: 0.6}
	for _, c := range []struct {
		name   string
		tables []playedTable
		change func(*played)
		bound  float64
	}{
		{"200 chunks", one(5_000_000, 5_000_000), nil, 0.15},
		{"1000 chunks", one(25_000_000, 25_000_000), nil, 0.15},
		{"20,000 chunks", one(500_000_000, 500_000_000), nil, 0.15},
		{"slow lanes", one(5_000_000, 5_000_000), func(p *played) { p.rows = 1250 }, 0.15},
		{"lanes that take long to begin", one(5_000_000, 5_000_000), func(p *played) { p.ramp = 30 }, 0.15},
		{"the server's estimate is 40 % too low", one(25_000_000, 15_000_000), nil, 0.15},
		{"the server's estimate is 40 % too high", one(25_000_000, 35_000_000), nil, 0.15},
		{"tables alike", many(50, 500_000), nil, 0.15},
		{"small tables first", many(2000, 20, playedTable{20_000_000, 20_000_000, 25_000}), nil, 0.15},
		{"small tables last", append(one(20_000_000, 20_000_000), many(2000, 20)...), nil, 0.15},
		{"wide rows first", []playedTable{{2_000_000, 2_000_000, 2000}, {20_000_000, 20_000_000, 25_000}}, nil, 0.15},
		{"small tables first, chunks that cost twice as much", many(2000, 20, playedTable{20_000_000, 20_000_000, 25_000}), func(p *played) { p.each = 0.04 }, 0.15},
		{"a large table last whose estimate is half", many(50, 100_000, playedTable{5_000_000, 2_500_000, 25_000}), nil, 0.35},
	} {
		p := usual
		p.tables = c.tables
		if c.change != nil {
			c.change(&p)
		}
		for seed := range uint64(5) {
			worst, took := p.worst(rand.New(rand.NewPCG(7, seed)))
			t.Logf("%s: in %d s at most %.1f %% off", c.name, took, 100*worst)
			require.Less(t, worst, c.bound, c.name)
		}
	}
}

func TestForetell_SaysNothingBeforeItKnows(t *testing.T) {
	f := &foretell{}
	at := time.Now()
	p := func(rows int64, chunks int) contract.CopyProgress {
		return contract.CopyProgress{RowsDone: rows, RowsExpected: 40_000, ChunksDone: chunks, Chunks: 4}
	}
	tell := func(after time.Duration, rows int64, chunks int) time.Duration {
		return f.remaining(at.Add(after), p(rows, chunks))
	}
	require.Zero(t, tell(0, 0, 0))
	require.Zero(t, tell(time.Minute, 10_000, 1), "the lanes began")
	require.Zero(t, tell(61*time.Second, 20_000, 2))
	require.Equal(t, time.Second, tell(62*time.Second, 30_000, 3))
	f = &foretell{}
	p = func(rows int64, chunks int) contract.CopyProgress {
		return contract.CopyProgress{RowsDone: rows, RowsExpected: 100_000, ChunksDone: chunks, Chunks: 10}
	}
	for i := range 4 {
		tell(time.Duration(i)*time.Second, int64(i)*10_000, i)
	}
	require.Equal(t, 5*time.Second, tell(5*time.Second, 30_000, 3), "time goes on between chunks")
	require.Equal(t, time.Second, tell(time.Minute, 30_000, 3), "later than foretold")
	require.Zero(t, tell(time.Minute, 100_000, 10))
}
