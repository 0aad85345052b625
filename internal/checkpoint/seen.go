package checkpoint

import (
	"context"
	"fmt"
	"slices"

	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// lowSeen is what stands in a chunk's column low: the position before it was
// read, and behind it what the rows that were written may show.
type lowSeen struct {
	position.Position
	Seen *position.Position `json:"seen,omitempty"`
}

// NoteSeen keeps, before rows of a claimed chunk are written, what they may show
// of the source. Fault Fenced when the chunk is no longer this attempt's; one that
// is done is read again when the answer to its end was lost.
func (s *Store) NoteSeen(ctx context.Context, f *Fence, c Chunk, seen position.Position) error {
	value, err := body(lowSeen{c.Low, &seen})
	if err != nil {
		return err
	}
	n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET low = %s, counter = counter + 1 WHERE task = %s AND no = %d AND state IN (%d, %d) AND token = %s",
		s.t(tableChunk), value, s.task, c.No, ChunkClaimed, ChunkDone, str(f.token.String())))
	if err == nil && n == 0 {
		err = fault.Fenced.New(f.unit, "chunk %d", c.No)
	}
	if err != nil {
		return fmt.Errorf("note what chunk %d shows: %w", c.No, err)
	}
	return nil
}

// Seen returns what the rows that were copied may show of the source: a server
// without it is not the source's successor (rule 9). They are few positions, of
// which none is part of another one.
func (s *Store) Seen(ctx context.Context) ([]position.Position, error) {
	var out []position.Position
	known := map[string]bool{}
	query := fmt.Sprintf("SELECT DISTINCT low FROM %s WHERE task = %s AND low <> ''", s.t(tableChunk), s.task)
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var data []byte
		if err := scan(&data); err != nil {
			return err
		}
		var both lowSeen
		if err := read(data, &both, prefix+tableChunk); err != nil {
			return err
		}
		p := both.Position
		if both.Seen != nil {
			p = *both.Seen
		}
		if !p.HasGTID() || known[*p.GTID] {
			return nil
		}
		known[*p.GTID] = true
		var err error
		out, err = largest(out, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was copied: %w", err)
	}
	return out, nil
}

// largest adds a position unless it is part of one of them, and drops those that
// are part of it.
func largest(all []position.Position, p position.Position) ([]position.Position, error) {
	for _, one := range all {
		if covered, err := one.Covers(p); covered || err != nil {
			return all, err
		}
	}
	kept := slices.DeleteFunc(all, func(one position.Position) bool {
		part, err := p.Covers(one)
		return err == nil && part
	})
	return append(kept, p), nil
}
