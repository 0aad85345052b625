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
	err := s.put(ctx, tableControl, "task = "+string(s.task), fmt.Sprintf("mb_per_second = %d, rows_per_second = %d", l.MBPerSecond, l.RowsPerSecond),
		"task, mb_per_second, rows_per_second", fmt.Sprintf("%s, %d, %d", s.task, l.MBPerSecond, l.RowsPerSecond))
	if err != nil {
		return fmt.Errorf("write limits: %w", err)
	}
	return nil
}

// Limits reads the control row; ok is false when nobody has written it.
func (s *Store) Limits(ctx context.Context) (l task.Limits, ok bool, err error) {
	err = s.one(ctx, fmt.Sprintf("SELECT mb_per_second, rows_per_second FROM %s WHERE task = %s", s.t(tableControl), s.task), &l.MBPerSecond, &l.RowsPerSecond)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read limits: %w", err)
	}
	return l, true, nil
}
