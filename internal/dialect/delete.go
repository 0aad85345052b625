package dialect

import (
	"bytes"
	"slices"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// Delete returns statements that delete exactly the rows with the identities of
// the given rows. Rows with NULL in the shard key are found by IS NULL.
//
// One-column identities become `pk IN (…)`. Longer ones become OR chains, never
// `pk IN (1,2) AND shard_key IN (7,8)`: that would delete (1,8) as well, which
// may be another row's legitimate place. Neighbours that differ in one column
// only share a link: `(shard_key = 7 AND pk IN (1,2))`. Where the shard key has one
// column, its values come first as an IN list, which every router understands.
func (d *Dialect) Delete(m *Mapping, rows []row.Row) []Statement {
	return d.deleteBy(m, rows, m.Identity, false)
}

// DeleteRange returns the statement that deletes a key range on all shards.
func (d *Dialect) DeleteRange(m *Mapping, r table.KeyRange) Statement {
	sql := appendAll(nil, []byte("DELETE FROM "), m.name)
	if condition := m.RangeCondition(nil, r); len(condition) > 0 {
		sql = appendAll(sql, []byte(" WHERE "), condition)
	}
	return Statement{SQL: string(sql)}
}

// deletion builds one DELETE after the other.
type deletion struct {
	m       *Mapping
	limits  Features
	columns []int // all columns of the condition
	fixed   []int // columns that are equal within a link
	pivot   int   // the column of the link's IN list
	route   int   // shard key column that stands in front, -1 for none

	links   []byte
	routes  []byte
	group   []byte // fixed columns of the last link, as key
	scratch []byte
	prior   []byte // route value of the last link
	open    bool   // the last link's IN list is open
	nulls   bool   // a NULL routes one of the rows
	factors int
	rows    int
	chain   int // links
	out     []Statement
}

// deleteBy deletes the rows that equal one of rows in all the given columns. In
// a unique index NULL equals nothing: skipNull leaves such rows out.
func (d *Dialect) deleteBy(m *Mapping, rows []row.Row, columns []int, skipNull bool) []Statement {
	b := &deletion{m: m, limits: d.features, columns: columns, pivot: pivotOf(m, columns), route: -1}
	for _, c := range columns {
		if c != b.pivot {
			b.fixed = append(b.fixed, c)
		}
	}
	if len(m.ShardKey) == 1 && len(columns) > 1 && slices.Contains(columns, m.ShardKey[0]) {
		b.route = m.ShardKey[0]
	}
	for _, r := range rows {
		if skipNull && slices.ContainsFunc(columns, func(c int) bool { return r[c] == nil }) {
			continue
		}
		b.add(r)
	}
	b.flush()
	return b.out
}

// pivotOf prefers the last column that does not route: rows of one shard key
// value then share a link.
func pivotOf(m *Mapping, columns []int) int {
	for _, c := range slices.Backward(columns) {
		if !slices.Contains(m.ShardKey, c) {
			return c
		}
	}
	return columns[len(columns)-1]
}

func (b *deletion) add(r row.Row) {
	// A link of its own costs two factors a column, and up to two in the route's list.
	if b.factors+2*len(b.columns)+2 > b.limits.MaxFactors || len(b.links)+len(b.routes)+b.most(r) > b.limits.MaxStatementBytes {
		b.flush()
	}
	group := r.AppendKey(b.scratch[:0], b.fixed)
	if b.open && r[b.pivot] != nil && bytes.Equal(group, b.group) {
		b.scratch = group
		b.links = append(b.links, ',')
		b.links = b.appendOperand(b.links, b.pivot, r[b.pivot])
		b.factors++
		b.rows++
		return
	}
	b.closeLink()
	if b.chain > 0 {
		b.links = append(b.links, " OR "...)
	}
	b.links = append(b.links, '(')
	for _, c := range b.fixed {
		b.links = b.appendEqual(b.links, c, r[c])
		b.links = append(b.links, " AND "...)
	}
	if r[b.pivot] == nil {
		b.links = b.appendEqual(b.links, b.pivot, nil)
		b.links = append(b.links, ')')
	} else {
		b.links = appendAll(b.links, b.m.keyNames[b.pivot], []byte(" IN ("))
		b.links = b.appendOperand(b.links, b.pivot, r[b.pivot])
		b.open = true
	}
	b.addRoute(r)
	b.group, b.scratch = group, b.group
	b.factors += 2 * len(b.columns)
	b.rows++
	b.chain++
}

// most is more than the bytes that the row's link and route can take.
func (b *deletion) most(r row.Row) int {
	n := len(b.m.name) + 64
	for _, c := range b.columns {
		n += len(b.m.keyNames[c]) + 2*len(r[c]) + 64 // hex, introducer, collation
	}
	if b.route >= 0 {
		n += 2*len(r[b.route]) + 64
	}
	return n
}

func (b *deletion) addRoute(r row.Row) {
	if b.route < 0 {
		return
	}
	v := r[b.route]
	if v == nil {
		b.nulls = true
		return
	}
	if len(b.routes) > 0 {
		if bytes.Equal(v, b.prior) {
			return
		}
		b.routes = append(b.routes, ',')
	} else {
		b.factors++ // the column
	}
	b.routes = b.appendOperand(b.routes, b.route, v)
	b.prior = v
	b.factors++
}

func (b *deletion) closeLink() {
	if b.open {
		b.links = append(b.links, "))"...)
		b.open = false
	}
}

func (b *deletion) flush() {
	if b.chain == 0 {
		return
	}
	b.closeLink()
	sql := appendAll(make([]byte, 0, len(b.links)+len(b.routes)+len(b.m.name)+64), []byte("DELETE FROM "), b.m.name, []byte(" WHERE "))
	switch {
	case b.chain == 1:
		sql = append(sql, b.links[1:len(b.links)-1]...)
	case len(b.routes) > 0 && !b.nulls:
		sql = appendAll(sql, b.m.keyNames[b.route], []byte(" IN ("), b.routes, []byte(") AND ("), b.links, []byte(")"))
	default:
		sql = append(sql, b.links...)
	}
	b.out = append(b.out, Statement{SQL: string(sql), Rows: b.rows})
	b.links, b.routes, b.prior, b.nulls = b.links[:0], b.routes[:0], nil, false
	b.factors, b.rows, b.chain = 0, 0, 0
}

func (b *deletion) appendEqual(dst []byte, column int, v row.Value) []byte {
	dst = append(dst, b.m.keyNames[column]...)
	if v == nil {
		return append(dst, " IS NULL"...)
	}
	dst = append(dst, " = "...)
	return b.appendOperand(dst, column, v)
}

func (b *deletion) appendOperand(dst []byte, column int, v row.Value) []byte {
	f := b.m.keyForms[column]
	return f.appendCompared(dst, v)
}
