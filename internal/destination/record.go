package destination

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"shardlift/internal/mysqlconn"
)

// record is one row of a SHOW statement by lower-case column name; NULL is not there.
type record map[string]string

// records runs a SHOW statement or a small SELECT in the text protocol.
func records(ctx context.Context, q mysqlconn.Querier, query string) ([]record, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, mysqlconn.Fault(err, "destination")
	}
	out, err := readRecords(rows)
	return out, mysqlconn.Fault(err, "destination")
}

// readRecords reads all rows and closes them.
func readRecords(rows *sql.Rows) (out []record, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		r := make(record, len(names))
		for i, name := range names {
			if values[i].Valid {
				r[strings.ToLower(name)] = values[i].String
			}
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// first returns the first of the named columns that the record has with a value.
func (r record) first(names ...string) string {
	for _, n := range names {
		if r[n] != "" {
			return r[n]
		}
	}
	return ""
}

func (r record) int(name string) int {
	n, _ := strconv.Atoi(r[name])
	return n
}
