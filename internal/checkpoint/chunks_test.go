package checkpoint

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

func TestClaim_FollowsThePlan(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	plan := planOf(2)
	require.NoError(t, s.PutTables(t.Context(), plan))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 3)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(2, 4, 1)))
	last, err := s.LastChunk(t.Context(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 3, last.No)
	require.Equal(t, table.KeyRange{Lower: [][]byte{[]byte("2")}}, last.Range)
	none, err := s.LastChunk(t.Context(), 7)
	require.NoError(t, err)
	require.Nil(t, none)
	number, err := s.LastNumber(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, number)
	require.NoError(t, s.SetPlanned(t.Context(), 1))
	left, err := s.Unfinished(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, left, "4 chunks and a table that is not planned")
	require.NoError(t, s.SetPlannedRows(t.Context(), 2, 30))
	progress, err := s.Progress(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 130, progress.RowsExpected, "before anything is copied: the estimates, better where the chunks tell")

	f := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	for want := int64(1); want <= 4; want++ {
		c, err := s.Claim(t.Context(), f, 0, 1, at(uint64(want)))
		require.NoError(t, err)
		require.Equal(t, want, c.No)
		require.Equal(t, ChunkClaimed, c.State)
		require.False(t, c.Attempted)
		c.Rows, c.Bytes = 10, 100
		require.NoError(t, s.Finish(t.Context(), f, *c))
		require.NoError(t, s.Finish(t.Context(), f, *c), "the same again, as after a lost answer")
		if want == 1 {
			progress, err = s.Progress(t.Context())
			require.NoError(t, err)
			require.Less(t, progress.RowsExpected, int64(130), "a table that is being copied counts by its chunks")
		}
	}
	c, err := s.Claim(t.Context(), f, 0, 1, at(1))
	require.NoError(t, err)
	require.Nil(t, c)
	left, err = s.Unfinished(t.Context())
	require.NoError(t, err)
	require.Zero(t, left)
	progress, err = s.Progress(t.Context())
	require.NoError(t, err)
	require.Equal(t, contract.CopyProgress{RowsDone: 40, RowsEstimated: 130, RowsExpected: 40, BytesDone: 400, BytesEstimated: 2000, ChunksDone: 4, Chunks: 4, TablesCopied: 2, Tables: 2}, progress)
	last, err = s.LastChunk(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, at(4), last.Low)
	require.Equal(t, ChunkDone, last.State)

	tables, err := s.Tables(t.Context())
	require.NoError(t, err)
	plan[0].Planned, plan[1].Planned, plan[1].RowsEstimated = true, true, 30
	require.Equal(t, plan, tables)
}

// Many lanes work at once: every chunk is claimed by exactly one of them.
func TestClaim_LanesNeverOverlap(t *testing.T) {
	const lanes, chunks = 8, 400
	for _, server := range []string{"mysql55", "mysql97", "mariadb"} {
		t.Run(server, func(t *testing.T) {
			p := newPlace(t, server)
			s := p.store(t, "t1")
			require.NoError(t, s.PutTables(t.Context(), planOf(4)))
			for no := range 4 {
				require.NoError(t, s.AddChunks(t.Context(), chunksOf(no+1, int64(no*chunks/4+1), chunks/4)))
				require.NoError(t, s.SetPlanned(t.Context(), no+1))
			}
			var mu sync.Mutex
			by := map[int64]int{}
			var g errgroup.Group
			for lane := range lanes {
				g.Go(func() error {
					f, err := s.Acquire(t.Context(), fmt.Sprintf("copy/%d", lane), Token{1, 1, 1}, []string{p.schema}, false)
					if err != nil {
						return err
					}
					for {
						c, err := s.Claim(t.Context(), f, lane, lanes, at(1))
						if err != nil || c == nil {
							return err
						}
						mu.Lock()
						by[c.No]++
						mu.Unlock()
						c.Rows = 1
						if err := s.Finish(t.Context(), f, *c); err != nil {
							return err
						}
					}
				})
			}
			require.NoError(t, g.Wait())
			require.Len(t, by, chunks)
			for no, n := range by {
				require.Equal(t, 1, n, "chunk %d", no)
			}
			progress, err := s.Progress(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, chunks, progress.RowsDone)
			require.Equal(t, chunks, progress.ChunksDone)
			require.Equal(t, 4, progress.TablesCopied)
		})
	}
}

// A lane's next attempt gets what the dead one had claimed, first and marked.
func TestClaim_ReturnsWhatADeadAttemptHad(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	require.NoError(t, s.PutTables(t.Context(), planOf(1)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 10)))
	dead := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	lost, err := s.Claim(t.Context(), dead, 0, 2, at(1))
	require.NoError(t, err)
	other := acquire(t, s, p, "copy/1", Token{1, 1, 1})
	held, err := s.Claim(t.Context(), other, 1, 2, at(1))
	require.NoError(t, err)
	require.NotEqual(t, lost.No, held.No)

	next := acquire(t, s, p, "copy/0", Token{1, 1, 2})
	again, err := s.Claim(t.Context(), next, 0, 2, at(1))
	require.NoError(t, err)
	require.Equal(t, lost.No, again.No)
	require.True(t, again.Attempted)
	fresh, err := s.Claim(t.Context(), next, 0, 2, at(1))
	require.NoError(t, err)
	require.False(t, fresh.Attempted)

	// The dead one wakes up: it can neither finish nor claim.
	require.ErrorIs(t, s.Finish(t.Context(), dead, *lost), fault.Fenced)
	_, err = s.Claim(t.Context(), dead, 0, 2, at(1))
	require.ErrorIs(t, err, fault.Fenced)
	require.NoError(t, s.Finish(t.Context(), next, *again))
	require.NoError(t, s.Finish(t.Context(), other, *held))
	require.ErrorIs(t, s.Finish(t.Context(), dead, *lost), fault.Fenced)
	progress, err := s.Progress(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, progress.ChunksDone)
}

// TestRule2_LowsAreThoseOfClaimedChunks: the gate of an apply beside the copy
// sees a chunk from its claim until it is done, or until its lost attempt has
// been shut out; not before, and not after.
func TestRule2_LowsAreThoseOfClaimedChunks(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	require.NoError(t, s.PutTables(t.Context(), planOf(1)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 3)))
	lows := func() []position.Position {
		t.Helper()
		out, err := s.Lows(t.Context())
		require.NoError(t, err)
		return out
	}
	require.Empty(t, lows())
	f := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	other := acquire(t, s, p, "copy/1", Token{1, 1, 1})
	first, err := s.Claim(t.Context(), f, 0, 2, at(10))
	require.NoError(t, err)
	require.Equal(t, at(10), first.Low)
	_, err = s.Claim(t.Context(), other, 1, 2, at(20))
	require.NoError(t, err)
	require.ElementsMatch(t, []position.Position{at(10), at(20)}, lows())
	require.NoError(t, s.Finish(t.Context(), f, *first))
	require.Equal(t, []position.Position{at(20)}, lows())

	next := acquire(t, s, p, "copy/1", Token{1, 1, 2})
	require.Empty(t, lows(), "the lost attempt writes no more")
	again, err := s.Claim(t.Context(), next, 1, 2, at(30))
	require.NoError(t, err)
	require.True(t, again.Attempted)
	require.Equal(t, []position.Position{at(30)}, lows(), "what is read again is read later")
}

// Fewer lanes than before: the chunks of a lane that exists no more go to the
// others, after that lane was shut out.
func TestClaim_TakesOverFromLanesThatAreGone(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	require.NoError(t, s.PutTables(t.Context(), planOf(1)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 3)))
	gone := acquire(t, s, p, "copy/5", Token{1, 1, 1})
	lost, err := s.Claim(t.Context(), gone, 5, 6, at(1))
	require.NoError(t, err)
	session, err := p.open(t).Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	require.NoError(t, gone.Register(t.Context(), session))

	f := acquire(t, s, p, "copy/0", Token{1, 2, 1})
	c, err := s.Claim(t.Context(), f, 0, 2, at(1))
	require.NoError(t, err)
	require.Equal(t, lost.No, c.No)
	require.True(t, c.Attempted)
	require.Error(t, session.Begin(t.Context()), "its connection is ended")
	require.ErrorIs(t, s.Finish(t.Context(), gone, *lost), fault.Fenced)
	require.NoError(t, s.Finish(t.Context(), f, *c))
}

func TestTableProgress_PagesThroughTenThousandTables(t *testing.T) {
	const tables, chunksEach, page = 10000, 10, 500
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	require.NoError(t, s.PutTables(t.Context(), planOf(tables)))
	var chunks []Chunk
	for no := 1; no <= tables; no++ {
		chunks = append(chunks, chunksOf(no, int64(len(chunks)+1), chunksEach)...)
	}
	for len(chunks) > 0 {
		n := min(len(chunks), 5000)
		require.NoError(t, s.AddChunks(t.Context(), chunks[:n]))
		chunks = chunks[n:]
	}
	f := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	c, err := s.Claim(t.Context(), f, 0, 1, at(1))
	require.NoError(t, err)
	c.Rows = 50
	require.NoError(t, s.Finish(t.Context(), f, *c))

	seen, after := 0, 0
	for {
		rows, next, err := s.TableProgress(t.Context(), after, page)
		require.NoError(t, err)
		for _, r := range rows {
			seen++
			require.Equal(t, fmt.Sprintf("t%05d", seen), r.Table)
			if seen == 1 {
				require.Equal(t, contract.TableProgress{Schema: "shop", Table: "t00001", ToSchema: "shop_ddm", ToTable: "t00001", State: "copying", RowsDone: 50, RowsEstimated: 100, Percent: 10}, r)
			} else {
				require.Equal(t, "waiting", r.State)
			}
		}
		if next == nil {
			break
		}
		after = *next
	}
	require.Equal(t, tables, seen)

	// With 100,000 chunks the sums and a claim stay cheap.
	for what, f := range map[string]func() error{
		"progress":   func() error { _, err := s.Progress(t.Context()); return err },
		"unfinished": func() error { _, err := s.Unfinished(t.Context()); return err },
		"claim":      func() error { _, err := s.Claim(t.Context(), f, 0, 1, at(1)); return err },
	} {
		begin := time.Now()
		require.NoError(t, f())
		t.Logf("%s took %s", what, time.Since(begin))
		require.Less(t, time.Since(begin), 2*time.Second, what)
	}
}
