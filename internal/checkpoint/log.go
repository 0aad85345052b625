package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/mysqlconn"
)

// The log keeps the newest lines of a task, each of a bounded length.
const (
	logLines   = 10000
	logBytes   = 2000
	logCleanup = 200 // lines between two cleanups
)

// AppendLog adds one line. It holds no row value, host or user: the caller's
// message is stored as it is.
func (s *Store) AppendLog(ctx context.Context, level, message string) error {
	statement := fmt.Sprintf("INSERT INTO %s (task, at, level, message, counter) VALUES (%s, %s, %s, %s, 1)",
		s.t(tableLog), s.task, micros(time.Now()), str(clip(level, 8)), blob([]byte(clip(message, logBytes))))
	result, err := s.d.DB().ExecContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("write a log line: %w", mysqlconn.Fault(err, prefix+tableLog))
	}
	no, err := result.LastInsertId()
	if err == nil && no%logCleanup == 0 {
		return s.trimLog(ctx)
	}
	return nil
}

// trimLog removes all but the newest lines.
func (s *Store) trimLog(ctx context.Context) error {
	var oldest int64
	query := fmt.Sprintf("SELECT no FROM %s WHERE task = %s ORDER BY no DESC LIMIT 1 OFFSET %d", s.t(tableLog), s.task, logLines-1)
	err := s.one(ctx, query, &oldest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s AND no < %d", s.t(tableLog), s.task, oldest))
	}
	if err != nil {
		return fmt.Errorf("shorten the log: %w", err)
	}
	return nil
}

// Logs returns up to limit lines after a number, oldest first; level "" is all
// levels. next is the number to go on with, nil at the end.
func (s *Store) Logs(ctx context.Context, after int64, limit int, level string) (lines []contract.LogLine, next *int64, err error) {
	limit = max(limit, 1)
	condition := ""
	if level != "" {
		condition = fmt.Sprintf(" AND level = %s", str(level))
	}
	query := fmt.Sprintf("SELECT no, at, level, message FROM %s WHERE task = %s AND no > %d%s ORDER BY no LIMIT %d", s.t(tableLog), s.task, after, condition, limit+1)
	err = s.each(ctx, query, func(scan func(...any) error) error {
		var l contract.LogLine
		var at int64
		if err := scan(&l.Number, &at, &l.Level, &l.Message); err != nil {
			return err
		}
		if len(lines) == limit {
			next = &lines[limit-1].Number
			return nil
		}
		l.At = fromMicros(at)
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the log: %w", err)
	}
	return lines, next, nil
}
