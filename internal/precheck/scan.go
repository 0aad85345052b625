package precheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// scan reads rows of source tables within an item's time. A server that ends
// long statements by itself is asked about whole tables; an older one about the
// first rows only, because a statement that we give up goes on there.
type scan struct {
	env    *Env
	ctx    context.Context
	cancel context.CancelFunc
}

// scanRows is how many rows are looked at where the server sets no limit of time.
const scanRows = 200_000

func (e *Env) newScan(ctx context.Context) *scan {
	ctx, cancel := context.WithTimeout(ctx, itemTime)
	return &scan{env: e, ctx: ctx, cancel: cancel}
}

func (s *scan) end() { s.cancel() }

// isNull and before1583 are conditions on a column.
func isNull(column string) string { return column + " IS NULL" }

func before1583(column string) string { return column + " < '1583-01-01'" }

// count returns how many rows meet a condition on one column; whole is false
// when not all rows were looked at.
func (s *scan) count(t *table.Table, column int, condition func(string) string) (n int64, whole bool, err error) {
	name := dialect.QuoteName(t.Columns[column].Name)
	if indexed(t, column) { // the server looks only at the rows that meet it
		query := "SELECT COUNT(*) FROM " + dialect.QuoteName(t.Name.Schema, t.Name.Table) + " WHERE " + condition(name)
		values, whole, err := s.ask(query, 1)
		return values[0], whole, err
	}
	return s.aggregate(t, []int{column}, "SUM("+condition(name)+")")
}

// indexed says whether an index begins with the column.
func indexed(t *table.Table, column int) bool {
	for _, k := range t.Keys {
		if len(k.Parts) > 0 && k.Parts[0].Column == column && k.Parts[0].Prefix == 0 {
			return true
		}
	}
	return false
}

// aggregate evaluates one aggregate expression over the columns.
func (s *scan) aggregate(t *table.Table, columns []int, expression string) (n int64, whole bool, err error) {
	from := dialect.QuoteName(t.Name.Schema, t.Name.Table)
	src, err := s.env.src(s.ctx)
	if err != nil {
		return 0, false, err
	}
	if !src.limited() {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = dialect.QuoteName(t.Columns[c].Name)
		}
		from = fmt.Sprintf("(SELECT %s FROM %s LIMIT %d) AS looked", strings.Join(names, ", "), from, scanRows)
	}
	values, whole, err := s.ask("SELECT "+expression+", COUNT(*) FROM "+from, 2)
	if !src.limited() && values[1] >= scanRows {
		whole = false
	}
	return values[0], whole, err
}

// ask runs a query of numbers; one that takes too long gives zeros and whole false.
func (s *scan) ask(query string, columns int) (values []int64, whole bool, err error) {
	values = make([]int64, columns)
	if s.ctx.Err() != nil {
		return values, false, nil
	}
	src, err := s.env.src(s.ctx)
	if err != nil {
		return values, false, err
	}
	found := make([]sql.NullInt64, columns)
	into := make([]any, columns)
	for i := range found {
		into[i] = &found[i]
	}
	err = src.db.QueryRowContext(s.ctx, query).Scan(into...)
	switch {
	case err == nil:
	case tookTooLong(err), s.ctx.Err() != nil && errors.Is(context.Cause(s.ctx), context.DeadlineExceeded):
		return values, false, nil
	default:
		return values, false, mysqlconn.Fault(err, "source")
	}
	for i, v := range found {
		values[i] = v.Int64
	}
	return values, true, nil
}

// tookTooLong knows what servers say when they end a statement for its time.
func tookTooLong(err error) bool {
	switch mysqlconn.Number(err) {
	case 3024, 1969, 1317, 1028:
		return true
	default:
		return false
	}
}
