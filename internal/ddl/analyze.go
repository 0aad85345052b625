package ddl

import (
	"reflect"
	"slices"

	"shardlift/internal/table"
)

// Analyze says what a statement does. Names without a schema get the default
// schema. It keeps no part of the statement but names.
func Analyze(defaultSchema, statement string, mode Mode) Result {
	if r, ok := quick(statement); ok {
		return r
	}
	without, versioned := read(defaultSchema, statement, mode, false)
	if !versioned {
		return without
	}
	with, _ := read(defaultSchema, statement, mode, true)
	if without.Parsed && with.Parsed && reflect.DeepEqual(without.Effects, with.Effects) {
		return with
	}
	return Result{
		Effects: nil, Parsed: false, Foreign: with.Foreign || without.Foreign,
		Names: merge(allNames(without), allNames(with)),
	}
}

// quick answers the two statements of every transaction without reading tokens.
func quick(statement string) (Result, bool) {
	switch statement {
	case "BEGIN":
		return Result{Effects: []Effect{{Kind: Begin}}, Parsed: true}, true
	case "COMMIT":
		return Result{Effects: []Effect{{Kind: Commit}}, Parsed: true}, true
	default:
		return Result{}, false
	}
}

// read analyzes one reading of the statement; versioned says that there is
// another one.
func read(schema, statement string, mode Mode, code bool) (result Result, versioned bool) {
	l := lexer{sql: statement, mode: mode, code: code}
	c := &cursor{schema: schema, mode: mode}
	for {
		t := l.next()
		c.tokens = append(c.tokens, t)
		if t.isName() && mode.Foreign && !isASCII(t.value) {
			result.Foreign = true
		}
		if t.kind == end {
			break
		}
	}
	effects, ok := c.statement(statement)
	result.Effects, result.Parsed = effects, ok && !l.broken
	if !result.Parsed {
		c.at = 0
		result.Names = c.candidates()
	}
	return result, l.versioned
}

// statement dispatches on the first keyword. Not ok means not understood.
func (c *cursor) statement(sql string) ([]Effect, bool) {
	if c.done() {
		return []Effect{{Kind: Irrelevant}}, true
	}
	switch first := c.next(); first.upper {
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA":
		return c.transaction(first.upper)
	case "TRUNCATE":
		return c.truncate()
	case "DROP":
		return c.drop()
	case "RENAME":
		return c.rename()
	case "ALTER":
		return c.alter()
	case "CREATE":
		return c.create()
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "LOAD":
		return c.dml(sql, first.upper)
	case "SELECT", "CALL", "DO", "EXECUTE", "HANDLER", "IMPORT":
		return []Effect{{Kind: DML, Opaque: true}}, true
	case "SET", "FLUSH", "GRANT", "REVOKE", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "CHECKSUM", "KILL",
		"CHANGE", "RESET", "PURGE", "INSTALL", "UNINSTALL", "LOCK", "UNLOCK", "USE", "SHOW", "CACHE", "BINLOG",
		"STOP", "CLONE", "RESTART", "SHUTDOWN", "DESCRIBE", "DESC", "EXPLAIN", "HELP", "PREPARE", "DEALLOCATE", "SIGNAL":
		return []Effect{{Kind: Irrelevant}}, true
	default:
		return nil, false
	}
}

// truncate reads what follows TRUNCATE.
func (c *cursor) truncate() ([]Effect, bool) {
	c.accept("TABLE")
	n, ok := c.name()
	if !ok {
		return nil, false
	}
	c.acceptAny("NOWAIT")
	if c.accept("WAIT") {
		c.next()
	}
	return []Effect{{Kind: Truncate, Tables: []table.Name{n}}}, c.done()
}

// rename reads RENAME TABLE a TO b, c TO d.
func (c *cursor) rename() ([]Effect, bool) {
	if c.accept("USER") {
		return []Effect{{Kind: Irrelevant}}, true
	}
	if !c.acceptAny("TABLE", "TABLES") {
		return nil, false
	}
	e := Effect{Kind: Rename, Conditional: c.accept("IF", "EXISTS")}
	for {
		from, ok1 := c.name()
		c.acceptAny("NOWAIT")
		if c.accept("WAIT") {
			c.next()
		}
		if !ok1 || !c.accept("TO") {
			return nil, false
		}
		to, ok2 := c.name()
		if !ok2 {
			return nil, false
		}
		e.Tables = append(e.Tables, from, to)
		if !c.accept(",") {
			return []Effect{e}, c.done()
		}
	}
}

// allNames are the names of the effects and the candidates.
func allNames(r Result) []table.Name {
	out := slices.Clone(r.Names)
	for _, e := range r.Effects {
		out = append(out, e.Tables...)
	}
	return out
}

func merge(a, b []table.Name) []table.Name {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
