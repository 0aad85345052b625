package ddmsim

import (
	"maps"
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// assignment is one variable of a SET statement.
type assignment struct {
	global bool
	name   string // lower case
	value  string // source of the expression
}

// set accepts session variables and brings them to every node connection that
// works for the session. Isolation is accepted and ignored (D-14, D-61); user
// and global variables are refused.
func (ss *session) set(t *text) (*sqltypes.Result, error) {
	i := 1
	if t.at(i, "SESSION") || t.at(i, "LOCAL") || t.at(i, "GLOBAL") {
		i++
	}
	switch {
	case t.at(i, "TRANSACTION"):
		if t.at(1, "GLOBAL") {
			return nil, refuse("D-14", "SET GLOBAL is not supported")
		}
		return ok, nil
	case t.at(1, "NAMES"), t.at(1, "CHARSET"), t.starts(1, "CHARACTER", "SET"):
		return ok, ss.setNames(t)
	case t.at(1, "PASSWORD"), t.at(1, "ROLE"), t.at(1, "RESOURCE"):
		return nil, refuse("D-72", "accounts are managed in the console")
	}
	list, err := readAssignments(t)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if err := ss.assign(a); err != nil {
			return nil, err
		}
	}
	return ok, nil
}

func readAssignments(t *text) ([]assignment, error) {
	var list []assignment
	for i := 1; i < t.len(); {
		var a assignment
		for t.at(i, "SESSION") || t.at(i, "LOCAL") || t.at(i, "GLOBAL") || t.at(i, "PERSIST") {
			a.global = a.global || t.at(i, "GLOBAL") || t.at(i, "PERSIST")
			i++
		}
		switch t.kind(i) {
		case tokVariable:
			name := strings.ToLower(strings.TrimPrefix(t.src(i), "@@"))
			if scope, rest, scoped := strings.Cut(name, "."); scoped {
				a.global = a.global || scope == "global" || scope == "persist"
				name = rest
			}
			a.name = name
		case tokWord, tokQuoted:
			n, _ := t.ident(i)
			a.name = strings.ToLower(n)
		default:
			return nil, syntaxError("SET needs a variable")
		}
		i++
		if !t.at(i, "=") && !t.at(i, ":=") {
			return nil, syntaxError("SET needs =")
		}
		i++
		start, depth := i, 0
		for i < t.len() && (depth > 0 || !t.at(i, ",")) {
			if t.at(i, "(") {
				depth++
			}
			if t.at(i, ")") {
				depth--
			}
			i++
		}
		if start == i {
			return nil, syntaxError("SET needs a value")
		}
		a.value = t.between(start, i)
		list = append(list, a)
		i++
	}
	if len(list) == 0 {
		return nil, syntaxError("SET needs a variable")
	}
	return list, nil
}

func (ss *session) assign(a assignment) error {
	if a.global {
		return refuse("D-14", "SET GLOBAL is not supported")
	}
	switch a.name {
	case "transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only":
		return nil
	case "sql_log_bin", "gtid_next", "pseudo_thread_id", "binlog_format":
		return refuse("D-14", "variable %s cannot be set", a.name)
	case "autocommit":
		return ss.setAutocommit(a.value)
	case "sql_mode":
		if up := strings.ToUpper(a.value); strings.Contains(up, "ANSI") || strings.Contains(up, "NO_BACKSLASH_ESCAPES") {
			return unsupported("sql_mode ANSI_QUOTES or NO_BACKSLASH_ESCAPES")
		}
	}
	if strings.EqualFold(a.value, "DEFAULT") {
		delete(ss.vars, a.name)
		return ss.applyToTransaction()
	}
	literal, err := ss.tryVariable(a)
	if err != nil {
		return err
	}
	ss.vars[a.name] = literal
	return ss.applyToTransaction()
}

func (ss *session) applyToTransaction() error {
	if ss.tx == nil {
		return nil
	}
	return ss.tx.applyVars(ss.vars)
}

// tryVariable sets the variable on a node connection, so that a wrong name or
// value is refused now, and reads back the value as a literal.
func (ss *session) tryVariable(a assignment) (string, error) {
	b, err := ss.server.pool.borrow(ss.ctx, ss.anyPlace(), ss.vars)
	if err != nil {
		return "", err
	}
	defer ss.server.pool.give(b)
	if _, err := b.exec("SET SESSION "+quoteName(a.name)+" = "+a.value, false); err != nil {
		return "", err
	}
	r, err := b.exec("SELECT @@SESSION."+quoteName(a.name), false)
	if err != nil {
		b.broken = true
		return "", err
	}
	literal := "NULL"
	if v := r.Rows[0][0]; v.IsIntegral() || v.IsFloat() || v.Type() == sqltypes.Decimal {
		literal = v.ToString()
	} else if !v.IsNull() {
		literal = quoteText(v.ToString())
	}
	b.vars = maps.Clone(b.vars)
	b.vars[a.name] = literal
	return literal, nil
}

func (ss *session) setAutocommit(value string) error {
	switch strings.ToUpper(strings.Trim(value, "'\" ")) {
	case "1", "ON", "TRUE", "DEFAULT":
		ss.autocommit = true
		return ss.commit()
	case "0", "OFF", "FALSE":
		ss.autocommit = false
		return nil
	}
	return sqlError(1231, "42000", "Variable 'autocommit' can't be set to the value of '"+clip(value)+"'")
}

// setNames accepts character sets in which a quote is never part of a longer
// character; DDM itself fixes utf8mb4 (D-05).
func (ss *session) setNames(t *text) error {
	i := 2
	if t.at(2, "SET") {
		i = 3
	}
	name := strings.ToLower(strings.Trim(t.src(i), "'\"`"))
	switch name {
	case "utf8mb4", "default", "utf8", "utf8mb3", "latin1", "ascii":
	default:
		return refuse("D-05", "character set %s of the connection is not supported", clip(name))
	}
	if name == "default" {
		name = "utf8mb4"
	}
	vars := maps.Clone(ss.vars)
	delete(vars, "collation_connection")
	for _, v := range []string{"character_set_client", "character_set_connection", "character_set_results"} {
		vars[v] = quoteText(name)
		if name == "utf8mb4" { // what every node connection has anyway
			delete(vars, v)
		}
	}
	if t.at(i+1, "COLLATE") {
		vars["collation_connection"] = quoteText(strings.Trim(t.src(i+2), "'\"`"))
	}
	b, err := ss.server.pool.borrow(ss.ctx, ss.anyPlace(), vars)
	if err != nil {
		return err
	}
	ss.server.pool.give(b)
	ss.vars = vars
	return ss.applyToTransaction()
}
