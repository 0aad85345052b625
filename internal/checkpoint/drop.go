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
	var planned map[string]bool
	if found > 0 {
		if planned, err = s.plannedSchemas(ctx); err != nil {
			return err
		}
	}
	if err := s.dropFences(ctx, planned); err != nil {
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

// dropFences removes the task's fence rows and marks in every schema, and their
// tables where it has used them and nobody else does. An empty table that it has
// not used may be one that another task has just made and is about to write, and
// so is a physical shard's, seen past its middleware. A schema that cannot be
// asked (no rights, no such table) has none of ours.
func (s *Store) dropFences(ctx context.Context, planned map[string]bool) error {
	schemas, err := s.d.Schemas(ctx)
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		used := planned[schema]
		for _, name := range []string{tableFence, tableMark, tableBroadcast} { // a fence has rows from the first attempt on
			mine, err := s.dropRows(ctx, schema, name, used)
			if err != nil {
				return err
			}
			used = used || mine
		}
	}
	return nil
}

// plannedSchemas are the destination schemas of the plan.
func (s *Store) plannedSchemas(ctx context.Context) (map[string]bool, error) {
	tables, err := s.Tables(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, t := range tables {
		out[t.Destination.Schema] = true
	}
	return out, nil
}

// dropRows removes the task's rows of a fence or mark table, and the table if the
// task has used the schema and no other does. It returns whether there were rows.
func (s *Store) dropRows(ctx context.Context, schema, name string, used bool) (mine bool, err error) {
	quoted := dialect.QuoteName(schema, prefix+name)
	var own, others int64
	err = s.one(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE task = %s", quoted, s.task), &own)
	if err != nil {
		if mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err) {
			return false, err
		}
		return false, nil
	}
	err = s.one(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE task <> %s", quoted, s.task), &others)
	switch {
	case err != nil:
	case others == 0 && (own > 0 || used):
		err = s.dropTable(ctx, schema, name)
	case own > 0:
		_, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s", quoted, s.task))
	}
	if n := mysqlconn.Number(err); n == errNoTable || n == errUnknownSchema {
		return own > 0, nil // another task's end, or the schema's, came between
	}
	return own > 0, err
}
