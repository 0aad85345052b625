package checkpoint

import (
	"context"
	"fmt"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
)

// Reset removes the task's progress: plan, chunks, checkpoints, definitions,
// comparisons, divergences, report. Epoch, owners, fences, limits and log stay,
// so that older attempts remain shut out; take a NewEpoch afterwards.
func (s *Store) Reset(ctx context.Context) error {
	for _, name := range ofProgress() {
		if err := s.clear(ctx, name); err != nil {
			return fmt.Errorf("reset task %s: %w", s.taskID, err)
		}
	}
	return nil
}

// Drop removes everything of the task, its fence rows in every schema that the
// account sees, and the tables themselves when no other task uses them. It
// touches nobody else's tables and may be repeated.
func (s *Store) Drop(ctx context.Context) error {
	if err := s.drop(ctx); err != nil {
		return fmt.Errorf("drop metadata of task %s: %w", s.taskID, err)
	}
	return nil
}

func (s *Store) drop(ctx context.Context) error {
	found, err := s.version(ctx)
	if err != nil {
		return err
	}
	if err := s.dropFences(ctx); err != nil {
		return err
	}
	if err := s.dropSamples(ctx); err != nil {
		return err
	}
	if found == 0 {
		return nil
	}
	for _, name := range append(ofTask(), tableTask) {
		if err := s.clear(ctx, name); err != nil {
			return err
		}
	}
	var others int64
	if err := s.one(ctx, "SELECT COUNT(*) FROM "+s.t(tableTask), &others); err != nil || others > 0 {
		return err
	}
	all := definitions()
	names := []string{tableMeta, "scratch"} // the version goes first: half a set is no set
	for _, d := range all[:len(all)-1] {
		names = append(names, d.name)
	}
	for _, name := range names {
		if err := s.dropTable(ctx, s.schema, name); err != nil {
			return err
		}
	}
	return nil
}

// clearRows is how many rows one DELETE removes.
const clearRows = 10000

func (s *Store) clear(ctx context.Context, name string) error {
	for {
		var n int64
		err := retryConflict(ctx, func() (err error) {
			n, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s LIMIT %d", s.t(name), s.task, clearRows))
			return err
		})
		if err != nil && mysqlconn.Number(err) != errNoTable {
			return err
		}
		if n < clearRows {
			return nil
		}
	}
}

func (s *Store) dropTable(ctx context.Context, schema, name string) error {
	err := s.d.Define(ctx, schema, "DROP TABLE "+prefix+name)
	if n := mysqlconn.Number(err); n == errNoTable || n == 1051 {
		return nil
	}
	return err
}

// dropFences removes the task's fence rows and marks, and their tables when they
// are empty then. A schema that cannot be asked (no rights, no such table) has
// none of ours.
func (s *Store) dropFences(ctx context.Context) error {
	schemas, err := s.d.Schemas(ctx)
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		for _, name := range []string{tableFence, tableMark} {
			if err := s.dropRows(ctx, schema, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) dropRows(ctx context.Context, schema, name string) error {
	quoted := dialect.QuoteName(schema, prefix+name)
	var left int64
	if err := s.one(ctx, "SELECT COUNT(*) FROM "+quoted, &left); err != nil {
		if mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err) {
			return err
		}
		return nil
	}
	_, err := s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s", quoted, s.task))
	if err == nil {
		err = s.one(ctx, "SELECT COUNT(*) FROM "+quoted, &left)
	}
	if err == nil && left == 0 {
		err = s.dropTable(ctx, schema, name)
	}
	if n := mysqlconn.Number(err); n == errNoTable || n == errUnknownSchema {
		return nil // another task's end, or the schema's, came between
	}
	return err
}
