package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Replan makes the plan of a group anew: what was there of its tables before,
// chunks, definitions and the checkpoint, is gone, and the group begins at its
// From. Tables that the plan does not have are added to it. One transaction,
// under the fence of the group's apply, with no lane of the group at work.
func (s *Store) Replan(ctx context.Context, of *Fence, g TableGroup, tables []Table) error {
	if err := s.replan(ctx, of, g, tables); err != nil {
		return fmt.Errorf("plan group %d: %w", g.No, err)
	}
	return nil
}

func (s *Store) replan(ctx context.Context, of *Fence, g TableGroup, tables []Table) error {
	statements, err := s.replanTables(ctx, g, tables)
	if err != nil {
		return err
	}
	row, err := body(g)
	if err != nil {
		return err
	}
	value, err := body(Checkpoint{Position: g.From})
	if err != nil {
		return err
	}
	others, err := s.leaveDropped(ctx, g)
	if err != nil {
		return err
	}
	statements = append(statements, others...)
	statements = append(statements,
		fmt.Sprintf("DELETE FROM %s WHERE %s", s.t(tableCheckpoint), s.whereGroup(g.No)),
		fmt.Sprintf("INSERT INTO %s (task, grp, token, body, counter) VALUES (%s, %d, %s, %s, 1)", s.t(tableCheckpoint), s.task, g.No, str(of.token.String()), value),
		fmt.Sprintf("DELETE FROM %s WHERE task = %s AND no = %d", s.t(tableGroup), s.task, g.No),
		fmt.Sprintf("INSERT INTO %s (task, no, body, counter) VALUES (%s, %d, %s, 1)", s.t(tableGroup), s.task, g.No, row))
	return s.transactionOf(ctx, []*Fence{of}, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, of); err != nil {
			return err
		}
		return s.all(ctx, tx, statements...)
	})
}

func (s *Store) replanTables(ctx context.Context, g TableGroup, tables []Table) ([]string, error) {
	statements, err := s.forgetTables(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		plan, err := body(t.Definition)
		if err != nil {
			return nil, err
		}
		both, err := body(names{t.Source, t.Destination})
		if err != nil {
			return nil, err
		}
		definition, err := s.insertDefinition(Definition{Name: t.Source, Group: g.No, Table: t.Definition})
		if err != nil {
			return nil, err
		}
		statements = append(statements,
			fmt.Sprintf("INSERT INTO %s (task, no, names, rows_estimated, bytes_estimated, planned, started, chunks, chunks_done, rows_done, bytes_done, counter) VALUES (%s, %d, %s, %d, %d, 0, 0, 0, 0, 0, 0, 1)",
				s.t(tableTable), s.task, t.No, both, t.RowsEstimated, t.BytesEstimated),
			fmt.Sprintf("INSERT INTO %s (task, no, body, counter) VALUES (%s, %d, %s, 1)", s.t(tablePlan), s.task, t.No, plan),
			definition)
	}
	return statements, nil
}

// forgetTables removes all of a group's tables from the plan.
func (s *Store) forgetTables(ctx context.Context, g TableGroup) ([]string, error) {
	all, numbers, err := s.definitions(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for i, d := range all {
		if g.Has(d.Name) {
			out = append(out, fmt.Sprintf("DELETE FROM %s WHERE task = %s AND no = %d", s.t(tableDefinition), s.task, numbers[i]))
		}
	}
	for _, t := range g.Tables {
		out = append(out,
			fmt.Sprintf("DELETE FROM %s WHERE task = %s AND tbl = %d", s.t(tableChunk), s.task, t.No),
			fmt.Sprintf("DELETE FROM %s WHERE task = %s AND no = %d", s.t(tableTable), s.task, t.No),
			fmt.Sprintf("DELETE FROM %s WHERE task = %s AND no = %d", s.t(tablePlan), s.task, t.No))
	}
	return out, nil
}

// leaveDropped takes the tables of a new group out of those that were dropped: an
// addition that failed may be given again.
func (s *Store) leaveDropped(ctx context.Context, g TableGroup) ([]string, error) {
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, old := range groups {
		if !old.Dropped || !slices.ContainsFunc(old.Tables, func(t GroupTable) bool { return g.Has(t.Name) }) {
			continue
		}
		old.Tables = slices.DeleteFunc(old.Tables, func(t GroupTable) bool { return g.Has(t.Name) })
		where := fmt.Sprintf("task = %s AND no = %d", s.task, old.No)
		if len(old.Tables) == 0 {
			out = append(out, fmt.Sprintf("DELETE FROM %s WHERE %s", s.t(tableGroup), where))
			continue
		}
		value, err := body(old)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("UPDATE %s SET body = %s, counter = counter + 1 WHERE %s", s.t(tableGroup), value, where))
	}
	return out, nil
}

// DropGroup leaves a group's tables out of the task for good; their rows stay.
// Tables that have never been in group 0 leave the plan, too. Repeated, it
// changes nothing.
func (s *Store) DropGroup(ctx context.Context, of *Fence, g TableGroup) error {
	var statements []string
	if g.Added {
		var err error
		if statements, err = s.forgetTables(ctx, g); err != nil {
			return fmt.Errorf("drop group %d: %w", g.No, err)
		}
	}
	g.Dropped = true
	row, err := body(g)
	if err != nil {
		return err
	}
	statements = append(statements,
		fmt.Sprintf("DELETE FROM %s WHERE %s", s.t(tableCheckpoint), s.whereGroup(g.No)),
		fmt.Sprintf("UPDATE %s SET body = %s, counter = counter + 1 WHERE task = %s AND no = %d", s.t(tableGroup), row, s.task, g.No))
	err = s.transactionOf(ctx, []*Fence{of}, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, of); err != nil {
			return err
		}
		return s.all(ctx, tx, statements...)
	})
	if err != nil {
		return fmt.Errorf("drop group %d: %w", g.No, err)
	}
	return nil
}
