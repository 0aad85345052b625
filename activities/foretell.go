package activities

import (
	"time"

	"shardlift/internal/contract"
)

// foretell tells how long a copy still takes. Rows count when their chunk is
// done, so that a moment's rate says little: it takes the rate between the first
// and the last chunk that was seen to end, within the last half of the time and
// over a number of chunks at least. It is used by one goroutine.
type foretell struct {
	began time.Time
	first int64      // work that was done at the first look
	ends  []chunkEnd // where the work has changed since
}

type chunkEnd struct {
	at     time.Time
	work   int64
	chunks int
}

const (
	// fewestEnds is how often chunks have to be seen to end before anything is foretold.
	fewestEnds = 3
	// fewestChunks are what a rate is taken of, when there are as many.
	fewestChunks = 40
	// rowsOfAChunk is what a chunk costs besides its rows, in rows: its checkpoint
	// and its statements. Tables of a few rows would make a copy look slow otherwise.
	rowsOfAChunk = 500
)

// remaining takes the copy's progress at a moment; 0 is not known, or nothing.
// Until the first chunk ends the lanes start, which is no part of any rate.
func (f *foretell) remaining(now time.Time, p contract.CopyProgress) time.Duration {
	done := p.RowsDone + rowsOfAChunk*int64(p.ChunksDone)
	if f.began.IsZero() {
		f.began, f.first = now, done
	}
	n := len(f.ends)
	if n == 0 && done != f.first || n > 0 && f.ends[n-1].work != done {
		f.ends = append(f.ends, chunkEnd{now, done, p.ChunksDone})
		n++
	}
	if n == 0 {
		return 0
	}
	last := f.ends[n-1]
	for n > fewestEnds && now.Sub(f.ends[0].at) > now.Sub(f.began)/2 && last.chunks-f.ends[1].chunks >= fewestChunks {
		f.ends = f.ends[1:]
		n--
	}
	first := f.ends[0]
	left := max(p.RowsExpected-p.RowsDone, 0) + rowsOfAChunk*int64(p.Chunks-p.ChunksDone)
	if n < fewestEnds || p.ChunksDone >= p.Chunks || last.work <= first.work {
		return 0
	}
	each := last.at.Sub(first.at).Seconds() / float64(last.work-first.work)
	return max(time.Duration(each*float64(left)*float64(time.Second))-now.Sub(last.at), time.Second)
}
