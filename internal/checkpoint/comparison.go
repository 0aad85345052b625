package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/contract"
)

// Results of comparisons and of their tables (drs.md C-16).
const (
	ResultConsistent   = "CONSISTENT"
	ResultInconsistent = "INCONSISTENT"
	ResultComparing    = "COMPARING"
	ResultWaiting      = "WAITING_FOR_COMPARISON"
	ResultFailed       = "FAILED_TO_COMPARE"
	ResultMissing      = "TARGET_DB_NOT_EXIT" // so spelled in DRS
	ResultImpossible   = "CAN_NOT_COMPARE"
)

// Comparison is one comparison as a whole.
type Comparison struct {
	ID         string     `json:"id"`
	Type       string     `json:"type"`
	Result     string     `json:"result"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// Compared is one table of a comparison, with the comparer's own cursor in it.
type Compared struct {
	No int `json:"-"` // Table.No of the plan
	contract.ComparedTable
	// Done: Result is final.
	Done bool `json:"-"`
	// Cursor is what the comparer goes on with after a restart; JSON.
	Cursor []byte `json:"cursor,omitempty"`
}

func (s *Store) whereComparison(id string) string {
	return fmt.Sprintf("task = %s AND id = %s", s.task, str(id))
}

// PutComparison writes a comparison; the same id again replaces it.
func (s *Store) PutComparison(ctx context.Context, c Comparison) error {
	value, err := body(c)
	if err == nil {
		err = s.put(ctx, tableComparison, s.whereComparison(c.ID), "body = "+string(value), "task, id, body, created",
			fmt.Sprintf("%s, %s, %s, %s", s.task, str(c.ID), value, micros(time.Now())))
	}
	if err != nil {
		return fmt.Errorf("write comparison %s: %w", c.ID, err)
	}
	return nil
}

// Comparison returns one comparison, nil when there is none of that id.
func (s *Store) Comparison(ctx context.Context, id string) (*Comparison, error) {
	var data []byte
	err := s.one(ctx, "SELECT body FROM "+s.t(tableComparison)+" WHERE "+s.whereComparison(id), &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read comparison %s: %w", id, err)
	}
	var c Comparison
	return &c, read(data, &c, "comparison "+id)
}

// LastComparison returns the comparison that was begun last, nil when there is none.
func (s *Store) LastComparison(ctx context.Context) (*Comparison, error) {
	var found *Comparison
	query := fmt.Sprintf("SELECT body FROM %s WHERE task = %s ORDER BY created DESC, id DESC LIMIT 1", s.t(tableComparison), s.task)
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var data []byte
		if err := scan(&data); err != nil {
			return err
		}
		found = &Comparison{}
		return read(data, found, "comparison")
	})
	if err != nil {
		return nil, fmt.Errorf("read the last comparison: %w", err)
	}
	return found, nil
}

// PutCompared writes one table's result or progress; again replaces it.
func (s *Store) PutCompared(ctx context.Context, comparison string, c Compared) error {
	value, err := body(c)
	if err == nil {
		err = s.put(ctx, tableCompared, fmt.Sprintf("%s AND no = %d", s.whereComparison(comparison), c.No),
			fmt.Sprintf("body = %s, result = %s, done = %s", value, str(c.Result), flag(c.Done)), "task, id, no, body, result, done",
			fmt.Sprintf("%s, %s, %d, %s, %s, %s", s.task, str(comparison), c.No, value, str(c.Result), flag(c.Done)))
	}
	if err != nil {
		return fmt.Errorf("write table %d of comparison %s: %w", c.No, comparison, err)
	}
	return nil
}

// Compared returns up to limit tables of a comparison after a number (-1 for
// the first page), in the order of the plan.
func (s *Store) Compared(ctx context.Context, comparison string, after, limit int) ([]Compared, error) {
	var out []Compared
	query := fmt.Sprintf("SELECT no, body, done FROM %s WHERE %s AND no > %d ORDER BY no LIMIT %d", s.t(tableCompared), s.whereComparison(comparison), after, max(limit, 1))
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var c Compared
		var no int
		var data []byte
		var done bool
		if err := scan(&no, &data, &done); err != nil {
			return err
		}
		err := read(data, &c, fmt.Sprintf("table %d of comparison %s", no, comparison))
		c.No, c.Done = no, done
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables of comparison %s: %w", comparison, err)
	}
	return out, nil
}

// CountCompared counts the tables of a comparison by result; only final ones
// when done is set.
func (s *Store) CountCompared(ctx context.Context, comparison string, done bool) (map[string]int, error) {
	condition := ""
	if done {
		condition = " AND done = 1"
	}
	out := map[string]int{}
	query := fmt.Sprintf("SELECT result, COUNT(*) FROM %s WHERE %s%s GROUP BY result", s.t(tableCompared), s.whereComparison(comparison), condition)
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var result string
		var n int
		err := scan(&result, &n)
		out[result] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the tables of comparison %s: %w", comparison, err)
	}
	return out, nil
}

// PutDifferences replaces the differing rows kept of one table of a comparison.
// The caller bounds their number; ComparedTable.Differences counts all.
func (s *Store) PutDifferences(ctx context.Context, comparison string, tableNo int, rows []contract.Difference) error {
	values := make([]string, 0, len(rows))
	for i, r := range rows {
		value, err := body(r)
		if err != nil {
			return err
		}
		values = append(values, fmt.Sprintf("(%s, %s, %d, %d, %s, 1)", s.task, str(comparison), tableNo, i, value))
	}
	insert := fmt.Sprintf("INSERT INTO %s (task, id, tbl, no, body, counter) VALUES ", s.t(tableDifference))
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := run(ctx, tx, fmt.Sprintf("DELETE FROM %s WHERE %s AND tbl = %d", s.t(tableDifference), s.whereComparison(comparison), tableNo)); err != nil {
			return err
		}
		for _, statement := range batches(insert, values) {
			if _, err := run(ctx, tx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write differences of table %d of comparison %s: %w", tableNo, comparison, err)
	}
	return nil
}

// Differences returns up to limit differing rows after a cursor ("" for the
// first page); next is the cursor to go on with, nil at the end.
func (s *Store) Differences(ctx context.Context, comparison, after string, limit int) (rows []contract.Difference, next *string, err error) {
	tbl, no := int64(-1), int64(-1)
	if after != "" {
		first, second, ok := strings.Cut(after, ".")
		var err1, err2 error
		tbl, err1 = strconv.ParseInt(first, 10, 64)
		no, err2 = strconv.ParseInt(second, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return nil, nil, fmt.Errorf("read differences: %q is no cursor", after)
		}
	}
	limit = max(limit, 1)
	query := fmt.Sprintf("SELECT tbl, no, body FROM %s WHERE %s AND (tbl > %d OR (tbl = %d AND no > %d)) ORDER BY tbl, no LIMIT %d",
		s.t(tableDifference), s.whereComparison(comparison), tbl, tbl, no, limit+1)
	err = s.each(ctx, query, func(scan func(...any) error) error {
		var t, n int64
		var data []byte
		if err := scan(&t, &n, &data); err != nil {
			return err
		}
		if len(rows) == limit {
			cursor := fmt.Sprintf("%d.%d", tbl, no)
			next = &cursor
			return nil
		}
		tbl, no = t, n
		var d contract.Difference
		err := read(data, &d, "a difference of comparison "+comparison)
		rows = append(rows, d)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read differences of comparison %s: %w", comparison, err)
	}
	return rows, next, nil
}

// answerTables bounds the tables of one page of an answer.
const answerTables = 200

// Answer puts a comparison together for InspectDifferences: its tables (after
// is "t<no>" for the next page of tables, a cursor of Differences for rows).
// nil when there is no such comparison.
func (s *Store) Answer(ctx context.Context, comparison, after string, limit int) (*contract.ComparisonAnswer, error) {
	c, err := s.Comparison(ctx, comparison)
	if err != nil || c == nil {
		return nil, err
	}
	out := &contract.ComparisonAnswer{ID: c.ID, Type: c.Type, Result: c.Result, StartedAt: c.StartedAt, FinishedAt: c.FinishedAt, Tables: []contract.ComparedTable{}}
	last := -1
	if text, ok := strings.CutPrefix(after, "t"); ok {
		if last, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("read comparison %s: %q is no cursor", comparison, after)
		}
		after = ""
	}
	if after == "" {
		tables, err := s.Compared(ctx, comparison, last, answerTables+1)
		if err != nil {
			return nil, err
		}
		for i, t := range tables {
			if i == answerTables {
				cursor := "t" + strconv.Itoa(tables[i-1].No)
				out.Next = &cursor
				return out, nil
			}
			out.Tables = append(out.Tables, t.ComparedTable)
		}
	}
	out.Differences, out.Next, err = s.Differences(ctx, comparison, after, limit)
	return out, err
}
