package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// Park takes tables out of group 0 into a group of their own, which goes on from
// group 0's checkpoint, or from its From when group 0 has none yet: one
// transaction, under the fences of both units. Repeated, it changes nothing.
func (s *Store) Park(ctx context.Context, own, of *Fence, g TableGroup) (*Checkpoint, error) {
	c, err := s.park(ctx, own, of, g)
	if err != nil {
		return nil, fmt.Errorf("park group %d: %w", g.No, err)
	}
	return c, nil
}

func (s *Store) park(ctx context.Context, own, of *Fence, g TableGroup) (*Checkpoint, error) {
	there, err := s.Group(ctx, g.No)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return s.Load(ctx, g.No)
	}
	c := &Checkpoint{Group: g.No, Position: g.From}
	zero, err := s.Load(ctx, 0)
	if err != nil {
		return nil, err
	}
	if zero != nil {
		c.Position, c.SourceTime, c.Version = zero.Position, zero.SourceTime, zero.Version
	}
	// A mark that is missing from now on is a loss, and known as one.
	found, err := of.Marks(ctx, c.Position, nil)
	if err != nil {
		return nil, err
	}
	c.Marks = map[string]int64{}
	for p, m := range found {
		c.Marks[p.String()] = m.Counter
	}
	value, err := body(c)
	if err != nil {
		return nil, err
	}
	row, err := body(g)
	if err != nil {
		return nil, err
	}
	err = s.transactionOf(ctx, []*Fence{own, of}, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, own); err != nil {
			return err
		}
		if err := s.hold(ctx, tx, of); err != nil {
			return err
		}
		return s.all(ctx, tx,
			fmt.Sprintf("INSERT INTO %s (task, no, body, counter) VALUES (%s, %d, %s, 1)", s.t(tableGroup), s.task, g.No, row),
			fmt.Sprintf("INSERT INTO %s (task, grp, token, body, counter) VALUES (%s, %d, %s, %s, 1)", s.t(tableCheckpoint), s.task, g.No, str(of.token.String()), value))
	})
	return c, err
}

// all runs statements in a transaction.
func (s *Store) all(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := run(ctx, tx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Mergeable says whether group 0 may take a group's tables now: both have passed
// every statement that changed a definition, and the start of a copy that was
// planned for the group. Where it may not, why says what is awaited.
func (s *Store) Mergeable(ctx context.Context, g TableGroup) (why string, err error) {
	zero, err := s.Load(ctx, 0)
	if err != nil || zero == nil {
		return "", err
	}
	c, err := s.Load(ctx, g.No)
	if err != nil || c == nil {
		return "", err
	}
	older, err := olderOf(zero.Position, c.Position)
	if err != nil {
		return "one position that both have passed", nil
	}
	if g.Planned {
		if passed, err := older.Covers(g.From); err != nil || !passed {
			return "the start of the group's copy at " + g.From.String(), err
		}
	}
	all, _, err := s.definitions(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range all {
		if d.From.IsZero() {
			continue
		}
		passed, err := older.Covers(d.From)
		if err != nil {
			return "", fmt.Errorf("place the definition of %s: %w", d.Name, err)
		}
		if !passed || samePosition(older, d.From) {
			return fmt.Sprintf("the statement on %s at %s", d.Name, d.From), nil
		}
	}
	return "", nil
}

// olderOf returns the position that the other one covers.
func olderOf(a, b position.Position) (position.Position, error) {
	covers, err := a.Covers(b)
	if err != nil {
		return a, err
	}
	if covers {
		return b, nil
	}
	if covers, err = b.Covers(a); err != nil {
		return a, err
	}
	if !covers {
		return a, fmt.Errorf("neither %s nor %s covers the other", a, b)
	}
	return a, nil
}

// Merge gives a group's tables back to group 0, which goes on at the older of both
// positions in safe mode: one transaction, under the fences of both units, with
// no lane of the group at work. It returns group 0's checkpoint, nil when it has
// none yet. Repeated, it changes nothing.
func (s *Store) Merge(ctx context.Context, own, of *Fence, g TableGroup) (*Checkpoint, error) {
	c, err := s.merge(ctx, own, of, g)
	if err != nil {
		return nil, fmt.Errorf("merge group %d: %w", g.No, err)
	}
	return c, nil
}

func (s *Store) merge(ctx context.Context, own, of *Fence, g TableGroup) (*Checkpoint, error) {
	merged, err := s.mergedCheckpoint(ctx, own, of, g)
	if err != nil {
		return nil, err
	}
	err = s.transactionOf(ctx, []*Fence{own, of}, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, own); err != nil {
			return err
		}
		if err := s.hold(ctx, tx, of); err != nil {
			return err
		}
		if merged != nil {
			value, err := body(merged)
			if err != nil {
				return err
			}
			n, err := run(ctx, tx, fmt.Sprintf("UPDATE %s SET body = %s, counter = counter + 1 WHERE %s AND token = %s",
				s.t(tableCheckpoint), value, s.whereGroup(0), str(own.token.String())))
			if err != nil {
				return err
			}
			if n != 1 {
				return fault.Fenced.New(own.unit, "")
			}
		}
		return s.all(ctx, tx,
			fmt.Sprintf("DELETE FROM %s WHERE %s", s.t(tableCheckpoint), s.whereGroup(g.No)),
			fmt.Sprintf("DELETE FROM %s WHERE task = %s AND no = %d", s.t(tableGroup), s.task, g.No))
	})
	return merged, err
}

// mergedCheckpoint is group 0's after the merge. Its marks are raised first, so
// that from now on they speak for what the group wrote, too; then the group's own
// are looked at: what a place has lost by then is written again.
func (s *Store) mergedCheckpoint(ctx context.Context, own, of *Fence, g TableGroup) (*Checkpoint, error) {
	zero, err := s.Load(ctx, 0)
	if err != nil || zero == nil {
		return nil, err
	}
	c, err := s.Load(ctx, g.No)
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = &Checkpoint{Position: g.From}
	}
	merged := *zero
	if merged.Position, err = olderOf(zero.Position, c.Position); err != nil {
		return nil, err
	}
	merged.Rows += c.Rows
	merged.Transactions += c.Transactions
	merged.Divergences += c.Divergences
	if err := s.raiseMarks(ctx, own, &merged); err != nil {
		return nil, err
	}
	found, err := of.Marks(ctx, c.Position, c.Marks)
	if err != nil {
		return nil, err
	}
	at := map[string]Mark{}
	for p, m := range found {
		at[p.String()] = m
	}
	for name, counter := range c.Marks {
		back := g.From // nothing of the group is left there
		if m, there := at[name]; there {
			if m.Counter >= counter {
				continue
			}
			back = m.Position
		}
		if merged.Position, err = olderOf(merged.Position, back); err != nil {
			return nil, err
		}
	}
	return &merged, nil
}

// raiseMarks raises group 0's mark on every place that still has what the
// checkpoint says; the others are left to the apply, which sees that they lost it.
func (s *Store) raiseMarks(ctx context.Context, own *Fence, c *Checkpoint) (err error) {
	found, err := own.Marks(ctx, c.Position, c.Marks)
	if err != nil {
		return err
	}
	session, err := s.d.Session(ctx)
	if err != nil {
		return fmt.Errorf("open destination session: %w", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	if err := own.Register(ctx, session); err != nil {
		return err
	}
	marks, base := map[string]int64{}, map[string]int64{}
	maps.Copy(marks, c.Marks)
	for p, m := range found {
		if m.Counter < c.Marks[p.String()] {
			continue
		}
		if err := s.raiseMark(ctx, own, session, p, m.Counter+1, c.Position); err != nil {
			return fmt.Errorf("raise the mark of %s: %w", p, err)
		}
		marks[p.String()], base[p.String()] = m.Counter+1, m.Counter+1
	}
	c.Marks, c.Base = marks, base
	return nil
}

// ForgetUnits removes the owner, fence and mark rows of a group that was merged or
// dropped. Whoever still holds one of its fences finds no row, which counts as a
// newer owner; its number is never used again.
func (s *Store) ForgetUnits(ctx context.Context, group int, schemas []string) error {
	units := fmt.Sprintf("(unit = %s OR unit LIKE %s)", str(ApplyUnit(group)), str(copyPrefix(group)+"%"))
	var err error
	for _, name := range []string{tableOwner, tableConnection} {
		if err == nil {
			_, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s AND %s", s.t(name), s.task, units))
		}
	}
	for _, schema := range schemas {
		if err == nil {
			_, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s AND %s", s.fenceTable(schema), s.task, units))
		}
		if err == nil {
			_, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s AND (unit LIKE %s OR unit LIKE %s)", s.markTable(schema), s.task, str(ApplyUnit(group)+"@%"), str(copyPrefix(group)+"%")))
		}
		if isAbsent(err) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove the fences of group %d: %w", group, err)
	}
	return nil
}

// LastMarked returns the highest chunk number that a mark in the schemas bears:
// the marks of chunks that were planned anew stay, so their numbers are used up.
func (s *Store) LastMarked(ctx context.Context, schemas []string) (int64, error) {
	var last int64
	for _, schema := range schemas {
		var n sql.NullInt64
		err := s.one(ctx, fmt.Sprintf("SELECT MAX(no) FROM %s WHERE task = %s AND unit LIKE %s", s.markTable(schema), s.task, str(copies+"@%")), &n)
		if err != nil && mysqlconn.Number(err) != errNoTable {
			return 0, fmt.Errorf("read the last chunk mark in %s: %w", schema, err)
		}
		last = max(last, n.Int64)
	}
	return last, nil
}

// NextTable returns the number of the next table that joins the plan.
func (s *Store) NextTable(ctx context.Context) (int, error) {
	there, err := s.tableNumbers(ctx)
	if err != nil {
		return 0, err
	}
	next := 1
	for no := range there {
		next = max(next, no+1)
	}
	groups, err := s.Groups(ctx)
	for _, g := range groups { // numbers of tables that have left it
		for _, t := range g.Tables {
			next = max(next, t.No+1)
		}
	}
	return next, err
}
