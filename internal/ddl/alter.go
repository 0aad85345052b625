package ddl

import (
	"shardlift/internal/table"
)

// alter reads what follows ALTER.
func (c *cursor) alter() ([]Effect, bool) {
	switch {
	case c.peek().is("DEFINER") || c.peek().is("ALGORITHM") || c.peek().is("SQL"):
		return c.stored()
	case c.acceptAny("DATABASE", "SCHEMA"):
		return c.alterSchema()
	case c.acceptAny("VIEW", "EVENT", "PROCEDURE", "FUNCTION", "USER", "ROLE", "SERVER", "TABLESPACE", "UNDO",
		"LOGFILE", "INSTANCE", "RESOURCE", "SEQUENCE", "LIBRARY"):
		return []Effect{{Kind: Irrelevant}}, true
	}
	c.acceptAny("ONLINE", "OFFLINE")
	c.accept("IGNORE")
	if !c.accept("TABLE") {
		return nil, false
	}
	e := Effect{Kind: Alter, Conditional: c.accept("IF", "EXISTS")}
	n, ok := c.name()
	if !ok {
		return nil, false
	}
	e.Tables = []table.Name{n}
	c.acceptAny("NOWAIT")
	if c.accept("WAIT") {
		c.next()
	}
	return c.alterClauses(e)
}

// alterSchema reads ALTER DATABASE [name] …: without a name it is the default schema.
func (c *cursor) alterSchema() ([]Effect, bool) {
	e := Effect{Kind: AlterSchema, Tables: []table.Name{{Schema: c.schema}}}
	switch t := c.peek(); {
	case t.kind == quoted, t.kind == number:
		e.Tables[0].Schema = t.value
	case t.kind == word && !(c.peekAt(1).is("=") || c.peekAt(1).is("SET") || t.is("DEFAULT") || t.is("COLLATE") || t.is("CHARSET") || t.is("READ") || t.is("ENCRYPTION") || t.is("COMMENT")):
		e.Tables[0].Schema = t.value
	}
	return []Effect{e}, true
}

// alterClauses reads the comma-separated parts of ALTER TABLE. A part that is
// not known to leave rows and columns alone makes the effect Other.
func (c *cursor) alterClauses(e Effect) ([]Effect, bool) {
	effects := []Effect{}
	for {
		part := &cursor{tokens: append(append([]token{}, c.clause()...), token{kind: end}), schema: c.schema}
		if extra := part.alterClause(&e); extra != nil {
			effects = append(effects, *extra)
		}
		if !c.accept(",") {
			break
		}
	}
	return append([]Effect{e}, effects...), c.done()
}

// alterClause judges one part; it may be a second effect of another kind.
func (c *cursor) alterClause(e *Effect) *Effect {
	switch {
	case c.peek().kind == end:
		return nil
	case c.accept("ADD"):
		c.addClause(e)
	case c.accept("DROP"):
		c.dropClause(e)
	case c.accept("RENAME"):
		return c.renameClause(e)
	case c.accept("ALTER", "INDEX"), c.accept("ALTER", "KEY"):
		c.accept("IF", "EXISTS")
		e.Changed, e.IndexesChange = append(e.Changed, c.next().value), true
		e.Other = e.Other || !c.acceptAny("VISIBLE", "INVISIBLE", "IGNORED", "NOT") || c.peek().kind != end && !c.accept("IGNORED")
	case c.accept("COMMENT"):
		c.accept("=")
		e.Other = e.Other || c.next().kind != text || c.peek().kind != end
	case c.acceptAny("ALGORITHM", "LOCK"):
		c.accept("=")
		c.next()
		e.Other = e.Other || c.peek().kind != end
	case c.accept("EXCHANGE", "PARTITION"):
		e.Other = true
		return c.exchangeClause()
	default:
		e.Other = true
	}
	return nil
}

// addClause knows ADD {INDEX|KEY|FULLTEXT|SPATIAL} …; everything else is Other.
func (c *cursor) addClause(e *Effect) {
	if c.accept("UNIQUE") || c.peek().is("PRIMARY") || c.peek().is("CONSTRAINT") {
		e.Unique, e.Other, e.IndexesChange = true, true, true
		return
	}
	special := c.acceptAny("FULLTEXT", "SPATIAL", "VECTOR")
	if !c.acceptAny("INDEX", "KEY") && !special {
		e.Other = true
		return
	}
	c.accept("IF", "NOT", "EXISTS")
	if c.peek().isName() && !c.peek().is("USING") {
		c.next()
	}
	if c.accept("USING") {
		c.next()
	}
	e.Other = e.Other || !c.indexOptions()
	e.IndexesChange = true
}

// indexOptions reads (columns) and what may follow them in an index; false when
// there is anything else.
func (c *cursor) indexOptions() bool {
	if !c.parentheses() {
		return false
	}
	for {
		switch {
		case c.peek().kind == end:
			return true
		case c.accept("WITH", "PARSER"), c.acceptAny("USING"):
			c.next()
		case c.acceptAny("COMMENT", "KEY_BLOCK_SIZE", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"):
			c.accept("=")
			c.next()
		case c.acceptAny("VISIBLE", "INVISIBLE", "IGNORED"), c.accept("NOT", "IGNORED"):
		default:
			return false
		}
	}
}

// parentheses passes one balanced pair with everything in it.
func (c *cursor) parentheses() bool {
	if !c.peek().is("(") {
		return false
	}
	for depth := 0; c.peek().kind != end; {
		switch t := c.next(); {
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				return true
			}
		}
	}
	return false
}

// dropClause knows DROP {INDEX|KEY} name; everything else is Other.
func (c *cursor) dropClause(e *Effect) {
	if !c.acceptAny("INDEX", "KEY") {
		e.Other = true
		return
	}
	c.accept("IF", "EXISTS")
	index := c.next()
	if !index.isName() || c.peek().kind != end {
		e.Other = true
		return
	}
	e.Dropped, e.IndexesChange = append(e.Dropped, index.value), true
}

// renameClause knows RENAME {INDEX|KEY} a TO b, RENAME COLUMN and RENAME [TO|AS] table.
func (c *cursor) renameClause(e *Effect) *Effect {
	switch {
	case c.acceptAny("INDEX", "KEY"):
		e.Changed, e.IndexesChange = append(e.Changed, c.next().value), true
		e.Other = e.Other || !c.accept("TO") || !c.next().isName() || c.peek().kind != end
		return nil
	case c.accept("COLUMN"):
		e.Other = true
		return nil
	}
	e.Other = true
	c.acceptAny("TO", "AS", "=")
	to, ok := c.name()
	if !ok {
		return nil
	}
	return &Effect{Kind: Rename, Tables: []table.Name{e.Tables[0], to}}
}

// exchangeClause reads EXCHANGE PARTITION p WITH TABLE t.
func (c *cursor) exchangeClause() *Effect {
	c.next()
	if !c.accept("WITH", "TABLE") {
		return nil
	}
	other, ok := c.name()
	if !ok {
		return nil
	}
	return &Effect{Kind: Exchange, Tables: []table.Name{other}}
}
