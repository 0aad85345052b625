package mysqlconn

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// ReadRows runs a query by the binary protocol and calls fn for every row, in
// canonical values. columns describe the select list, whose expressions are
// those of SelectExpr; the row and its values are reused: Clone to keep.
//
// q is a *sql.DB or a *sql.Conn. When fn returns an error, or ctx ends, the
// connection is closed instead of reading the rest, and fn's error comes back
// unchanged.
func ReadRows(ctx context.Context, q Querier, query string, columns []table.Column, fn func(row.Row) error) error {
	switch q := q.(type) {
	case *sql.Conn:
		return readConn(ctx, q, query, columns, fn)
	case *sql.DB:
		conn, err := q.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return readConn(ctx, conn, query, columns, fn)
	default:
		return errors.New("read rows: neither a pool nor a connection")
	}
}

func readConn(ctx context.Context, conn *sql.Conn, query string, columns []table.Column, fn func(row.Row) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stopped, failed error
	err := conn.Raw(func(raw any) error {
		preparer, ok := raw.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("read rows: the driver cannot prepare")
		}
		statement, err := preparer.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { _ = statement.Close() }()
		queryer, ok := statement.(driver.StmtQueryContext)
		if !ok {
			return errors.New("read rows: the driver cannot query")
		}
		rows, err := queryer.QueryContext(ctx, nil)
		if err != nil {
			return err
		}
		stopped, failed = readAll(rows, columns, fn)
		if stopped == nil && (failed == nil || Number(failed) != 0) {
			return rows.Close()
		}
		cancel() // closes the connection: the rest is not worth reading
		return driver.ErrBadConn
	})
	return cmp.Or(stopped, failed, err)
}

// readAll returns fn's error and the server's or driver's apart.
func readAll(rows driver.Rows, columns []table.Column, fn func(row.Row) error) (stopped, err error) {
	if n := len(rows.Columns()); n != len(columns) {
		return nil, fmt.Errorf("read rows: the result has %d columns instead of %d", n, len(columns))
	}
	values := make([]driver.Value, len(columns))
	d := newDecoder(columns)
	for {
		if err := next(rows, values); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		r, err := d.decode(values)
		if err != nil {
			return nil, err
		}
		if err := fn(r); err != nil {
			return err, nil
		}
	}
}

// next reads a row. The driver trusts lengths that the server sends.
func next(rows driver.Rows, values []driver.Value) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: row", errGreeting)
		}
	}()
	return rows.Next(values)
}

// SelectExpr returns what to select for a column so that ReadRows understands
// it: ENUM and SET as their number (an addition would go through a double and
// lose bits of a SET), all others as they are.
func SelectExpr(c table.Column) string {
	name := quoteName(c.Name)
	if c.Type == table.TypeEnum || c.Type == table.TypeSet {
		return "CAST(" + name + " AS UNSIGNED)"
	}
	return name
}
