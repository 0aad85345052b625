package dialect

import (
	"bytes"
	"slices"

	"shardlift/internal/row"
)

// chain builds conditions that name rows by some columns, as an OR chain of
// links `(fixed = x AND pivot IN (…))`, cut at the limits of an expression.
type chain struct {
	limits  Features
	names   map[int][]byte
	forms   map[int]form
	columns []int  // all columns of the condition
	fixed   []int  // columns that are equal within a link
	pivot   int    // the column of the link's IN list
	route   int    // shard key column whose values stand in front, -1 for none
	head    []byte // stands before each condition

	text    []byte // the links so far
	routes  []byte
	group   []byte // fixed columns of the last link, as key
	scratch []byte
	prior   []byte // route value of the last link
	open    bool   // the last link's IN list is open
	nulls   bool   // NULL routes one of the rows
	factors int
	rows    int
	links   int
	out     []Statement
}

func newChain(limits Features, columns, shardKey []int, names map[int][]byte, forms map[int]form) *chain {
	c := &chain{limits: limits, names: names, forms: forms, columns: columns, pivot: pivotOf(columns, shardKey), route: -1}
	for _, i := range columns {
		if i != c.pivot {
			c.fixed = append(c.fixed, i)
		}
	}
	if len(shardKey) == 1 && len(columns) > 1 && slices.Contains(columns, shardKey[0]) {
		c.route = shardKey[0]
	}
	return c
}

// pivotOf prefers the last column that does not route: rows of one shard key
// value then share a link.
func pivotOf(columns, shardKey []int) int {
	for _, c := range slices.Backward(columns) {
		if !slices.Contains(shardKey, c) {
			return c
		}
	}
	return columns[len(columns)-1]
}

func (c *chain) add(r row.Row) {
	group := r.AppendKey(c.scratch[:0], c.fixed)
	joins, cost := c.open && r[c.pivot] != nil && bytes.Equal(group, c.group), 1
	if !joins {
		cost = c.linkFactors()
	}
	if c.factors+cost > c.limits.MaxFactors || len(c.text)+len(c.routes)+c.most(r) > c.limits.MaxStatementBytes {
		c.flush()
		joins = false
	}
	c.rows++
	c.group, c.scratch = group, c.group
	if joins {
		c.text = append(c.text, ',')
		c.text = c.appendOperand(c.text, c.pivot, r[c.pivot])
		c.factors++
		return
	}
	c.startLink(r)
	c.addRoute(r)
}

// linkFactors is what a link of its own costs: two factors a column, and up to
// two in the route's list.
func (c *chain) linkFactors() int {
	n := 2 * len(c.columns)
	if c.route >= 0 {
		n += 2
	}
	return n
}

func (c *chain) startLink(r row.Row) {
	c.closeLink()
	if c.links > 0 {
		c.text = append(c.text, " OR "...)
	}
	c.links++
	c.factors += 2 * len(c.columns)
	c.text = append(c.text, '(')
	for _, i := range c.fixed {
		c.text = c.appendEqual(c.text, i, r[i])
		c.text = append(c.text, " AND "...)
	}
	if r[c.pivot] == nil {
		c.text = c.appendEqual(c.text, c.pivot, nil)
		c.text = append(c.text, ')')
		return
	}
	c.text = appendAll(c.text, c.names[c.pivot], []byte(" IN ("))
	c.text = c.appendOperand(c.text, c.pivot, r[c.pivot])
	c.open = true
}

func (c *chain) closeLink() {
	if c.open {
		c.text = append(c.text, "))"...)
		c.open = false
	}
}

func (c *chain) addRoute(r row.Row) {
	if c.route < 0 {
		return
	}
	v := r[c.route]
	if v == nil {
		c.nulls = true
		return
	}
	if len(c.routes) > 0 {
		if bytes.Equal(v, c.prior) {
			return
		}
		c.routes = append(c.routes, ',')
	} else {
		c.factors++ // the column
	}
	c.routes = c.appendOperand(c.routes, c.route, v)
	c.prior = v
	c.factors++
}

// most is more than the bytes that the row's link and route can take.
func (c *chain) most(r row.Row) int {
	n := len(c.head) + 64
	for _, i := range c.columns {
		n += len(c.names[i]) + 2*len(r[i]) + 64 // hex, introducer, collation
	}
	if c.route >= 0 {
		n += 2*len(r[c.route]) + 64
	}
	return n
}

func (c *chain) finish() []Statement {
	c.flush()
	return c.out
}

func (c *chain) flush() {
	if c.links == 0 {
		return
	}
	c.closeLink()
	sql := append(make([]byte, 0, len(c.head)+len(c.text)+len(c.routes)+64), c.head...)
	switch {
	case c.links == 1:
		sql = append(sql, c.text[1:len(c.text)-1]...)
	case len(c.routes) > 0 && !c.nulls:
		sql = appendAll(sql, c.names[c.route], []byte(" IN ("), c.routes, []byte(") AND ("), c.text, []byte(")"))
	default:
		sql = append(sql, c.text...)
	}
	c.out = append(c.out, Statement{SQL: string(sql), Rows: c.rows})
	c.text, c.routes, c.prior, c.nulls = c.text[:0], c.routes[:0], nil, false
	c.factors, c.rows, c.links = 0, 0, 0
}

func (c *chain) appendEqual(dst []byte, column int, v row.Value) []byte {
	dst = append(dst, c.names[column]...)
	if v == nil {
		return append(dst, " IS NULL"...)
	}
	dst = append(dst, " = "...)
	return c.appendOperand(dst, column, v)
}

func (c *chain) appendOperand(dst []byte, column int, v row.Value) []byte {
	f := c.forms[column]
	return f.appendCompared(dst, v)
}
