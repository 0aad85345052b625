package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/contract"
)

// PutReport stores the final report.
func (s *Store) PutReport(ctx context.Context, r contract.Report) error {
	value, err := body(r)
	if err == nil {
		err = s.put(ctx, tableReport, "task = "+string(s.task), "body = "+string(value), "task, body", fmt.Sprintf("%s, %s", s.task, value))
	}
	if err != nil {
		return fmt.Errorf("store the report: %w", err)
	}
	return nil
}

// Report returns the final report, nil when there is none.
func (s *Store) Report(ctx context.Context) (*contract.Report, error) {
	var data []byte
	err := s.one(ctx, fmt.Sprintf("SELECT body FROM %s WHERE task = %s", s.t(tableReport), s.task), &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	var r contract.Report
	return &r, read(data, &r, prefix+tableReport)
}
