package ddl

import (
	"slices"

	"shardlift/internal/table"
)

// create reads what follows CREATE.
func (c *cursor) create() ([]Effect, bool) {
	c.accept("OR", "REPLACE")
	if slices.ContainsFunc([]string{"DEFINER", "ALGORITHM", "SQL", "AGGREGATE"}, c.peek().is) {
		return c.stored()
	}
	temporary := c.accept("TEMPORARY")
	unique := c.accept("UNIQUE")
	c.acceptAny("ONLINE", "OFFLINE")
	c.acceptAny("FULLTEXT", "SPATIAL", "VECTOR")
	switch t := c.next(); t.upper {
	case "TABLE":
		return c.createTable(temporary)
	case "INDEX":
		return c.createIndex(unique)
	case "DATABASE", "SCHEMA":
		e := Effect{Kind: CreateSchema, Conditional: c.accept("IF", "NOT", "EXISTS")}
		return c.schemaEffect(e)
	case "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE", "SERVER", "TABLESPACE", "UNDO",
		"LOGFILE", "RESOURCE", "PACKAGE", "SEQUENCE", "LIBRARY", "MASKING":
		return []Effect{{Kind: Irrelevant}}, true
	default:
		return nil, false
	}
}

// stored reads CREATE or ALTER DEFINER=… and the like: what comes has to be a
// view, a trigger, an event or a routine.
func (c *cursor) stored() ([]Effect, bool) {
	for ; c.peek().kind != end; c.at++ {
		switch c.peek().upper {
		case "VIEW", "TRIGGER", "EVENT", "PROCEDURE", "FUNCTION", "PACKAGE":
			return []Effect{{Kind: Irrelevant}}, true
		}
	}
	return nil, false
}

// createTable reads the name; columns and options do not matter.
func (c *cursor) createTable(temporary bool) ([]Effect, bool) {
	e := Effect{Kind: CreateTable, Temporary: temporary, Conditional: c.accept("IF", "NOT", "EXISTS")}
	n, ok := c.name()
	if !ok {
		return nil, false
	}
	e.Tables = []table.Name{n}
	if n := len(c.tokens); n >= 3 {
		e.StartsTransaction = c.tokens[n-3].is("START") && c.tokens[n-2].is("TRANSACTION")
	}
	return []Effect{e}, true
}

func (c *cursor) createIndex(unique bool) ([]Effect, bool) {
	conditional := c.accept("IF", "NOT", "EXISTS")
	if !c.next().isName() {
		return nil, false
	}
	if c.acceptAny("USING", "TYPE") {
		c.next()
	}
	if !c.accept("ON") {
		return nil, false
	}
	n, ok := c.name()
	if !ok || !c.peek().is("(") {
		return nil, false
	}
	return []Effect{{Kind: CreateIndex, Tables: []table.Name{n}, Unique: unique, Conditional: conditional, IndexesChange: true}}, true
}

func (c *cursor) schemaEffect(e Effect) ([]Effect, bool) {
	t := c.next()
	if !t.isName() && t.kind != number {
		return nil, false
	}
	e.Tables = []table.Name{{Schema: t.value}}
	return []Effect{e}, true
}

// drop reads what follows DROP.
func (c *cursor) drop() ([]Effect, bool) {
	temporary := c.accept("TEMPORARY")
	c.acceptAny("ONLINE", "OFFLINE")
	switch t := c.next(); t.upper {
	case "TABLE", "TABLES":
		e := Effect{Kind: Drop, Temporary: temporary, Conditional: c.accept("IF", "EXISTS")}
		names, ok := c.names()
		if !ok {
			return nil, false
		}
		e.Tables = names
		c.acceptAny("NOWAIT")
		if c.accept("WAIT") {
			c.next()
		}
		c.acceptAny("RESTRICT", "CASCADE")
		return c.single(e)
	case "INDEX":
		return c.dropIndex()
	case "DATABASE", "SCHEMA":
		return c.schemaEffect(Effect{Kind: DropSchema, Conditional: c.accept("IF", "EXISTS")})
	case "PREPARE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE", "SERVER", "TABLESPACE", "UNDO",
		"LOGFILE", "RESOURCE", "PACKAGE", "SEQUENCE", "SPATIAL", "LIBRARY", "MASKING":
		return []Effect{{Kind: Irrelevant}}, true
	default:
		return nil, false
	}
}

func (c *cursor) dropIndex() ([]Effect, bool) {
	conditional := c.accept("IF", "EXISTS")
	index := c.next()
	if !index.isName() || !c.accept("ON") {
		return nil, false
	}
	n, ok := c.name()
	if !ok {
		return nil, false
	}
	return []Effect{{
		Kind: DropIndex, Tables: []table.Name{n}, Conditional: conditional,
		Dropped: []string{index.value}, IndexesChange: true,
	}}, true
}
