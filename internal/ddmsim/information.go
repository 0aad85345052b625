package ddmsim

import (
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// information are the tables that D-40 names, with their columns of a schema's
// and a table's name.
var information = map[string][2]string{
	"SCHEMATA":          {"SCHEMA_NAME", ""},
	"TABLES":            {"TABLE_SCHEMA", "TABLE_NAME"},
	"COLUMNS":           {"TABLE_SCHEMA", "TABLE_NAME"},
	"STATISTICS":        {"TABLE_SCHEMA", "TABLE_NAME"},
	"PARTITIONS":        {"TABLE_SCHEMA", "TABLE_NAME"},
	"SCHEMA_PRIVILEGES": {"TABLE_SCHEMA", ""},
	"TABLE_PRIVILEGES":  {"TABLE_SCHEMA", "TABLE_NAME"},
	"USER_PRIVILEGES":   {"", ""},
}

// isInformationSchema reports whether a SELECT reads information_schema.
func isInformationSchema(stmt sqlparser.Statement, current string) bool {
	found := false
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		a, is := node.(*sqlparser.AliasedTableExpr)
		if !is {
			return !found, nil
		}
		if name, isName := a.Expr.(sqlparser.TableName); isName {
			q := name.Qualifier.String()
			found = found || strings.EqualFold(q, "information_schema") || q == "" && strings.EqualFold(current, "information_schema")
		}
		return !found, nil
	}, stmt)
	return found
}

// selectInformation answers a simple query (D-40): the node's own table with
// the names of shard 0 replaced stands as a derived table under the client's
// columns and condition.
func (ss *session) selectInformation(sel *sqlparser.Select) (*sqltypes.Result, error) {
	if err := checkInformation(sel); err != nil {
		return nil, err
	}
	from := sel.From[0].(*sqlparser.AliasedTableExpr)
	name := strings.ToUpper(from.Expr.(sqlparser.TableName).Name.String())
	keys, known := information[name]
	if !known {
		return nil, refuse("D-40", "information_schema.%s cannot be queried", name)
	}
	if name == "USER_PRIVILEGES" || name == "SCHEMA_PRIVILEGES" || name == "TABLE_PRIVILEGES" {
		return nil, unsupported("information_schema.%s: use SHOW GRANTS", name)
	}
	inner, err := ss.informationTable(name, keys)
	if err != nil {
		return nil, err
	}
	alias := from.As.String()
	if alias == "" {
		alias = name
	}
	where := ""
	if sel.Where != nil {
		where = " WHERE " + sqlparser.String(stripQualifiers(sel.Where.Expr))
	}
	fields := stripQualifiers(sel.SelectExprs)
	// The rows of a schema stand on its own first node.
	return ss.ask(place{}, "SELECT "+sqlparser.String(fields)+" FROM ("+inner+") AS "+quoteName(alias)+where)
}

func stripQualifiers[T sqlparser.SQLNode](node T) T {
	_ = sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		switch c := n.(type) {
		case *sqlparser.ColName:
			c.Qualifier = sqlparser.TableName{}
		case *sqlparser.StarExpr:
			c.TableName = sqlparser.TableName{}
		}
		return true, nil
	}, node)
	return node
}

// informationTable writes the derived table: rows of the first physical table
// of each logical one, under the logical names.
func (ss *session) informationTable(name string, keys [2]string) (string, error) {
	r, err := ss.askPlain(place{}, "SELECT * FROM information_schema."+name+" LIMIT 0")
	if err != nil {
		return "", err
	}
	var schemaCase, tableCase, pairs []string
	for _, s := range ss.server.catalogue.schemaNames() {
		db := quoteText(physicalDatabase(s, 0))
		schemaCase = append(schemaCase, "WHEN "+db+" THEN "+quoteText(s))
		for _, t := range ss.server.catalogue.list(s) {
			physical := quoteText(t.physical(0))
			pairs = append(pairs, "("+db+","+physical+")")
			if t.Tables > 0 {
				tableCase = append(tableCase, "WHEN "+keys[0]+"="+db+" AND "+keys[1]+"="+physical+" THEN "+quoteText(t.Name))
			}
		}
	}
	if len(schemaCase) == 0 {
		schemaCase = []string{"WHEN '' THEN ''"}
	}
	condition := "0"
	if keys[1] == "" {
		condition = "CASE " + keys[0] + " " + strings.Join(schemaCase, " ") + " END IS NOT NULL"
	} else if len(pairs) > 0 {
		condition = "(" + keys[0] + "," + keys[1] + ") IN (" + strings.Join(pairs, ",") + ")"
	}
	var columns []string
	for _, f := range r.Fields {
		c := quoteName(f.Name)
		switch {
		case strings.EqualFold(f.Name, keys[0]), strings.EqualFold(f.Name, "INDEX_SCHEMA"):
			columns = append(columns, "CASE "+c+" "+strings.Join(schemaCase, " ")+" END AS "+c)
		case strings.EqualFold(f.Name, keys[1]) && len(tableCase) > 0:
			columns = append(columns, "CASE "+strings.Join(tableCase, " ")+" ELSE "+c+" END AS "+c)
		default:
			columns = append(columns, c)
		}
	}
	return "SELECT " + strings.Join(columns, ",") + " FROM information_schema." + name + " WHERE " + condition, nil
}

// checkInformation allows one table, plain columns and conditions of =, IN and
// LIKE joined by AND; < and > on TABLES and COLUMNS only.
func checkInformation(sel *sqlparser.Select) error {
	if len(sel.From) != 1 {
		return refuse("D-40", "information_schema: no JOIN")
	}
	from, is := sel.From[0].(*sqlparser.AliasedTableExpr)
	if !is {
		return refuse("D-40", "information_schema: no JOIN")
	}
	name, is := from.Expr.(sqlparser.TableName)
	if !is || hasSubquery(sel) {
		return refuse("D-40", "information_schema: no subquery")
	}
	if len(sel.OrderBy) > 0 || sel.Limit != nil {
		return refuse("D-40", "information_schema: no ORDER BY and no LIMIT")
	}
	if sel.GroupBy != nil && len(sel.GroupBy.Exprs) > 0 || sel.Having != nil || sel.Distinct {
		return refuse("D-40", "information_schema: no GROUP BY, HAVING or DISTINCT")
	}
	for _, e := range sel.SelectExprs.Exprs {
		if a, isExpr := e.(*sqlparser.AliasedExpr); isExpr && sqlparser.ContainsAggregation(a.Expr) {
			return refuse("D-40", "information_schema: no aggregate")
		}
	}
	if sel.Where == nil {
		return nil
	}
	upper := strings.ToUpper(name.Name.String())
	return checkInformationWhere(sel.Where.Expr, upper == "TABLES" || upper == "COLUMNS")
}

func checkInformationWhere(e sqlparser.Expr, ordered bool) error {
	switch n := e.(type) {
	case *sqlparser.AndExpr:
		if err := checkInformationWhere(n.Left, ordered); err != nil {
			return err
		}
		return checkInformationWhere(n.Right, ordered)
	case *sqlparser.ComparisonExpr:
		switch n.Operator {
		case sqlparser.EqualOp, sqlparser.InOp, sqlparser.LikeOp:
			return nil
		case sqlparser.LessThanOp, sqlparser.GreaterThanOp:
			if ordered {
				return nil
			}
		default:
		}
	}
	return refuse("D-40", "information_schema: only =, IN and LIKE joined by AND")
}
