package ddmsim

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// spots is a set of physical tables, by shard × tables per shard + table. Nil
// stands for all.
type spots []bool

// route finds the physical tables that rows matching the condition can stand
// in: a sharding key compared by = or IN with constants narrows, AND intersects,
// OR unites, everything else is all.
func (t *tableRule) route(where *sqlparser.Where) []target {
	all := t.targets()
	if where == nil || t.Kind != sharded {
		return all
	}
	set := t.routeExpr(where.Expr)
	if set == nil {
		return all
	}
	var out []target
	for i, in := range set {
		if in {
			out = append(out, all[i])
		}
	}
	if len(out) == 0 { // a contradiction: any shard answers that there is none
		out = all[:1]
	}
	return out
}

// mustNarrow refuses a statement that goes to all shards where the instance
// parameter contains_shard_key is ON (D-08).
func (ss *session) mustNarrow(t *tableRule, list []target) error {
	if ss.server.cfg.ContainsShardKey && t.Kind == sharded && len(list) > 1 && len(list) == len(t.targets()) {
		return refuse("D-08", "contains_shard_key is ON: a condition on the sharding key of %s is needed", t.Name)
	}
	return nil
}

func (t *tableRule) routeExpr(e sqlparser.Expr) spots {
	switch n := e.(type) {
	case *sqlparser.AndExpr:
		return intersect(t.routeExpr(n.Left), t.routeExpr(n.Right))
	case *sqlparser.OrExpr:
		return unite(t.routeExpr(n.Left), t.routeExpr(n.Right))
	case *sqlparser.ComparisonExpr:
		return t.routeComparison(n)
	}
	return nil
}

func (t *tableRule) routeComparison(n *sqlparser.ComparisonExpr) spots {
	switch n.Operator {
	case sqlparser.EqualOp, sqlparser.NullSafeEqualOp:
		if left, is := n.Left.(sqlparser.ValTuple); is {
			right, isTuple := n.Right.(sqlparser.ValTuple)
			if !isTuple || len(left) != len(right) {
				return nil
			}
			var set spots
			for i := range left {
				set = intersect(set, t.routeEqual(left[i], right[i]))
			}
			return set
		}
		if set := t.routeEqual(n.Left, n.Right); set != nil {
			return set
		}
		return t.routeEqual(n.Right, n.Left)
	case sqlparser.InOp:
		list, is := n.Right.(sqlparser.ValTuple)
		if !is || len(list) == 0 {
			return nil
		}
		set := make(spots, len(t.targets()))
		for _, v := range list {
			one := t.routeEqual(n.Left, v)
			if tuple, isTuple := n.Left.(sqlparser.ValTuple); isTuple {
				values, isRow := v.(sqlparser.ValTuple)
				if !isRow || len(values) != len(tuple) {
					return nil
				}
				one = nil
				for i := range tuple {
					one = intersect(one, t.routeEqual(tuple[i], values[i]))
				}
			}
			if one == nil {
				return nil
			}
			set = unite(set, one)
		}
		return set
	default:
		return nil
	}
}

// routeEqual narrows by column = constant.
func (t *tableRule) routeEqual(column, value sqlparser.Expr) spots {
	c, is := column.(*sqlparser.ColName)
	if !is {
		return nil
	}
	v := literalOf(value)
	if v.kind == litOther || v.kind == litNull || v.kind == litDefault {
		return nil
	}
	isDB := strings.EqualFold(t.DB.Column, c.Name.String())
	isTB := t.TB != nil && strings.EqualFold(t.TB.Column, c.Name.String())
	if isDB && !t.DB.valid(v) || isTB && !t.TB.valid(v) {
		return nil
	}
	n := t.perShard()
	set := make(spots, t.Shards*n)
	switch {
	case isDB && (isTB || t.TB == nil):
		db, tb := places(t.DB, t.TB, t.Shards, n, v, v)
		set[db*n+tb] = true
	case isDB:
		db := t.DB.place(v, t.Shards)
		for i := range n {
			set[db*n+i] = true
		}
	case isTB:
		tb := t.TB.place(v, n)
		for s := range t.Shards {
			set[s*n+tb] = true
		}
	default:
		return nil
	}
	return set
}

// valid reports whether a constant can be reduced to a shard.
func (p *partition) valid(v literal) bool {
	_, ok := p.number(v)
	return ok
}

func intersect(a, b spots) spots {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out := make(spots, len(a))
	for i := range a {
		out[i] = a[i] && b[i]
	}
	return out
}

func unite(a, b spots) spots {
	if a == nil || b == nil {
		return nil
	}
	out := make(spots, len(a))
	for i := range a {
		out[i] = a[i] || b[i]
	}
	return out
}

// literalOf reads a constant of the parsed statement.
func literalOf(e sqlparser.Expr) literal {
	switch n := e.(type) {
	case *sqlparser.Literal:
		switch n.Type {
		case sqlparser.StrVal, sqlparser.DateVal, sqlparser.TimeVal, sqlparser.TimestampVal:
			return literal{litText, n.Val}
		case sqlparser.IntVal, sqlparser.FloatVal, sqlparser.DecimalVal:
			return literal{litNumber, n.Val}
		case sqlparser.HexNum:
			return literal{litBytes, hexBytes(n.Val)}
		case sqlparser.HexVal:
			return literal{litBytes, hexBytes("x'" + n.Val + "'")}
		default:
		}
	case *sqlparser.UnaryExpr:
		v := literalOf(n.Expr)
		if v.kind == litNumber && n.Operator == sqlparser.UMinusOp {
			return literal{litNumber, "-" + v.text}
		}
		if v.kind == litNumber && n.Operator == sqlparser.UPlusOp {
			return v
		}
	case *sqlparser.IntroducerExpr:
		return literalOf(n.Expr)
	case *sqlparser.NullVal:
		return literal{kind: litNull}
	case sqlparser.BoolVal:
		if n {
			return literal{litNumber, "1"}
		}
		return literal{litNumber, "0"}
	case *sqlparser.Default:
		return literal{kind: litDefault}
	}
	return literal{}
}
