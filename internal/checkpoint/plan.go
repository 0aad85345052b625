package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// Table is one table of the plan.
type Table struct {
	No          int
	Source      table.Name
	Destination table.Name
	// Definition is the source's, as of the start position.
	Definition                    *table.Table
	RowsEstimated, BytesEstimated int64
	// Planned: all its chunks are in the plan.
	Planned bool
}

type names struct {
	Source      table.Name `json:"source"`
	Destination table.Name `json:"destination"`
}

// PutTables adds tables to the plan; one that is there keeps its chunks and
// takes the new definition and estimates.
func (s *Store) PutTables(ctx context.Context, tables []Table) error {
	there, err := s.tableNumbers(ctx)
	if err != nil {
		return err
	}
	var rows, plans []string
	for _, t := range tables {
		plan, err := body(t.Definition)
		if err != nil {
			return err
		}
		both, err := body(names{t.Source, t.Destination})
		if err != nil {
			return err
		}
		if there[t.No] {
			if err := s.updateTable(ctx, t, both, plan); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, fmt.Sprintf("(%s, %d, %s, %d, %d, %s, 0, 0, 0, 0, 0, 1)", s.task, t.No, both, t.RowsEstimated, t.BytesEstimated, flag(t.Planned)))
		plans = append(plans, fmt.Sprintf("(%s, %d, %s, 1)", s.task, t.No, plan))
	}
	insertRows := fmt.Sprintf("INSERT INTO %s (task, no, names, rows_estimated, bytes_estimated, planned, started, chunks, chunks_done, rows_done, bytes_done, counter) VALUES ", s.t(tableTable))
	insertPlans := fmt.Sprintf("INSERT INTO %s (task, no, body, counter) VALUES ", s.t(tablePlan))
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		for _, statement := range slices.Concat(batches(insertRows, rows), batches(insertPlans, plans)) {
			if _, err := run(ctx, tx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %d tables into the plan: %w", len(tables), err)
	}
	return nil
}

func (s *Store) updateTable(ctx context.Context, t Table, both, plan literal) error {
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		_, err := run(ctx, tx, fmt.Sprintf("UPDATE %s SET names = %s, rows_estimated = %d, bytes_estimated = %d, counter = counter + 1 WHERE task = %s AND no = %d",
			s.t(tableTable), both, t.RowsEstimated, t.BytesEstimated, s.task, t.No))
		if err != nil {
			return err
		}
		_, err = run(ctx, tx, fmt.Sprintf("UPDATE %s SET body = %s, counter = counter + 1 WHERE task = %s AND no = %d", s.t(tablePlan), plan, s.task, t.No))
		return err
	})
	if err != nil {
		return fmt.Errorf("put table %s into the plan: %w", t.Source, err)
	}
	return nil
}

func (s *Store) tableNumbers(ctx context.Context) (map[int]bool, error) {
	out := map[int]bool{}
	err := s.each(ctx, fmt.Sprintf("SELECT no FROM %s WHERE task = %s", s.t(tableTable), s.task), func(scan func(...any) error) error {
		var no int
		err := scan(&no)
		out[no] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the plan's tables: %w", err)
	}
	return out, nil
}

// Tables returns the plan's tables in the order of their numbers.
func (s *Store) Tables(ctx context.Context) ([]Table, error) {
	var out []Table
	query := fmt.Sprintf("SELECT no, names, rows_estimated, bytes_estimated, planned FROM %s WHERE task = %s ORDER BY no", s.t(tableTable), s.task)
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var t Table
		var data []byte
		if err := scan(&t.No, &data, &t.RowsEstimated, &t.BytesEstimated, &t.Planned); err != nil {
			return err
		}
		var n names
		if err := read(data, &n, fmt.Sprintf("table %d of the plan", t.No)); err != nil {
			return err
		}
		t.Source, t.Destination = n.Source, n.Destination
		out = append(out, t)
		return nil
	})
	if err == nil {
		err = s.addDefinitions(ctx, out)
	}
	if err != nil {
		return nil, fmt.Errorf("read the plan's tables: %w", err)
	}
	return out, nil
}

func (s *Store) addDefinitions(ctx context.Context, tables []Table) error {
	at := make(map[int]int, len(tables))
	for i, t := range tables {
		at[t.No] = i
	}
	return s.each(ctx, fmt.Sprintf("SELECT no, body FROM %s WHERE task = %s", s.t(tablePlan), s.task), func(scan func(...any) error) error {
		var no int
		var data []byte
		if err := scan(&no, &data); err != nil {
			return err
		}
		i, ok := at[no]
		if !ok {
			return nil
		}
		return read(data, &tables[i].Definition, fmt.Sprintf("table %d of the plan", no))
	})
}

// SetPlanned notes that all chunks of a table are in the plan.
func (s *Store) SetPlanned(ctx context.Context, no int) error { return s.setPlanned(ctx, no, "") }

// SetPlannedRows is SetPlanned with the rows that its chunks have, which are
// known better than the server's estimate then.
func (s *Store) SetPlannedRows(ctx context.Context, no int, rows int64) error {
	return s.setPlanned(ctx, no, fmt.Sprintf(", rows_estimated = %d", rows))
}

func (s *Store) setPlanned(ctx context.Context, no int, more string) error {
	n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET planned = 1%s, counter = counter + 1 WHERE task = %s AND no = %d", s.t(tableTable), more, s.task, no))
	if err == nil && n != 1 {
		err = fmt.Errorf("it is not in the plan")
	}
	if err != nil {
		return fmt.Errorf("note table %d as planned: %w", no, err)
	}
	return nil
}

// CheckPlan says whether the plan of a group is whole: the data node that keeps the
// metadata may come back from before it was. Fault LostCopy when it is not.
func (s *Store) CheckPlan(ctx context.Context, group int, epoch int64) error {
	now, err := s.Epoch(ctx)
	if err != nil {
		return fmt.Errorf("check the plan: %w", err)
	}
	if now < epoch {
		return fault.LostCopy.New("plan", "the metadata is of epoch %d, this is %d", now, epoch)
	}
	members, err := s.members(ctx, group, "no")
	if err != nil {
		return fmt.Errorf("check the plan: %w", err)
	}
	var tables, open int
	query := fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(CASE WHEN planned = 0 THEN 1 ELSE 0 END), 0) FROM %s WHERE task = %s%s", s.t(tableTable), s.task, members)
	if err := s.one(ctx, query, &tables, &open); err != nil {
		return fmt.Errorf("check the plan: %w", err)
	}
	if tables == 0 || open > 0 {
		return fault.LostCopy.New("plan", "%d tables, %d of them without all their chunks", tables, open)
	}
	return nil
}

// Progress sums the plan but for tables that were dropped; rates are the caller's
// matter.
func (s *Store) Progress(ctx context.Context) (contract.CopyProgress, error) {
	var p contract.CopyProgress
	dropped, err := s.notDropped(ctx, "no")
	if err != nil {
		return p, err
	}
	sums := []any{&p.Tables, &p.RowsDone, &p.RowsEstimated, &p.RowsExpected, &p.BytesDone, &p.BytesEstimated, &p.ChunksDone, &p.Chunks, &p.TablesCopied, &p.TablesCopying}
	query := fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(rows_done), 0), COALESCE(SUM(rows_estimated), 0), "+
		"COALESCE(SUM(CASE WHEN planned = 1 AND chunks_done > 0 THEN rows_done * chunks DIV chunks_done ELSE rows_estimated END), 0), "+
		"COALESCE(SUM(bytes_done), 0), COALESCE(SUM(bytes_estimated), 0), "+
		"COALESCE(SUM(chunks_done), 0), COALESCE(SUM(chunks), 0), "+
		"COALESCE(SUM(CASE WHEN planned = 1 AND chunks = chunks_done THEN 1 ELSE 0 END), 0), "+
		"COALESCE(SUM(CASE WHEN started = 1 AND NOT (planned = 1 AND chunks = chunks_done) THEN 1 ELSE 0 END), 0) FROM %s WHERE task = %s%s", s.t(tableTable), s.task, dropped)
	if err := s.one(ctx, query, sums...); err != nil {
		return p, fmt.Errorf("sum the copy's progress: %w", err)
	}
	return p, nil
}

// TableProgress returns up to limit tables after a number (0 for the first
// page; numbers begin at 1 then, or pass -1), in the order of the plan, by
// their names on the source. next is the number to go on with, nil at the end.
func (s *Store) TableProgress(ctx context.Context, after, limit int) (tables []contract.TableProgress, next *int, err error) {
	limit = max(limit, 1)
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, nil, err
	}
	apart := map[int]TableGroup{}
	for _, g := range groups {
		for _, t := range g.Tables {
			apart[t.No] = g
		}
	}
	query := fmt.Sprintf("SELECT no, names, rows_estimated, planned, started, chunks, chunks_done, rows_done FROM %s WHERE task = %s AND no > %d ORDER BY no LIMIT %d",
		s.t(tableTable), s.task, after, limit+1)
	err = s.each(ctx, query, func(scan func(...any) error) error {
		var no int
		var data []byte
		var planned, started bool
		var chunks, done int64
		var p contract.TableProgress
		if err := scan(&no, &data, &p.RowsEstimated, &planned, &started, &chunks, &done, &p.RowsDone); err != nil {
			return err
		}
		if len(tables) == limit {
			next = &after
			return nil
		}
		var n names
		if err := read(data, &n, fmt.Sprintf("table %d of the plan", no)); err != nil {
			return err
		}
		after = no
		p.Schema, p.Table, p.ToSchema, p.ToTable = n.Source.Schema, n.Source.Table, n.Destination.Schema, n.Destination.Table
		p.State, p.Percent = tableState(planned, started, chunks, done)
		if g, ok := apart[no]; ok && (g.Dropped || !g.Planned) {
			p.State = "parked"
			if g.Dropped {
				p.State = "dropped"
			}
		}
		tables = append(tables, p)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the tables' progress: %w", err)
	}
	return tables, next, nil
}

func tableState(planned, started bool, chunks, done int64) (state string, percent int) {
	switch {
	case planned && chunks == done:
		return "copied", 100
	case started:
		return "copying", int(done * 100 / max(chunks, 1))
	default:
		return "waiting", 0
	}
}
