package ddmsim

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// merge says how the answers of the shards become one.
type merge struct {
	visible    int            // columns of the client; hidden ones for order and groups follow
	aggregates map[int]string // column → COUNT, SUM, MIN, MAX, BIT_XOR, BIT_AND, BIT_OR
	group      []int          // hidden columns of GROUP BY
	grouped    bool           // aggregate or GROUP BY
	distinct   bool
	order      []sortKey
	offset     int
	count      int               // -1: no LIMIT
	final      *sqlparser.Select // expressions around aggregates, evaluated at the end
}

type sortKey struct {
	column int
	desc   bool
}

// scatter asks every physical table and merges.
func (ss *session) scatter(q *query, sel *sqlparser.Select, table *tableRule, list []target) (*sqltypes.Result, error) {
	work := sqlparser.Clone(sel)
	m, err := planMerge(work)
	if err != nil {
		return nil, err
	}
	sub := *q
	if m.changed(sel, work) {
		sub.stmt, sub.rewrite = work, true
	}
	results, err := ss.each(q.schema, sub.callsFor(table, list), ss.binary)
	if err != nil {
		return nil, err
	}
	var out *sqltypes.Result
	if m.grouped {
		out, err = m.aggregate(results)
		if err != nil {
			return nil, err
		}
		m.sort(out)
	} else {
		out = m.join(results)
	}
	m.cut(out)
	if m.final != nil {
		return ss.evaluate(q, m.final, out)
	}
	return q.logical(out), nil
}

func (m *merge) changed(before, after *sqlparser.Select) bool {
	return sqlparser.String(before) != sqlparser.String(after)
}

// planMerge rewrites the SELECT for one shard and says how to merge.
func planMerge(sel *sqlparser.Select) (*merge, error) {
	m := &merge{aggregates: map[int]string{}, count: -1, distinct: sel.Distinct}
	if sel.Having != nil {
		return nil, unsupported("HAVING over several shards")
	}
	if err := m.planAggregates(sel); err != nil {
		return nil, err
	}
	if sel.GroupBy != nil && len(sel.GroupBy.Exprs) > 0 {
		m.grouped = true
	}
	if m.grouped && m.distinct {
		return nil, unsupported("DISTINCT with aggregates over several shards")
	}
	star := false
	for _, e := range sel.SelectExprs.Exprs {
		if _, is := e.(*sqlparser.StarExpr); is {
			star = true
		}
	}
	m.visible = len(sel.SelectExprs.Exprs)
	if star {
		m.visible = -1 // known from the first answer
	}
	hidden := 0
	hide := func(e sqlparser.Expr) int {
		sel.SelectExprs.Exprs = append(sel.SelectExprs.Exprs, &sqlparser.AliasedExpr{Expr: e})
		hidden++
		return -hidden // resolved when the number of columns is known
	}
	if m.grouped && sel.GroupBy != nil {
		for _, e := range sel.GroupBy.Exprs {
			if i := m.selected(sel, e, m.visible); i >= 0 {
				m.group = append(m.group, i)
			} else {
				m.group = append(m.group, hide(e))
			}
		}
	}
	for _, o := range sel.OrderBy {
		i := m.selected(sel, o.Expr, m.visible)
		if i < 0 {
			if m.distinct {
				return nil, unsupported("ORDER BY of a column outside of SELECT DISTINCT over several shards")
			}
			i = hide(o.Expr)
		}
		m.order = append(m.order, sortKey{i, o.Direction == sqlparser.DescOrder})
	}
	m.planLimit(sel)
	if m.grouped {
		sel.OrderBy = nil
	}
	return m, nil
}

// planLimit lets each shard give enough rows for the client's window.
func (m *merge) planLimit(sel *sqlparser.Select) {
	if sel.Limit == nil {
		return
	}
	if sel.Limit.Offset != nil {
		m.offset, _ = limitValue(sel.Limit.Offset)
	}
	m.count, _ = limitValue(sel.Limit.Rowcount)
	if m.grouped {
		sel.Limit = nil
	} else {
		sel.Limit = sqlparser.NewLimitWithoutOffset(m.offset + m.count)
	}
}

// selected finds an ORDER BY or GROUP BY expression among the selected
// columns: by position, alias or equal text.
func (m *merge) selected(sel *sqlparser.Select, e sqlparser.Expr, visible int) int {
	if visible < 0 {
		return -1
	}
	if l, is := e.(*sqlparser.Literal); is && l.Type == sqlparser.IntVal {
		if n, valid := limitValue(l); valid && n >= 1 && n <= visible {
			return n - 1
		}
	}
	for i, s := range sel.SelectExprs.Exprs[:visible] {
		a, is := s.(*sqlparser.AliasedExpr)
		if !is {
			continue
		}
		if c, isColumn := e.(*sqlparser.ColName); isColumn && !a.As.IsEmpty() && a.As.EqualString(c.Name.String()) {
			return i
		}
		if sqlparser.Equals.Expr(a.Expr, e) {
			return i
		}
	}
	return -1
}

// planAggregates notes top-level aggregates. One inside an expression is
// selected alone and the expression evaluated after the merge.
func (m *merge) planAggregates(sel *sqlparser.Select) error {
	nested := false
	for i, e := range sel.SelectExprs.Exprs {
		a, is := e.(*sqlparser.AliasedExpr)
		if !is {
			continue
		}
		if f, isAggregate := a.Expr.(sqlparser.AggrFunc); isAggregate {
			name, err := mergeable(f)
			if err != nil {
				return err
			}
			m.aggregates[i], m.grouped = name, true
		} else if sqlparser.ContainsAggregation(a.Expr) {
			nested = true
		}
	}
	if !nested {
		return nil
	}
	if sel.GroupBy != nil && len(sel.GroupBy.Exprs) > 0 || len(sel.OrderBy) > 0 {
		return unsupported("an expression around an aggregate with GROUP BY or ORDER BY over several shards")
	}
	m.final, m.grouped = sqlparser.Clone(sel), true
	var exprs []sqlparser.SelectExpr
	var bad error
	m.aggregates = map[int]string{}
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		f, is := node.(sqlparser.AggrFunc)
		if !is {
			return true, nil
		}
		name, err := mergeable(f)
		if err != nil {
			bad = err
			return false, nil
		}
		m.aggregates[len(exprs)] = name
		exprs = append(exprs, &sqlparser.AliasedExpr{Expr: f})
		return false, nil
	}, sel.SelectExprs)
	sel.SelectExprs.Exprs = exprs
	return bad
}

func mergeable(f sqlparser.AggrFunc) (string, error) {
	if d, is := f.(sqlparser.DistinctableAggr); is && d.IsDistinct() {
		return "", unsupported("an aggregate of DISTINCT values over several shards")
	}
	switch name := strings.ToUpper(f.AggrName()); name {
	case "COUNT", "SUM", "MIN", "MAX", "BIT_XOR", "BIT_AND", "BIT_OR":
		return name, nil
	default:
		return "", unsupported("%s over several shards", name)
	}
}

// evaluate computes the expressions around merged aggregates on a node.
func (ss *session) evaluate(q *query, final *sqlparser.Select, merged *sqltypes.Result) (*sqltypes.Result, error) {
	column := 0
	for _, e := range final.SelectExprs.Exprs {
		a, is := e.(*sqlparser.AliasedExpr)
		if !is {
			continue
		}
		if a.As.IsEmpty() {
			a.As = sqlparser.NewIdentifierCI(sqlparser.String(a.Expr))
		}
		a.Expr = sqlparser.SafeRewrite(a.Expr, func(node, _ sqlparser.SQLNode) bool {
			_, aggregate := node.(sqlparser.AggrFunc)
			return !aggregate
		}, func(c *sqlparser.Cursor) bool {
			if _, aggregate := c.Node().(sqlparser.AggrFunc); aggregate {
				c.Replace(valueExpr(merged.Rows[0][column]))
				column++
			}
			return true
		}).(sqlparser.Expr)
	}
	return ss.ask(ss.server.placeOf(q.schema, 0), "SELECT "+sqlparser.String(final.SelectExprs))
}

func valueExpr(v sqltypes.Value) sqlparser.Expr {
	switch {
	case v.IsNull():
		return &sqlparser.NullVal{}
	case v.IsIntegral():
		return sqlparser.NewIntLiteral(v.ToString())
	case v.IsFloat():
		return sqlparser.NewFloatLiteral(v.ToString())
	case v.Type() == sqltypes.Decimal:
		return sqlparser.NewDecimalLiteral(v.ToString())
	}
	return sqlparser.NewStrLiteral(v.ToString())
}

// resolve turns the hidden columns' numbers into positions.
func (m *merge) resolve(columns int) {
	hidden := 0
	for _, g := range m.group {
		hidden = max(hidden, -g)
	}
	for _, k := range m.order {
		hidden = max(hidden, -k.column)
	}
	m.visible = columns - hidden
	for i, g := range m.group {
		if g < 0 {
			m.group[i] = m.visible - g - 1
		}
	}
	for i, k := range m.order {
		if k.column < 0 {
			m.order[i].column = m.visible - k.column - 1
		}
	}
}

// join concatenates the answers; with ORDER BY it merges the sorted streams by
// number and by byte. For text the shards sort by collation and the merge by
// bytes: the order can be wrong, as with others of this family.
func (m *merge) join(results []*sqltypes.Result) *sqltypes.Result {
	out := &sqltypes.Result{Fields: results[0].Fields}
	m.resolve(len(out.Fields))
	if len(m.order) == 0 {
		for _, r := range results {
			out.Rows = append(out.Rows, r.Rows...)
		}
	} else {
		heads := make([]int, len(results))
		for {
			best := -1
			for i, r := range results {
				if heads[i] < len(r.Rows) && (best < 0 || m.compare(r.Rows[heads[i]], results[best].Rows[heads[best]]) < 0) {
					best = i
				}
			}
			if best < 0 {
				break
			}
			out.Rows = append(out.Rows, results[best].Rows[heads[best]])
			heads[best]++
		}
	}
	if m.distinct {
		seen := map[string]bool{}
		out.Rows = slices.DeleteFunc(out.Rows, func(row sqltypes.Row) bool {
			k := rowKey(row, nil)
			again := seen[k]
			seen[k] = true
			return again
		})
	}
	return out
}

func (m *merge) sort(r *sqltypes.Result) {
	if len(m.order) > 0 {
		slices.SortStableFunc(r.Rows, m.compare)
	}
}

// cut applies LIMIT and removes the hidden columns.
func (m *merge) cut(r *sqltypes.Result) {
	if m.count >= 0 {
		from := min(m.offset, len(r.Rows))
		r.Rows = r.Rows[from:min(from+m.count, len(r.Rows))]
	}
	if m.visible < len(r.Fields) {
		r.Fields = r.Fields[:m.visible]
		for i := range r.Rows {
			r.Rows[i] = r.Rows[i][:m.visible]
		}
	}
}
