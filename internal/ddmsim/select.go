package ddmsim

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// selectStatement answers a SELECT: from one shard where its sharding key or a
// hint leaves one, else from all with a merge of what is simple.
func (ss *session) selectStatement(t *text, h hints) (*sqltypes.Result, error) {
	if t.at(0, "WITH") {
		return nil, refuse("D-45", "WITH is not supported")
	}
	if r, err := ss.selectSequence(t); r != nil || err != nil {
		return r, err
	}
	q, err := ss.parseQuery(t)
	if err != nil {
		return nil, err
	}
	if sel, is := q.stmt.(*sqlparser.Select); is && isInformationSchema(q.stmt, ss.schema) {
		return ss.selectInformation(sel)
	}
	kinds := map[tableKind]int{}
	for _, r := range q.tables {
		kinds[r.Kind]++
	}
	if err := ss.checkTree(q.stmt); err != nil {
		return nil, err
	}
	if err := ss.checkSelect(q); err != nil {
		return nil, err
	}
	ss.beginImplicit()
	if len(q.tables) == 0 {
		return ss.ask(ss.anyPlace(), q.textFor(0))
	}
	switch {
	case h.shard >= 0 && kinds[sharded] == 0:
		return ss.readOne(q, target{shard: h.shard})
	case kinds[sharded] == 0:
		return ss.readOne(q, target{})
	case kinds[single] > 0:
		return nil, unsupported("a join of sharded and unsharded tables")
	case kinds[sharded] > 1:
		return nil, unsupported("a statement over two sharded tables")
	}
	return ss.selectSharded(q, h)
}

// readOne runs the query on one shard; broadcast and unsharded tables only.
func (ss *session) readOne(q *query, at target) (*sqltypes.Result, error) {
	r, err := ss.ask(ss.server.placeOf(q.schema, at.shard), q.textFor(0))
	if err != nil {
		return nil, err
	}
	return q.logical(r), nil
}

func (ss *session) selectSharded(q *query, h hints) (*sqltypes.Result, error) {
	var table *tableRule
	for _, r := range q.tables {
		if r.Kind == sharded {
			table = r
		}
	}
	sel, is := q.stmt.(*sqlparser.Select)
	if !is {
		return nil, unsupported("UNION over a sharded table")
	}
	list := h.limit(table.targets())
	if len(q.tables) == 1 || onlyOuter(sel) {
		list = h.limit(table.route(sel.Where))
	}
	if err := ss.mustNarrow(table, list); err != nil {
		return nil, err
	}
	if len(list) == 1 {
		results, err := ss.each(q.schema, q.callsFor(table, list), ss.binary)
		if err != nil {
			return nil, err
		}
		return q.logical(results[0]), nil
	}
	return ss.scatter(q, sel, table, list)
}

// onlyOuter reports whether the condition belongs to the one SELECT there is.
func onlyOuter(sel *sqlparser.Select) bool { return !hasSubquery(sel) }

// checkSelect judges locks and SELECT … INTO.
func (ss *session) checkSelect(q *query) error {
	sel, is := q.stmt.(*sqlparser.Select)
	if !is {
		return nil
	}
	if sel.Into != nil {
		return refuse("D-14", "SELECT … INTO is not supported")
	}
	for _, r := range q.tables {
		if err := ss.checkCompared(r, q.stmt); err != nil {
			return err
		}
	}
	if sel.Lock == sqlparser.NoLock {
		return nil
	}
	if ss.server.cfg.NoRowLocks {
		return refuse("D-45", "SELECT … FOR UPDATE and LOCK IN SHARE MODE are switched off")
	}
	if len(q.tables) != 1 || sel.GroupBy != nil && len(sel.GroupBy.Exprs) > 0 || sel.Distinct || hasSubquery(sel) {
		return refuse("D-45", "locking reads must be simple")
	}
	return nil
}

// limitValue reads a LIMIT or OFFSET; D-17 bounds it.
func limitValue(e sqlparser.Expr) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(literalOf(e).text), 10, 64)
	return int(n), err == nil && n >= 0 && n <= 2147483647
}
