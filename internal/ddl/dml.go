package ddl

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"shardlift/internal/table"
)

// dml finds the tables that a statement-format INSERT, UPDATE, DELETE, REPLACE
// or LOAD DATA changes. What sqlparser reads otherwise than the server did
// (versioned comments, ANSI quotes, …) is left to Names.
func (c *cursor) dml(sql, first string) ([]Effect, bool) {
	if first == "LOAD" {
		return c.load()
	}
	if c.mode != (Mode{Foreign: c.mode.Foreign, Version: c.mode.Version}) || strings.Contains(sql, "/*!") || strings.Contains(sql, "/*M!") {
		return []Effect{{Kind: DML}}, false
	}
	parser, err := sqlparser.New(sqlparser.Options{})
	if err != nil {
		return []Effect{{Kind: DML}}, false
	}
	statement, err := parse(parser, sql)
	if err != nil {
		return []Effect{{Kind: DML}}, false
	}
	names, ok := c.targets(statement)
	return []Effect{{Kind: DML, Tables: names}}, ok
}

// parse keeps a panic of the parser from ending the worker.
func parse(p *sqlparser.Parser, sql string) (s sqlparser.Statement, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errPanic
		}
	}()
	return p.Parse(sql)
}

var errPanic = parseError("the parser failed")

type parseError string

func (e parseError) Error() string { return string(e) }

// targets are the tables that the statement writes; every table of an UPDATE's
// joins counts. Not ok: another kind of statement.
func (c *cursor) targets(statement sqlparser.Statement) ([]table.Name, bool) {
	switch s := statement.(type) {
	case *sqlparser.Insert:
		n, ok := s.Table.Expr.(sqlparser.TableName)
		return []table.Name{c.qualify(n)}, ok
	case *sqlparser.Update:
		return c.tablesOf(s.TableExprs), true
	case *sqlparser.Delete:
		if len(s.Targets) == 0 {
			return c.tablesOf(s.TableExprs), true
		}
		// A target may be an alias: every table of the statement counts.
		out := c.tablesOf(s.TableExprs)
		for _, n := range s.Targets {
			out = append(out, c.qualify(n))
		}
		return out, true
	default:
		return nil, false
	}
}

func (c *cursor) tablesOf(exprs []sqlparser.TableExpr) []table.Name {
	var out []table.Name
	for _, e := range exprs {
		_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
			if aliased, ok := node.(*sqlparser.AliasedTableExpr); ok {
				if n, ok := aliased.Expr.(sqlparser.TableName); ok {
					out = append(out, c.qualify(n))
				}
			}
			return true, nil
		}, e)
	}
	return out
}

func (c *cursor) qualify(n sqlparser.TableName) table.Name {
	if n.Qualifier.IsEmpty() {
		return table.Name{Schema: c.schema, Table: n.Name.String()}
	}
	return table.Name{Schema: n.Qualifier.String(), Table: n.Name.String()}
}

// load reads LOAD DATA … INTO TABLE t; LOAD INDEX is maintenance.
func (c *cursor) load() ([]Effect, bool) {
	if c.peek().is("INDEX") {
		return []Effect{{Kind: Irrelevant}}, true
	}
	for ; c.peek().kind != end; c.at++ {
		if c.accept("INTO", "TABLE") {
			n, ok := c.name()
			return []Effect{{Kind: DML, Tables: []table.Name{n}}}, ok
		}
	}
	return []Effect{{Kind: DML}}, false
}
