package copier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// copyChunk copies one chunk and marks it done.
//
//  1. Where nothing replays, empty the range.
//  2. Read a part into memory, check that the table is still the planned one,
//     write the part; go on behind its last key until the range ends.
//  3. Leave the chunk's mark on every shard, see that no shard has forgotten a
//     transaction of ours before it, then mark the chunk done.
func (l *lane) copyChunk(ctx context.Context, c checkpoint.Chunk) error {
	m, err := l.Mapping(ctx, c.Table)
	if err != nil {
		return err
	}
	l.current = c
	if err := l.beginTrail(ctx, m.Destination.Name.Schema, c); err != nil {
		return err
	}
	if l.DeleteFirst || l.FullOnly && c.Attempted {
		if err := l.deleteRange(ctx, m, c.Range); err != nil {
			return err
		}
	}
	c.Rows, c.Bytes = 0, 0
	rest := c.Range
	for more := true; more; {
		var p part
		if p, more, err = l.read(ctx, m, rest); err != nil {
			return err
		}
		if err := l.checkDefinition(ctx, m); err != nil {
			return err
		}
		if p.seen.HasGTID() && len(p.rows) > 0 {
			if err := l.Store.NoteSeen(ctx, l.Fence, c, p.seen); err != nil {
				return err
			}
		}
		if err := l.write(ctx, m, p, c.Attempted); err != nil {
			return err
		}
		c.Rows += int64(len(p.rows))
		c.Bytes += int64(p.bytes)
		l.beat(c)
		rest.Lower = p.last
	}
	if err := l.Fence.MarkChunk(ctx, m.Destination.Name.Schema, c.No); err != nil {
		return err
	}
	if err := l.checkTrail(ctx, m.Destination.Name.Schema); err != nil {
		return err
	}
	if err := l.finish(ctx, c); err != nil {
		return err
	}
	l.out.Rows += c.Rows
	l.out.Bytes += c.Bytes
	return nil
}

// finish marks the chunk done, again where no answer came: its COMMIT may have
// passed, and a chunk that is done must not be written again, since its marks
// would be gone meanwhile and another lane would put it back.
func (l *lane) finish(ctx context.Context, c checkpoint.Chunk) error {
	for redo := 0; ; redo++ {
		err := faultpoint.Around(ctx, "copier.finish", func(ctx context.Context) error { return l.Store.Finish(ctx, l.Fence, c) })
		if err == nil || !mysqlconn.IsConnectionLost(err) || redo == maxRedos {
			return err
		}
		if err := wait(ctx, time.Duration(redo)*time.Second); err != nil {
			return err
		}
	}
}

// part is what one SELECT gave.
type part struct {
	rows  []row.Row // as the destination stores them
	bytes int
	last  [][]byte // key of the last row
	// seen is what the rows may show of the source.
	seen position.Position
}

// readAhead is for how long a part's rows last under the limits.
const readAhead = 5 * time.Second

// errPartFull ends a SELECT that has given enough or lasted too long.
var errPartFull = errors.New("part is full")

// read reads rows of a range into memory, up to the byte budget or the time
// limit; more is true when the range goes on behind the part's last key.
func (l *lane) read(ctx context.Context, m *dialect.Mapping, r table.KeyRange) (p part, more bool, err error) {
	if l.Throttle != nil {
		if err := l.Throttle.Wait(ctx, 1, 1); err != nil {
			return p, false, fmt.Errorf("wait for the rate limit: %w", err)
		}
	}
	// A planned chunk is about as large as the budget; the double of it avoids
	// ending a SELECT early, which costs its connection.
	limit, end := 2*l.ReadBytes, time.Now().Add(l.ReadTime)
	most := math.MaxInt
	if l.Throttle != nil { // a slow copy reads evenly, too
		rows, bytes := l.Throttle.Within(readAhead)
		limit, most = int(min(int64(limit), bytes)), int(min(int64(most), rows))
	}
	take := func(found row.Row) error {
		copied := found.Clone()
		p.bytes += copied.Size()
		p.rows = append(p.rows, copied)
		if p.bytes >= limit || len(p.rows) >= most || time.Now().After(end) {
			return errPartFull
		}
		return nil
	}
	err = faultpoint.Around(ctx, "copier.read", func(ctx context.Context) error {
		p.seen, err = l.Source.ReadSeen(ctx, m.Source, r, take)
		return err
	})
	more = errors.Is(err, errPartFull)
	if err != nil && !more {
		return p, false, err
	}
	// A server that takes over and lacks transactions which these rows may show is
	// refused by every connection from now on (rule 9).
	l.Source.Pin(p.seen)
	if n := len(p.rows); n > 0 {
		p.last = source.Bound(p.rows[n-1].Pick(m.Primary))
		for i, raw := range p.rows {
			p.rows[i] = m.Canonical(raw)
		}
	}
	return p, more, nil
}

// checkDefinition makes sure that what was read has the planned columns: an
// ALTER on the source may have come between (rule 11).
func (l *lane) checkDefinition(ctx context.Context, m *dialect.Mapping) error {
	same, err := l.Source.Unchanged(ctx, m.Source)
	if err != nil {
		return fmt.Errorf("check the columns of %s: %w", m.Source.Name, err)
	}
	if !same {
		return fault.TableChanged.New(m.Source.Name.String(), "")
	}
	return nil
}

func (l *lane) beat(c checkpoint.Chunk) {
	if l.Beat == nil {
		return
	}
	b := contract.CopyBeat{At: time.Now().UTC(), Lane: l.Lane, Table: c.Table, Rows: l.out.Rows + c.Rows, Bytes: l.out.Bytes + c.Bytes}
	if l.Throttle != nil {
		b.Throttle = l.Throttle.Reason()
	}
	l.Beat(b)
}
