package activities

import (
	"time"

	"shardlift/internal/contract"
)

// foretell tells how long a copy still takes. Rows count when their chunk is
// done, so that a moment's rate says little: it takes the rate between the first
// and the last chunk that was seen to end, within the last half of the time
// and two minutes at least. It is used by one goroutine.
type foretell struct {
	began time.Time
	ends  []chunkEnd // where the number of rows has changed
}

type chunkEnd struct {
	at   time.Time
	rows int64
}

// fewestEnds is how many chunks have to end before anything is foretold.
const fewestEnds = 3

// remaining takes the copy's progress at a moment; 0 is not known, or nothing.
func (f *foretell) remaining(now time.Time, p contract.CopyProgress) time.Duration {
	n := len(f.ends)
	if f.began.IsZero() {
		f.began = now
	}
	if n == 0 || f.ends[n-1].rows != p.RowsDone {
		f.ends = append(f.ends, chunkEnd{now, p.RowsDone})
		n++
	}
	window := max(now.Sub(f.began)/2, 2*time.Minute)
	for n > fewestEnds && now.Sub(f.ends[0].at) > window {
		f.ends = f.ends[1:]
		n--
	}
	first, last := f.ends[0], f.ends[n-1]
	left := p.RowsEstimated - last.rows
	if n < fewestEnds || left <= 0 || last.rows <= first.rows {
		return 0
	}
	perRow := last.at.Sub(first.at).Seconds() / float64(last.rows-first.rows)
	return max(time.Duration(perRow*float64(left)*float64(time.Second))-now.Sub(last.at), time.Second)
}
