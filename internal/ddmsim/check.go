package ddmsim

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// computeOnly are functions that DDM does not compute itself (D-19). A shard
// hint pushes the statement to one shard, where they work.
var computeOnly = map[string]bool{
	"MD5": true, "SHA": true, "SHA1": true, "SHA2": true, "COMPRESS": true, "UNCOMPRESS": true,
	"AES_ENCRYPT": true, "AES_DECRYPT": true, "ANY_VALUE": true,
	"STD": true, "STDDEV": true, "STDDEV_POP": true, "STDDEV_SAMP": true,
	"VAR_POP": true, "VAR_SAMP": true, "VARIANCE": true, "JSON_ARRAYAGG": true, "JSON_OBJECTAGG": true,
}

// checkTokens refuses what can be seen without parsing: user variables, the
// session's own functions, forbidden functions, window functions.
func (ss *session) checkTokens(t *text, h hints) error {
	if t.at(0, "SHOW") || t.at(0, "KILL") || t.at(0, "DDMSIM") {
		return nil // account names and addresses have an @
	}
	hinted := h.shard >= 0
	isSet := t.at(0, "SET")
	isDML := t.at(0, "SELECT") || t.at(0, "INSERT") || t.at(0, "REPLACE") || t.at(0, "UPDATE") || t.at(0, "DELETE") || t.at(0, "(")
	for i := range t.tok {
		switch t.tok[i].kind {
		case tokVariable:
			if src := t.src(i); !strings.HasPrefix(src, "@@") {
				return refuse("D-14", "user variables are not supported")
			}
		case tokSymbol:
			if !isSet && t.at(i, ":=") {
				return refuse("D-14", "assignment := is not supported")
			}
		case tokWord:
			if !isDML || !t.at(i+1, "(") {
				continue
			}
			name := strings.ToUpper(t.src(i))
			switch {
			case name == "ROW_COUNT", name == "FOUND_ROWS":
				return refuse("D-19", "%s() is not supported", name)
			case computeOnly[name] && !hinted && !t.at(i-1, "."):
				return refuse("D-19", "function %s is not supported", name)
			case name == "OVER":
				return refuse("D-45", "window functions are not supported")
			}
		default: // literals and operators say nothing yet
		}
	}
	return nil
}

// checkTree refuses what DDM does not support anywhere in a SELECT, UPDATE or
// DELETE.
func (ss *session) checkTree(stmt sqlparser.Statement) error {
	var bad error
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if bad != nil {
			return false, nil
		}
		switch n := node.(type) {
		case *sqlparser.With:
			if n != nil {
				bad = refuse("D-45", "WITH is not supported")
			}
		case *sqlparser.GroupBy:
			if n != nil && n.WithRollup {
				bad = refuse("D-45", "WITH ROLLUP is not supported")
			}
		case *sqlparser.Limit:
			bad = checkLimit(n)
		case *sqlparser.Where:
			if n != nil {
				bad = ss.checkFactors(n.Expr)
				if n.Type == sqlparser.HavingClause && bad == nil && hasSubquery(n.Expr) {
					bad = refuse("D-45", "subqueries in HAVING are not supported")
				}
			}
		case *sqlparser.JoinTableExpr:
			if n.Condition != nil && n.Condition.On != nil && hasSubquery(n.Condition.On) {
				bad = refuse("D-45", "subqueries in ON are not supported")
			}
		case *sqlparser.AliasedTableExpr:
			if _, derived := n.Expr.(*sqlparser.DerivedTable); derived && n.As.IsEmpty() {
				bad = refuse("D-45", "every derived table needs an alias")
			} else if len(n.Partitions) > 0 {
				bad = refuse("D-36", "PARTITION is not supported")
			}
		}
		return bad == nil, nil
	}, stmt)
	return bad
}

// checkFactors counts the scalars of an expression: IN lists, OR chains and
// row constructors alike (D-12).
func (ss *session) checkFactors(e sqlparser.Expr) error {
	n := 0
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		switch node.(type) {
		case *sqlparser.Literal:
			n++
		case *sqlparser.NullVal:
			n++
		}
		return true, nil
	}, e)
	if n > ss.server.cfg.MaxFactors {
		return refuse("D-12", "an expression has %d factors, at most %d are supported", n, ss.server.cfg.MaxFactors)
	}
	return nil
}

// checkArrows refuses -> and ->> where a table is not unsharded (D-20).
func checkArrows(t *text, tables []*tableRule) error {
	for _, r := range tables {
		if r.Kind == single {
			continue
		}
		for i := range t.tok {
			if t.at(i, "->") || t.at(i, "->>") {
				return refuse("D-20", "-> and ->> work on unsharded tables only")
			}
		}
	}
	return nil
}

func checkLimit(l *sqlparser.Limit) error {
	if l == nil {
		return nil
	}
	for _, e := range []sqlparser.Expr{l.Offset, l.Rowcount} {
		if e == nil {
			continue
		}
		if _, ok := limitValue(e); !ok {
			return refuse("D-17", "LIMIT and OFFSET are between 0 and 2147483647")
		}
	}
	return nil
}

func hasSubquery(e sqlparser.SQLNode) bool {
	found := false
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if _, is := node.(*sqlparser.Subquery); is {
			found = true
		}
		return !found, nil
	}, e)
	return found
}

func hasArithmetic(e sqlparser.SQLNode) bool {
	found := false
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if b, is := node.(*sqlparser.BinaryExpr); is {
			switch b.Operator {
			case sqlparser.PlusOp, sqlparser.MinusOp, sqlparser.MultOp, sqlparser.DivOp, sqlparser.IntDivOp, sqlparser.ModOp:
				found = true
			default: // bits are no arithmetic
			}
		}
		return !found, nil
	}, e)
	return found
}

// isBinaryType says which columns need hexadecimal literals in the text
// protocol (D-16).
func isBinaryType(t string) bool {
	switch t {
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return true
	}
	return false
}

// checkAssigned refuses a literal that may not stand in the column. D-16: a
// non-empty quoted string for a binary column. D-34: a year up to 1582.
func (ss *session) checkAssigned(c *column, v literal) error {
	if v.kind != litText {
		return nil
	}
	if !ss.binary && v.text != "" && isBinaryType(c.Type) {
		return refuse("D-16", "column %s is binary: write x'…' or 0x…, not a quoted string", c.Name)
	}
	if c.Type == "datetime" {
		if d, ok := parseDate(v.text); ok && d.year <= 1582 {
			return refuse("D-34", "column %s: a DATETIME with a year up to 1582 is not supported", c.Name)
		}
	}
	return nil
}
