package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/task"
)

// Control is what running steps read every 2 s.
type Control struct {
	task.Limits
	// Alarms are the thresholds of alarms; nil: those of the specification.
	Alarms *task.Alarms `json:"alarms,omitempty"`
}

// SetLimits writes a control row of limits alone.
func (s *Store) SetLimits(ctx context.Context, l task.Limits) error {
	return s.SetControl(ctx, Control{Limits: l})
}

// SetControl writes the control row.
func (s *Store) SetControl(ctx context.Context, c Control) error {
	value, err := body(c)
	if err == nil {
		err = s.put(ctx, tableControl, "task = "+string(s.task), "body = "+string(value), "task, body", fmt.Sprintf("%s, %s", s.task, value))
	}
	if err != nil {
		return fmt.Errorf("write limits: %w", err)
	}
	return nil
}

// Limits reads the limits of the control row.
func (s *Store) Limits(ctx context.Context) (l task.Limits, ok bool, err error) {
	c, ok, err := s.Control(ctx)
	return c.Limits, ok, err
}

// Control reads the control row; ok is false when nobody has written it.
func (s *Store) Control(ctx context.Context) (c Control, ok bool, err error) {
	var data []byte
	err = s.one(ctx, fmt.Sprintf("SELECT body FROM %s WHERE task = %s", s.t(tableControl), s.task), &data)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err == nil {
		err = read(data, &c, prefix+tableControl)
	}
	if err != nil {
		return c, false, fmt.Errorf("read limits: %w", err)
	}
	return c, true, nil
}

// Copying says how many of the copy's lanes share the limits now: all of them
// while chunks wait, then those that still have one.
func (s *Store) Copying(ctx context.Context, lanes int) (int, error) {
	waiting, err := s.openChunks(ctx, 0, 1)
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
