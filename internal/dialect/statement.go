package dialect

import (
	"slices"
	"strings"
	"unsafe"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// Statement is one statement of its own packet. Rows is the number of rows it
// was made of.
type Statement struct {
	SQL  string
	Rows int
}

// Insert returns multi-row INSERT statements, cut at MaxStatementBytes.
func (d *Dialect) Insert(m *Mapping, rows []row.Row) []Statement {
	return d.write(m, rows, "INSERT INTO ", nil)
}

// Replace returns multi-row REPLACE statements. Where REPLACE is refused, as on
// sharded tables of Vitess, it returns deletes by identity and by each unique
// index, then inserts; these belong in one transaction.
func (d *Dialect) Replace(m *Mapping, rows []row.Row) []Statement {
	if d.features.Replace || m.Placement.Kind == table.Single {
		return d.write(m, rows, "REPLACE INTO ", nil)
	}
	return d.deleteInsert(m, rows)
}

// Upsert returns INSERT … ON DUPLICATE KEY UPDATE statements that never set a
// column of primary or shard key (D-32); strict mode only. A table without
// other columns gets plain INSERT: there is nothing to update.
func (d *Dialect) Upsert(m *Mapping, rows []row.Row) []Statement {
	if len(m.values) == 0 {
		return d.Insert(m, rows)
	}
	if d.features.RowAlias {
		return d.write(m, rows, "INSERT INTO ", appendAll(nil, []byte(" AS new ON DUPLICATE KEY UPDATE "), m.aliased))
	}
	return d.write(m, rows, "INSERT INTO ", appendAll(nil, []byte(" ON DUPLICATE KEY UPDATE "), m.values))
}

// Truncate returns the statement that empties the destination table.
func (d *Dialect) Truncate(m *Mapping) Statement {
	return Statement{SQL: "TRUNCATE TABLE " + string(m.name)}
}

// write joins rows to statements `verb table (columns) VALUES (…),(…) tail`.
func (d *Dialect) write(m *Mapping, rows []row.Row, verb string, tail []byte) []Statement {
	if len(rows) == 0 {
		return nil
	}
	var out []Statement
	limit := d.features.MaxStatementBytes - len(tail)
	head := appendAll(nil, []byte(verb), m.name, []byte(" "), m.list, []byte(" VALUES "))
	buf := make([]byte, 0, min(d.features.MaxStatementBytes, len(rows)*rows[0].Size()+len(head)+len(tail)))
	buf = append(buf, head...)
	count := 0
	for _, r := range rows {
		start := len(buf)
		if count > 0 {
			buf = append(buf, ',')
		}
		tuple := len(buf)
		if size := r.Size(); size > d.features.MaxStatementBytes {
			buf = slices.Grow(buf, 2*size+literalBytes*len(m.Pairs)+len(tail))
		}
		buf = m.appendTuple(buf, r)
		if len(buf) <= limit || count == 0 {
			count++
			continue
		}
		out = append(out, finish(buf[:start], tail, count))
		n := copy(buf[len(head):], buf[tuple:])
		buf, count = buf[:len(head)+n], 1
	}
	if len(buf) > d.features.MaxStatementBytes {
		return append(out, handOver(append(buf, tail...), count))
	}
	return append(out, finish(buf, tail, count))
}

// literalBytes is more than a value's literal has beyond two digits a byte.
const literalBytes = 64

// handOver makes the statement of a buffer that nobody writes to again, without
// a copy: a row of 64 MiB has 128 MiB of hexadecimal.
func handOver(text []byte, rows int) Statement {
	return Statement{SQL: unsafe.String(unsafe.SliceData(text), len(text)), Rows: rows}
}

// finish makes the statement's text and leaves the buffer for the next one.
func finish(text, tail []byte, rows int) Statement {
	var sql strings.Builder
	sql.Grow(len(text) + len(tail))
	sql.Write(text)
	sql.Write(tail)
	return Statement{SQL: sql.String(), Rows: rows}
}

func (m *Mapping) appendTuple(dst []byte, r row.Row) []byte {
	dst = append(dst, '(')
	for i := range m.Pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := r[m.Pairs[i].Source]
		if m.zeroAsText == i+1 && string(v) == "0" {
			dst = append(dst, "'0'"...)
			continue
		}
		dst = m.forms[i].appendStored(dst, v)
	}
	return append(dst, ')')
}
