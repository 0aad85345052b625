package destination

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// ReadRange reads the destination's rows in a range of the source's primary
// keys, from the primary, and calls fn with rows that have the SOURCE's columns
// in canonical values (unmapped ones nil); text comes in the source column's
// character set. The row is reused: Clone to keep. No order is promised, since
// a middleware's merge order is not the collation's.
func (d *Destination) ReadRange(ctx context.Context, m *dialect.Mapping, r table.KeyRange, fn func(row.Row) error) error {
	columns, list := selectList(m)
	query := []byte(d.Hint() + "SELECT " + list + " FROM " + dialect.QuoteName(m.Destination.Name.Schema, m.Destination.Name.Table))
	if r.Lower != nil || r.Upper != nil {
		query = m.RangeCondition(append(query, " WHERE "...), r)
	}
	out := make(row.Row, len(m.Source.Columns))
	err := mysqlconn.ReadRows(ctx, d.ReadDB(), string(query), columns, func(got row.Row) error {
		for i, p := range m.Pairs {
			out[p.Source] = got[i]
		}
		return fn(out)
	})
	if err != nil {
		return fmt.Errorf("read a range of %s: %w", m.Destination.Name, d.readFault(err, m))
	}
	return nil
}

// readFault leaves fn's own errors as they are.
func (d *Destination) readFault(err error, m *dialect.Mapping) error {
	if mysqlconn.Number(err) != 0 || mysqlconn.IsConnectionLost(err) {
		return mysqlconn.Fault(err, m.Destination.Name.String())
	}
	return err
}

// selectList returns the mapped columns in the order of m.Pairs.
func selectList(m *dialect.Mapping) ([]table.Column, string) {
	columns := make([]table.Column, len(m.Pairs))
	list := make([]string, len(m.Pairs))
	for i, p := range m.Pairs {
		from, to := m.Source.Columns[p.Source], m.Destination.Columns[p.Destination]
		columns[i], list[i] = to, ExprIn(to, from)
	}
	return columns, strings.Join(list, ", ")
}

// ReadShard reads the identity columns (m.Identity, in that order) of a key
// range on one physical shard, through the shard hint, and so in the text
// protocol, or a session that is bound to the shard (Vitess). Where there is
// neither it reads nothing. The row is reused.
func (d *Destination) ReadShard(ctx context.Context, m *dialect.Mapping, shard int, r table.KeyRange, fn func(row.Row) error) error {
	hint := d.dialect.ShardHint(m.Destination.Name.Schema, shard)
	in := cmp.Or(d.dialect.ShardTarget(&m.Placement, m.Destination.Name.Schema, shard), m.Destination.Name.Schema)
	if hint == "" && in == m.Destination.Name.Schema {
		return nil
	}
	columns := make([]table.Column, len(m.Identity))
	list := make([]string, len(m.Identity))
	for i, c := range m.Identity {
		columns[i] = m.Destination.Columns[m.Destination.Column(m.Source.Columns[c].Name)]
		list[i] = storedExpr(columns[i])
	}
	query := []byte(hint + "SELECT " + strings.Join(list, ", ") + " FROM " + dialect.QuoteName(m.Destination.Name.Table))
	if r.Lower != nil || r.Upper != nil {
		query = m.RangeCondition(append(query, " WHERE "...), r)
	}
	err := d.in(ctx, in, func(conn *sql.Conn) error {
		if d.reads != nil {
			if _, err := conn.ExecContext(ctx, "SET workload = 'olap'"); err != nil {
				return mysqlconn.Fault(err, "workload")
			}
		}
		rows, err := conn.QueryContext(ctx, string(query))
		if err != nil {
			return mysqlconn.Fault(err, m.Destination.Name.String())
		}
		return eachText(rows, columns, fn)
	})
	if err != nil {
		return fmt.Errorf("read shard %d of %s: %w", shard, m.Destination.Name, err)
	}
	return nil
}

func eachText(rows *sql.Rows, columns []table.Column, fn func(row.Row) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	raw := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range raw {
		into[i] = &raw[i]
	}
	out := make(row.Row, len(columns))
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range raw {
			if out[i], err = canonicalText(columns[i], raw[i]); err != nil {
				return err
			}
		}
		if err := fn(out); err != nil {
			return err
		}
	}
	return rows.Err()
}

// canonicalText turns what the text protocol sends into a canonical value. Only
// the types whose text is not the canonical form already need work.
func canonicalText(c table.Column, v []byte) (row.Value, error) {
	if v == nil {
		return nil, nil
	}
	switch c.Type {
	case table.TypeFloat, table.TypeDouble:
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return nil, fmt.Errorf("column %s: not a number", c.Name)
		}
		if c.Type == table.TypeFloat {
			return beBytes(uint64(math.Float32bits(float32(f))), 4), nil
		}
		return beBytes(math.Float64bits(f), 8), nil
	case table.TypeInt:
		if text := strings.TrimLeft(string(v), "0"); text != "" {
			return row.Value(text), nil // ZEROFILL pads
		}
		return row.Value("0"), nil
	case table.TypeText:
		if strings.HasPrefix(strings.ToLower(c.SQLType), "char") {
			return row.Value(strings.TrimRight(string(v), " ")), nil
		}
	default:
	}
	return row.Value(v), nil
}

func beBytes(n uint64, size int) row.Value {
	out := make(row.Value, size)
	for i := range size {
		out[i] = byte(n >> (8 * (size - 1 - i)))
	}
	return out
}
