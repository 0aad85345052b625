package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// ReadRange calls fn for every row of a key range, in key order, with all
// columns of the table. The row is reused: Clone to keep. When fn returns an
// error the read ends at once with that error, at the price of its connection.
// The table must have a primary key.
func (s *Source) ReadRange(ctx context.Context, t *table.Table, r table.KeyRange, fn func(row.Row) error) error {
	return readRange(ctx, s.db, t, r, fn)
}

func readRange(ctx context.Context, q mysqlconn.Querier, t *table.Table, r table.KeyRange, fn func(row.Row) error) error {
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = mysqlconn.SelectExpr(c)
	}
	var stopped error
	err := mysqlconn.ReadRows(ctx, q, selectRange(t, strings.Join(list, ", "), r), t.Columns, func(row row.Row) error {
		stopped = fn(row)
		return stopped
	})
	if stopped != nil && errors.Is(err, stopped) {
		return err
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, mysqlconn.Fault(err, t.Name.String()))
	}
	return nil
}

// Boundary returns the key of the row that stands offset rows after the
// beginning of a range, as canonical bytes; ok is false when the range has no
// such row.
func (s *Source) Boundary(ctx context.Context, t *table.Table, r table.KeyRange, offset int64) (key [][]byte, ok bool, err error) {
	parts := t.Primary().Columns()
	list, columns := make([]string, len(parts)), make([]table.Column, len(parts))
	for i, c := range parts {
		columns[i] = t.Columns[c]
		list[i] = mysqlconn.SelectExpr(columns[i])
	}
	query := selectRange(t, strings.Join(list, ", "), r) + " LIMIT 1 OFFSET " + strconv.FormatInt(offset, 10)
	err = mysqlconn.ReadRows(ctx, s.db, query, columns, func(found row.Row) error {
		key, ok = Bound(found.Clone()), true
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("find a key of %s: %w", t.Name, mysqlconn.Fault(err, t.Name.String()))
	}
	return key, ok, nil
}

// Bound makes a range's bound of key values.
func Bound(values []row.Value) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// selectRange reads along the primary key, whatever the optimizer thinks.
func selectRange(t *table.Table, list string, r table.KeyRange) string {
	key := t.Primary()
	text := []byte("SELECT " + list + " FROM " + dialect.QuoteName(t.Name.Schema, t.Name.Table) + " FORCE INDEX (PRIMARY)")
	if condition := dialect.RangeCondition(nil, t, key.Columns(), r); len(condition) > 0 {
		text = append(append(text, " WHERE "...), condition...)
	}
	text = append(text, " ORDER BY "...)
	for i, c := range key.Columns() {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = append(text, dialect.QuoteName(t.Columns[c].Name)...)
	}
	return string(text)
}
