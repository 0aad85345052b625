package compare

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// side reads one side of a mapped table. Its rows have the source's columns in
// canonical values, as the destination stores them; columns that are not
// compared are nil.
type side struct {
	db      *sql.DB
	object  string // for errors
	hint    string
	list    string // select list
	from    string // FROM table
	columns []table.Column
	at      []int // source ordinal of each selected column
	width   int
	// canonical makes of a source row what the destination stores; nil there.
	canonical func(row.Row) row.Row
	// keys names rows by primary key.
	keys func(rows []row.Row) []string
}

// maxFactors bounds the source's conditions, as the strictest destination does.
const maxFactors = 1000

func sourceSide(db *sql.DB, m *dialect.Mapping, columns []int) *side {
	s := &side{
		db: db, object: m.Source.Name.String(), width: len(m.Source.Columns), canonical: m.Canonical,
		keys: func(rows []row.Row) []string { return dialect.KeyConditions(m.Source, m.Primary, rows, maxFactors) },
	}
	var list []string
	for _, c := range columns {
		column := m.Source.Columns[c]
		expression := mysqlconn.SelectExpr(column)
		if at := slices.IndexFunc(m.Pairs, func(p dialect.Pair) bool { return p.Source == c }); at >= 0 {
			expression, _ = exprs(m, m.Pairs[at])
		}
		s.columns, s.at, list = append(s.columns, column), append(s.at, c), append(list, expression)
	}
	s.list, s.from = strings.Join(list, ", "), " FROM "+dialect.QuoteName(m.Source.Name.Schema, m.Source.Name.Table)
	return s
}

func destinationSide(db *sql.DB, d *dialect.Dialect, m *dialect.Mapping, columns []int) *side {
	s := &side{
		db: db, object: m.Destination.Name.String(), hint: d.Features().ReadHint, width: len(m.Source.Columns),
		keys: func(rows []row.Row) []string { return d.KeyConditions(m, rows) },
	}
	var list []string
	for _, p := range m.Pairs {
		if !slices.Contains(columns, p.Source) {
			continue
		}
		_, expression := exprs(m, p)
		s.columns, s.at, list = append(s.columns, m.Destination.Columns[p.Destination]), append(s.at, p.Source), append(list, expression)
	}
	s.list, s.from = strings.Join(list, ", "), " FROM "+dialect.QuoteName(m.Destination.Name.Schema, m.Destination.Name.Table)
	return s
}

// exprs returns what to select of a pair of columns on both sides.
func exprs(m *dialect.Mapping, p dialect.Pair) (source, there string) {
	return destination.ComparableExprs(m.Source.Columns[p.Source], m.Destination.Columns[p.Destination], slices.Contains(m.Identity, p.Source))
}

// rows reads by a condition, which may be empty, and a tail (ORDER BY, LIMIT).
// The row is reused: Clone to keep.
func (s *side) rows(ctx context.Context, condition, tail string, fn func(row.Row) error) error {
	if condition != "" {
		condition = " WHERE " + condition
	}
	query := s.hint + "SELECT " + s.list + s.from + condition + tail
	out := make(row.Row, s.width)
	err := mysqlconn.ReadRows(ctx, s.db, query, s.columns, func(got row.Row) error {
		for i, c := range s.at {
			out[c] = got[i]
		}
		if s.canonical != nil {
			return fn(s.canonical(out))
		}
		return fn(out)
	})
	if err != nil {
		return s.fault(err)
	}
	return nil
}

// byKeys reads the rows with the primary keys of the given ones.
func (s *side) byKeys(ctx context.Context, keys []row.Row, fn func(row.Row) error) error {
	for _, condition := range s.keys(keys) {
		if err := s.rows(ctx, condition, "", fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) count(ctx context.Context) (int64, error) {
	var n int64
	if err := s.db.QueryRowContext(ctx, s.hint+"SELECT COUNT(*)"+s.from).Scan(&n); err != nil {
		return 0, s.fault(err)
	}
	return n, nil
}

// fault leaves errors of our own as they are and shows no values of the server's.
func (s *side) fault(err error) error {
	if mysqlconn.Number(err) != 0 || mysqlconn.IsConnectionLost(err) {
		err = mysqlconn.Fault(err, s.object)
	}
	return fmt.Errorf("read %s: %w", s.object, err)
}
