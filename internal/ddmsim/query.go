package ddmsim

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// query is a parsed SELECT, UPDATE or DELETE on logical tables.
type query struct {
	src     string
	stmt    sqlparser.Statement
	schema  string
	tables  []*tableRule
	rewrite bool // the source cannot go to a node as it stands
}

// parseQuery parses the statement and finds its tables, all of one schema.
func (ss *session) parseQuery(t *text) (*query, error) {
	stmt, err := ss.server.parser.Parse(t.sql)
	if err != nil {
		return nil, syntaxError(err.Error())
	}
	q := &query{src: t.sql, stmt: stmt}
	q.rewrite = ss.replaceFunctions(q)
	if isInformationSchema(stmt, ss.schema) {
		return q, nil
	}
	if q.tables, q.schema, err = ss.tablesOf(stmt); err != nil {
		return nil, err
	}
	for _, r := range q.tables {
		q.rewrite = q.rewrite || r.Tables > 0
	}
	q.rewrite = q.rewrite || hasQualifier(q.stmt)
	return q, checkArrows(t, q.tables)
}

// tablesOf lists the logical tables of a statement and their schema.
func (ss *session) tablesOf(stmt sqlparser.Statement) ([]*tableRule, string, error) {
	var tables []*tableRule
	var schema string
	var bad error
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		n, is := node.(*sqlparser.AliasedTableExpr)
		if !is {
			return bad == nil, nil
		}
		name, is := n.Expr.(sqlparser.TableName)
		if !is || strings.EqualFold(name.Name.String(), "dual") && name.Qualifier.IsEmpty() {
			return true, nil
		}
		switch strings.ToLower(name.Qualifier.String()) {
		case "information_schema", "mysql", "performance_schema", "sys":
			bad = refuse("D-40", "system tables cannot be used in such a statement")
			return false, nil
		}
		t, err := ss.table(objectName{schema: name.Qualifier.String(), name: name.Name.String()})
		if err != nil {
			bad = err
			return false, nil
		}
		if schema != "" && t.Schema != schema {
			bad = unsupported("a statement over two schemas")
		}
		schema, tables = t.Schema, append(tables, t)
		return bad == nil, nil
	}, stmt)
	return tables, schema, bad
}

// hasQualifier reports whether a schema is written before a table.
func hasQualifier(stmt sqlparser.Statement) bool {
	found := false
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if n, is := node.(sqlparser.TableName); is && !n.Qualifier.IsEmpty() {
			found = true
		}
		return !found, nil
	}, stmt)
	return found
}

// textFor writes the statement for the i-th physical tables of a shard.
func (q *query) textFor(i int) string {
	if !q.rewrite {
		return q.src
	}
	byName := map[string]*tableRule{}
	for _, t := range q.tables {
		byName[strings.ToLower(t.Name)] = t
	}
	stmt := sqlparser.Clone(q.stmt)
	_, isDelete := stmt.(*sqlparser.Delete)
	out := sqlparser.SafeRewrite(stmt, nil, func(c *sqlparser.Cursor) bool {
		switch n := c.Node().(type) {
		case *sqlparser.AliasedTableExpr:
			name, is := n.Expr.(sqlparser.TableName)
			if !is {
				return true
			}
			t := byName[strings.ToLower(name.Name.String())]
			if t == nil {
				return true
			}
			physical := t.physical(i % t.perShard())
			if n.As.IsEmpty() && physical != name.Name.String() && !isDelete {
				n.As = name.Name
			}
			n.Expr = sqlparser.TableName{Name: sqlparser.NewIdentifierCS(physical)}
		case *sqlparser.ColName:
			n.Qualifier.Qualifier = sqlparser.NewIdentifierCS("")
			if isDelete {
				n.Qualifier = sqlparser.TableName{}
			}
		}
		return true
	})
	return sqlparser.String(out)
}

// replaceFunctions puts the session's own values into a statement without
// tables: VERSION(), DATABASE(), CONNECTION_ID(), … In one with tables they are
// pushed to the nodes, which answer with their own, as DDM's manual warns; only
// LAST_INSERT_ID() is always ours. It reports whether there was one.
func (ss *session) replaceFunctions(q *query) bool {
	changed, pushed := false, readsTables(q.stmt)
	names := map[*sqlparser.AliasedExpr]string{}
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if a, is := node.(*sqlparser.AliasedExpr); is && a.As.IsEmpty() {
			names[a] = sqlparser.String(a.Expr)
		}
		return true, nil
	}, q.stmt)
	out := sqlparser.SafeRewrite(q.stmt, nil, func(c *sqlparser.Cursor) bool {
		var with sqlparser.Expr
		switch n := c.Node().(type) {
		case *sqlparser.FuncExpr:
			if len(n.Exprs) == 0 && n.Qualifier.IsEmpty() && (!pushed || n.Name.EqualString("last_insert_id")) {
				with = ss.ownFunction(n.Name.Lowered())
			}
		case *sqlparser.Variable:
			if !pushed {
				with = ss.ownVariable(n)
			}
		}
		if with != nil {
			c.Replace(with)
			changed = true
		}
		return true
	})
	q.stmt = out.(sqlparser.Statement)
	for a, name := range names {
		if changed && sqlparser.String(a.Expr) != name {
			a.As = sqlparser.NewIdentifierCI(name)
		}
	}
	return changed
}

// readsTables reports whether a statement has a table other than DUAL.
func readsTables(stmt sqlparser.Statement) bool {
	found := false
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if a, is := node.(*sqlparser.AliasedTableExpr); is {
			name, isName := a.Expr.(sqlparser.TableName)
			found = found || isName && !strings.EqualFold(name.Name.String(), "dual")
		}
		return !found, nil
	}, stmt)
	return found
}

func (ss *session) ownFunction(name string) sqlparser.Expr {
	switch name {
	case "version":
		return sqlparser.NewStrLiteral(ss.server.version())
	case "database", "schema":
		if ss.schema == "" {
			return &sqlparser.NullVal{}
		}
		return sqlparser.NewStrLiteral(ss.schema)
	case "connection_id":
		return sqlparser.NewIntLiteral(strconv.Itoa(int(ss.conn.ConnectionID)))
	case "user", "current_user", "session_user", "system_user":
		return sqlparser.NewStrLiteral(ss.server.cfg.User + "@%")
	case "last_insert_id":
		return sqlparser.NewIntLiteral(strconv.FormatUint(ss.lastID, 10))
	}
	return nil
}

func (ss *session) ownVariable(v *sqlparser.Variable) sqlparser.Expr {
	switch v.Name.Lowered() {
	case "version":
		return sqlparser.NewStrLiteral(ss.server.version())
	case "version_comment":
		return sqlparser.NewStrLiteral(versionComment)
	case "max_allowed_packet":
		return sqlparser.NewIntLiteral(strconv.Itoa(ss.server.cfg.AdvertisedPacket))
	}
	return nil
}

const versionComment = "ddmsim: stand-in for DDM in tests and the demo"

// logical gives a result the names that the client knows.
func (q *query) logical(r *sqltypes.Result) *sqltypes.Result {
	for _, f := range r.Fields {
		if f.Database == "" {
			continue
		}
		f.Database = q.schema
		for _, t := range q.tables {
			if t.Tables > 0 && strings.HasPrefix(f.OrgTable, t.Name+"_") {
				f.OrgTable = t.Name
			}
		}
	}
	return r
}
