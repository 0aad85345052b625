package activities

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
)

// TestForetell_ErrsByLessThan15PercentAfterATenth: four lanes with chunks of
// differing sizes, and a server whose speed sways, looked at every two seconds.
func TestForetell_ErrsByLessThan15PercentAfterATenth(t *testing.T) {
	for _, chunks := range []int{200, 1000, 20_000} {
		rng := rand.New(rand.NewPCG(7, uint64(chunks)))
		const rowsPerSecond = 1000.0
		ends := map[int]int64{} // second to rows done at it
		var lanes [4]float64
		total, last := int64(0), 0
		for range chunks {
			rows := 3000 + rng.Int64N(4000)
			lane := 0
			for i, free := range lanes {
				if free < lanes[lane] {
					lane = i
				}
			}
			lanes[lane] += float64(rows) / (rowsPerSecond / 4) * (0.7 + 0.6*rng.Float64())
			ends[int(lanes[lane])] += rows
			total, last = total+rows, max(last, int(lanes[lane]))
		}
		f := &foretell{}
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		p := contract.CopyProgress{RowsEstimated: total}
		worst := 0.0
		for second := range last {
			p.RowsDone += ends[second]
			if second%2 != 0 {
				continue
			}
			told := f.remaining(at.Add(time.Duration(second)*time.Second), p)
			if p.RowsDone*10 < total || p.RowsDone == total {
				continue
			}
			off := (told.Seconds() + float64(second-last)) / float64(last)
			worst = max(worst, off, -off)
		}
		t.Logf("%d chunks in %d s: at most %.1f %% off", chunks, last, 100*worst)
		require.Less(t, worst, 0.15, "%d chunks", chunks)
	}
}

func TestForetell_SaysNothingBeforeItKnows(t *testing.T) {
	f := &foretell{}
	at := time.Now()
	require.Zero(t, f.remaining(at, contract.CopyProgress{RowsEstimated: 100}))
	require.Zero(t, f.remaining(at.Add(time.Second), contract.CopyProgress{RowsEstimated: 100, RowsDone: 10}))
	require.Equal(t, 8*time.Second, f.remaining(at.Add(2*time.Second), contract.CopyProgress{RowsEstimated: 100, RowsDone: 20}))
	require.Equal(t, 7*time.Second, f.remaining(at.Add(3*time.Second), contract.CopyProgress{RowsEstimated: 100, RowsDone: 20}), "time goes on between chunks")
	require.Equal(t, time.Second, f.remaining(at.Add(time.Minute), contract.CopyProgress{RowsEstimated: 100, RowsDone: 20}), "later than foretold")
	require.Zero(t, f.remaining(at.Add(time.Minute), contract.CopyProgress{RowsEstimated: 100, RowsDone: 100}))
}
