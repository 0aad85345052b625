package precheck

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"shardlift/internal/mysqlconn"
)

// record is one row by lower-case column name; NULL is "".
type record map[string]string

// show runs the first of the statements that the server knows.
func show(ctx context.Context, q mysqlconn.Querier, object string, statements ...string) ([]record, error) {
	var out []record
	var err error
	for _, s := range statements {
		out, err = records(ctx, q, s)
		if !mysqlconn.IsSyntax(err) {
			break
		}
	}
	return out, mysqlconn.Fault(err, object)
}

func records(ctx context.Context, q mysqlconn.Querier, query string, args ...any) (out []record, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
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
			r[strings.ToLower(name)] = values[i].String
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// one reads a single text value; empty for NULL.
func one(ctx context.Context, q mysqlconn.Querier, query string, args ...any) (string, error) {
	var v sql.NullString
	err := q.QueryRowContext(ctx, query, args...).Scan(&v)
	return v.String, err
}

// refused says whether the server answered with an error that is no lost
// connection: what was asked is not to be had there.
func refused(err error) bool {
	return mysqlconn.Number(err) != 0 && !mysqlconn.IsConnectionLost(err)
}
