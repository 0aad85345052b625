package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/task"
)

// SetLimits writes the control row, which copier and applier read every 2 s.
func (s *Store) SetLimits(ctx context.Context, l task.Limits) error {
	value, err := body(l)
	if err == nil {
		err = s.put(ctx, tableControl, "task = "+string(s.task), "body = "+string(value), "task, body", fmt.Sprintf("%s, %s", s.task, value))
	}
	if err != nil {
		return fmt.Errorf("write limits: %w", err)
	}
	return nil
}

// Limits reads the control row; ok is false when nobody has written it.
func (s *Store) Limits(ctx context.Context) (l task.Limits, ok bool, err error) {
	var data []byte
	err = s.one(ctx, fmt.Sprintf("SELECT body FROM %s WHERE task = %s", s.t(tableControl), s.task), &data)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	if err == nil {
		err = read(data, &l, prefix+tableControl)
	}
	if err != nil {
		return l, false, fmt.Errorf("read limits: %w", err)
	}
	return l, true, nil
}

// Copying says how many of the copy's lanes share the limits now: all of them
// while chunks wait, then those that still have one.
func (s *Store) Copying(ctx context.Context, lanes int) (int, error) {
	waiting, err := s.openChunks(ctx, 1)
	if err != nil || len(waiting) > 0 {
		return lanes, err
	}
	var busy int
	query := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE task = %s AND state = %d", s.t(tableChunk), s.task, ChunkClaimed)
	if err := s.one(ctx, query, &busy); err != nil {
		return 0, fmt.Errorf("count the chunks that are copied: %w", err)
	}
	return min(busy, lanes), nil
}
