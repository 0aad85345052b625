package ddmsim

import (
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// updateOrDelete runs UPDATE and DELETE of one table on every physical table
// that the condition leaves. Without a sharding key in the condition that is
// all of them, and every copy of a primary key is changed (D-35).
func (ss *session) updateOrDelete(t *text, h hints) (*sqltypes.Result, error) {
	q, err := ss.parseQuery(t)
	if err != nil {
		return nil, err
	}
	var where *sqlparser.Where
	var limited bool
	switch n := q.stmt.(type) {
	case *sqlparser.Update:
		where, limited = n.Where, n.Limit != nil
		err = ss.checkUpdate(q, n)
	case *sqlparser.Delete:
		where, limited = n.Where, n.Limit != nil
		err = ss.checkDelete(q, n)
	default:
		err = syntaxError("near '" + clip(t.sql) + "'")
	}
	if err != nil {
		return nil, err
	}
	table := q.tables[0]
	list := h.limit(table.route(where))
	if err := ss.mustNarrow(table, list); err != nil {
		return nil, err
	}
	if limited && len(list) > 1 {
		return nil, refuse("D-33", "UPDATE and DELETE with LIMIT must hit one shard of %s", table.Name)
	}
	results, err := ss.write(q.schema, q.callsFor(table, list))
	if err != nil {
		return nil, err
	}
	out := &sqltypes.Result{}
	for i, r := range results {
		if table.Kind != broadcast || i == 0 || ss.server.cfg.BroadcastCountsAll {
			out.RowsAffected += r.RowsAffected
		}
	}
	return out, nil
}

// callsFor writes the statement for each physical table.
func (q *query) callsFor(table *tableRule, list []target) []call {
	texts := map[string]string{}
	calls := make([]call, 0, len(list))
	for _, at := range list {
		if _, have := texts[at.table]; !have {
			texts[at.table] = q.textFor(table.indexOf(at.table))
		}
		calls = append(calls, call{at.shard, texts[at.table]})
	}
	return calls
}

// indexOf is the number of a physical table within its shard.
func (t *tableRule) indexOf(physical string) int {
	for i := range t.perShard() {
		if t.physical(i) == physical {
			return i
		}
	}
	return 0
}

func (ss *session) checkUpdate(q *query, n *sqlparser.Update) error {
	if err := ss.checkOneTable(q, n.TableExprs); err != nil {
		return err
	}
	if n.Where != nil && hasArithmetic(n.Where.Expr) {
		return refuse("D-33", "arithmetic in the condition of UPDATE is not supported")
	}
	return ss.checkUpdates(q.tables[0], n.Exprs, "UPDATE")
}

func (ss *session) checkDelete(q *query, n *sqlparser.Delete) error {
	if len(n.Partitions) > 0 {
		return refuse("D-36", "PARTITION is not supported")
	}
	if len(n.Targets) > 0 {
		return unsupported("DELETE of several tables")
	}
	return ss.checkOneTable(q, n.TableExprs)
}

func (ss *session) checkOneTable(q *query, exprs []sqlparser.TableExpr) error {
	if hasSubquery(q.stmt) {
		return refuse("D-33", "subqueries in UPDATE and DELETE are not supported")
	}
	if len(exprs) != 1 || len(q.tables) != 1 {
		return unsupported("UPDATE or DELETE of joined tables")
	}
	if err := ss.checkTree(q.stmt); err != nil {
		return err
	}
	return ss.checkCompared(q.tables[0], q.stmt)
}

// checkUpdates judges the assignments of UPDATE and ON DUPLICATE KEY UPDATE.
func (ss *session) checkUpdates(t *tableRule, exprs sqlparser.UpdateExprs, what string) error {
	seen := map[string]bool{}
	for _, e := range exprs {
		name := e.Name.Name.String()
		if t.isKey(name) {
			return refuse("D-32", "sharding key %s of %s cannot be updated by %s", name, t.Name, what)
		}
		if seen[strings.ToLower(name)] {
			return refuse("D-33", "column %s is set twice", name)
		}
		seen[strings.ToLower(name)] = true
		if hasSubquery(e.Expr) {
			return refuse("D-33", "subqueries in %s are not supported", what)
		}
		_, c := t.column(name)
		if c == nil {
			continue // the node says which column is unknown
		}
		if err := ss.checkAssigned(c, literalOf(e.Expr)); err != nil {
			return err
		}
	}
	return nil
}

// checkCompared demands hexadecimal literals for binary columns in conditions,
// too (D-16).
func (ss *session) checkCompared(t *tableRule, stmt sqlparser.SQLNode) error {
	if ss.binary {
		return nil
	}
	var bad error
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		n, is := node.(*sqlparser.ComparisonExpr)
		if !is || bad != nil {
			return bad == nil, nil
		}
		left, isColumn := n.Left.(*sqlparser.ColName)
		if !isColumn {
			return true, nil
		}
		_, c := t.column(left.Name.String())
		if c == nil || !isBinaryType(c.Type) {
			return true, nil
		}
		values := []sqlparser.Expr{n.Right}
		if list, isList := n.Right.(sqlparser.ValTuple); isList {
			values = list
		}
		for _, v := range values {
			if l := literalOf(v); l.kind == litText && l.text != "" {
				bad = refuse("D-16", "column %s is binary: write x'…' or 0x…, not a quoted string", c.Name)
			}
		}
		return bad == nil, nil
	}, stmt)
	return bad
}
