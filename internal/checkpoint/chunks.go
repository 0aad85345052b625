package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// State of a chunk; the order is the order in which lanes take them.
type State int64

// The states. A returned chunk was claimed by an attempt that did not finish it.
const (
	ChunkReturned State = iota
	ChunkWaiting
	ChunkClaimed
	ChunkDone
)

// Chunk is a key range of one table.
type Chunk struct {
	No    int64 // unique in the task, the order of the plan
	Table int   // Table.No
	Range table.KeyRange
	State State
	Lane  int
	// Attempted: it was claimed before, so rows of it may have been written.
	Attempted bool
	// Low is the source's position before the chunk's rows were read.
	Low         position.Position
	Rows, Bytes int64
}

// batchBytes is where statements that add many rows are cut.
const batchBytes = 128 << 10

// AddChunks adds chunks of one or several tables to the plan, all or none.
func (s *Store) AddChunks(ctx context.Context, chunks []Chunk) error {
	if len(chunks) == 0 {
		return nil
	}
	perTable := map[int]int{}
	var values []string
	for _, c := range chunks {
		bounds, err := body(c.Range)
		if err != nil {
			return err
		}
		perTable[c.Table]++
		values = append(values, fmt.Sprintf("(%s, %d, %d, %s, %d, -1, '', '', 0, '', 0, 0, 1)", s.task, c.No, c.Table, bounds, ChunkWaiting))
	}
	insert := fmt.Sprintf("INSERT INTO %s (task, no, tbl, bounds, state, lane, unit, token, attempted, low, rows_done, bytes_done, counter) VALUES ", s.t(tableChunk))
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		for _, statement := range batches(insert, values) {
			if _, err := run(ctx, tx, statement); err != nil {
				return err
			}
		}
		for no, n := range perTable {
			if _, err := run(ctx, tx, fmt.Sprintf("UPDATE %s SET chunks = chunks + %d, counter = counter + 1 WHERE task = %s AND no = %d", s.t(tableTable), n, s.task, no)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add %d chunks: %w", len(chunks), err)
	}
	return nil
}

// batches joins rows into statements of about batchBytes.
func batches(insert string, rows []string) []string {
	var out []string
	for len(rows) > 0 {
		size, n := len(insert), 0
		for n < len(rows) && (n == 0 || size+len(rows[n]) < batchBytes) {
			size += len(rows[n]) + 2
			n++
		}
		out = append(out, insert+strings.Join(rows[:n], ", "))
		rows = rows[n:]
	}
	return out
}

const chunkColumns = "no, tbl, bounds, state, lane, attempted, low, rows_done, bytes_done, unit"

// scanChunk reads chunkColumns; unit is who claimed it.
func scanChunk(scan func(...any) error) (c Chunk, unit string, err error) {
	var bounds, low []byte
	if err := scan(&c.No, &c.Table, &bounds, &c.State, &c.Lane, &c.Attempted, &low, &c.Rows, &c.Bytes, &unit); err != nil {
		return c, "", err
	}
	object := fmt.Sprintf("chunk %d", c.No)
	if err := read(bounds, &c.Range, object); err != nil {
		return c, "", err
	}
	if len(low) > 0 {
		err = read(low, &c.Low, object)
	}
	return c, unit, err
}

// LastChunk returns the chunk of a table with the highest number, nil when it has none.
func (s *Store) LastChunk(ctx context.Context, tableNo int) (*Chunk, error) {
	query := fmt.Sprintf("SELECT %s FROM %s WHERE task = %s AND tbl = %d ORDER BY no DESC LIMIT 1", chunkColumns, s.t(tableChunk), s.task, tableNo)
	return s.oneChunk(ctx, query)
}

// LastNumber returns the highest chunk number of the task, 0 when it has none.
func (s *Store) LastNumber(ctx context.Context) (int64, error) {
	var n sql.NullInt64
	if err := s.one(ctx, fmt.Sprintf("SELECT MAX(no) FROM %s WHERE task = %s", s.t(tableChunk), s.task), &n); err != nil {
		return 0, fmt.Errorf("read the last chunk number: %w", err)
	}
	return n.Int64, nil
}

func (s *Store) oneChunk(ctx context.Context, query string) (*Chunk, error) {
	var found *Chunk
	err := s.each(ctx, query, func(scan func(...any) error) error {
		c, _, err := scanChunk(scan)
		found = &c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read a chunk: %w", err)
	}
	return found, nil
}

// claimTries bounds the rounds in which other lanes take every chunk before us.
const claimTries = 100

// Claim takes the next chunk of the fence's apply group for a lane: first what attempts before had claimed
// and not finished (Attempted is set), then the plan's order. Chunks that a lane
// beyond lanes still holds are taken over after its fence was acquired. nil
// means that nothing is left to claim; other lanes may still be at work.
//
// low is the source's position before the call; it stands in the chunk before
// Claim returns, and so before any row is read (rule 2, see Lows).
func (s *Store) Claim(ctx context.Context, f *Fence, lane, lanes int, low position.Position) (*Chunk, error) {
	if err := s.returnLost(ctx, f, lanes); err != nil {
		return nil, err
	}
	for range claimTries {
		open, err := s.openChunks(ctx, f.group(), max(lanes, 1)*2)
		if err != nil {
			return nil, err
		}
		if len(open) == 0 {
			return nil, nil
		}
		for i := range open {
			// Lanes begin at different places, so that they seldom meet.
			c := open[(i+lane)%len(open)]
			if open[0].State == ChunkReturned && c.State != ChunkReturned {
				continue
			}
			c.Low = low
			taken, err := s.take(ctx, f, &c, lane)
			if err != nil || taken {
				return &c, err
			}
		}
	}
	return nil, fault.ServerBusy.New("chunk plan", "other lanes took every chunk first")
}

func (s *Store) openChunks(ctx context.Context, group, limit int) ([]Chunk, error) {
	members, err := s.members(ctx, group, "tbl")
	if err != nil {
		return nil, err
	}
	var out []Chunk
	query := fmt.Sprintf("SELECT %s FROM %s WHERE task = %s AND state IN (%d, %d)%s ORDER BY state, no LIMIT %d",
		chunkColumns, s.t(tableChunk), s.task, ChunkReturned, ChunkWaiting, members, limit)
	err = s.each(ctx, query, func(scan func(...any) error) error {
		c, _, err := scanChunk(scan)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read open chunks: %w", err)
	}
	return out, nil
}

// take claims one chunk if nobody was faster and the fence still holds.
func (s *Store) take(ctx context.Context, f *Fence, c *Chunk, lane int) (bool, error) {
	low, err := body(c.Low)
	if err != nil {
		return false, err
	}
	n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET state = %d, lane = %d, unit = %s, token = %s, low = %s, counter = counter + 1 WHERE task = %s AND no = %d AND state = %d",
		s.t(tableChunk), ChunkClaimed, lane, str(f.unit), str(f.token.String()), low, s.task, c.No, c.State))
	if err != nil || n == 0 {
		return false, err
	}
	// Claim, then look, as in Register: a newer owner writes its token, then
	// returns what is claimed.
	now, err := s.owner(ctx, f.unit)
	if err != nil {
		return false, err
	}
	if now == nil || now.token != f.token.String() {
		return false, errors.Join(fault.Fenced.New(f.unit, ""), s.giveBack(ctx, f, c))
	}
	if _, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET started = 1, counter = counter + 1 WHERE task = %s AND no = %d AND started = 0", s.t(tableTable), s.task, c.Table)); err != nil {
		return false, err
	}
	c.State, c.Lane = ChunkClaimed, lane
	return true, nil
}

// giveBack undoes a claim of a fenced attempt, which has written nothing.
func (s *Store) giveBack(ctx context.Context, f *Fence, c *Chunk) error {
	_, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET state = %d, token = '', counter = counter + 1 WHERE task = %s AND no = %d AND state = %d AND token = %s",
		s.t(tableChunk), c.State, s.task, c.No, ChunkClaimed, str(f.token.String())))
	return err
}

// returnChunks puts back what attempts of a unit up to this one have claimed.
func (s *Store) returnChunks(ctx context.Context, unit string, t Token) error {
	return retryConflict(ctx, func() error {
		_, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET state = %d, attempted = 1, token = '', counter = counter + 1 WHERE task = %s AND state = %d AND unit = %s AND token <= %s",
			s.t(tableChunk), ChunkReturned, s.task, ChunkClaimed, str(unit), str(t.String())))
		return err
	})
}

// returnLost puts back what lanes beyond the present number have claimed, after
// shutting them out: there may be a frozen process behind.
func (s *Store) returnLost(ctx context.Context, f *Fence, lanes int) error {
	members, err := s.members(ctx, f.group(), "tbl")
	if err != nil {
		return err
	}
	units := map[string]bool{}
	query := fmt.Sprintf("SELECT unit FROM %s WHERE task = %s AND state = %d AND lane >= %d%s", s.t(tableChunk), s.task, ChunkClaimed, lanes, members)
	err = s.each(ctx, query, func(scan func(...any) error) error {
		var unit string
		err := scan(&unit)
		units[unit] = true
		return err
	})
	if err != nil {
		return fmt.Errorf("read chunks of lanes that are gone: %w", err)
	}
	delete(units, f.unit)
	for unit := range units {
		lost, err := s.Acquire(ctx, unit, f.token, f.schemas, false)
		if errors.Is(err, fault.Fenced) {
			continue // a newer attempt has it after all
		}
		if err != nil {
			return err
		}
		if err := lost.Release(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Reopen puts finished chunks back whose rows a shard has lost, to be copied
// again as after a crash.
func (s *Store) Reopen(ctx context.Context, chunks []Chunk) error {
	for _, c := range chunks {
		err := s.transaction(ctx, func(tx *sql.Tx) error {
			n, err := run(ctx, tx, fmt.Sprintf("UPDATE %s SET state = %d, attempted = 1, token = '', counter = counter + 1 WHERE task = %s AND no = %d AND state = %d",
				s.t(tableChunk), ChunkReturned, s.task, c.No, ChunkDone))
			if err != nil || n == 0 { // another lane was faster
				return err
			}
			_, err = run(ctx, tx, fmt.Sprintf("UPDATE %s SET chunks_done = chunks_done - 1, rows_done = rows_done - %d, bytes_done = bytes_done - %d, counter = counter + 1 WHERE task = %s AND no = %d",
				s.t(tableTable), c.Rows, c.Bytes, s.task, c.Table))
			return err
		})
		if err != nil {
			return fmt.Errorf("put back chunk %d: %w", c.No, err)
		}
	}
	return nil
}

// Lows returns the low position of every claimed chunk of group 0, whoever claimed it. A
// chunk that went back is not among them: its former attempt was shut out
// before. An apply that runs beside the copy may go as far as all of them cover,
// and as far as a position that was visible on the source before this call
// (rule 2): whatever is claimed later reads its rows later too.
func (s *Store) Lows(ctx context.Context) ([]position.Position, error) {
	members, err := s.members(ctx, 0, "tbl")
	if err != nil {
		return nil, err
	}
	var out []position.Position
	query := fmt.Sprintf("SELECT %s FROM %s WHERE task = %s AND state = %d%s", chunkColumns, s.t(tableChunk), s.task, ChunkClaimed, members)
	err = s.each(ctx, query, func(scan func(...any) error) error {
		c, _, err := scanChunk(scan)
		out = append(out, c.Low)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the low positions of claimed chunks: %w", err)
	}
	return out, nil
}

// Finish notes a claimed chunk as done, with its rows and bytes, and adds them to its table's sums. It may be repeated. Fault Fenced when the
// chunk is no longer this attempt's.
func (s *Store) Finish(ctx context.Context, f *Fence, c Chunk) error {
	token := str(f.token.String())
	err := s.transactionOf(ctx, []*Fence{f}, func(tx *sql.Tx) error {
		n, err := run(ctx, tx, fmt.Sprintf("UPDATE %s SET state = %d, rows_done = %d, bytes_done = %d, counter = counter + 1 WHERE task = %s AND no = %d AND state = %d AND token = %s",
			s.t(tableChunk), ChunkDone, c.Rows, c.Bytes, s.task, c.No, ChunkClaimed, token))
		if err != nil {
			return err
		}
		if n == 0 {
			return errNotMine
		}
		_, err = run(ctx, tx, fmt.Sprintf("UPDATE %s SET chunks_done = chunks_done + 1, rows_done = rows_done + %d, bytes_done = bytes_done + %d, counter = counter + 1 WHERE task = %s AND no = %d",
			s.t(tableTable), c.Rows, c.Bytes, s.task, c.Table))
		return err
	})
	if errors.Is(err, errNotMine) {
		err = s.finished(ctx, f, c)
	}
	if err != nil {
		return fmt.Errorf("finish chunk %d: %w", c.No, err)
	}
	return nil
}

var errNotMine = errors.New("the chunk is not this attempt's")

// finished says whether this attempt has finished the chunk already, as after
// an answer that was lost.
func (s *Store) finished(ctx context.Context, f *Fence, c Chunk) error {
	var state State
	var token string
	query := fmt.Sprintf("SELECT state, token FROM %s WHERE task = %s AND no = %d", s.t(tableChunk), s.task, c.No)
	if err := s.one(ctx, query, &state, &token); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if state == ChunkDone && token == f.token.String() {
		return nil
	}
	return fault.Fenced.New(f.unit, "chunk %d", c.No)
}

// Unfinished is UnfinishedOf group 0.
func (s *Store) Unfinished(ctx context.Context) (int, error) { return s.UnfinishedOf(ctx, 0) }

// UnfinishedOf counts the chunks of an apply group that are not done, plus one for
// each table whose planning has not ended: 0 means that its copy is complete.
func (s *Store) UnfinishedOf(ctx context.Context, group int) (int, error) {
	members, err := s.members(ctx, group, "no")
	if err != nil {
		return 0, err
	}
	var open sql.NullInt64
	query := fmt.Sprintf("SELECT SUM(chunks - chunks_done + CASE WHEN planned = 0 THEN 1 ELSE 0 END) FROM %s WHERE task = %s%s", s.t(tableTable), s.task, members)
	if err := s.one(ctx, query, &open); err != nil {
		return 0, fmt.Errorf("count unfinished chunks: %w", err)
	}
	return int(open.Int64), nil
}
