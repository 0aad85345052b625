package ddl

import (
	"slices"
	"strings"

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
	e := Effect{Kind: Alter, Conditional: c.accept("IF", "EXISTS"), ColumnsKnown: true}
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
		start := c.at
		c.clause()
		part := c.part(start)
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
	case c.acceptAny("MODIFY", "CHANGE"):
		e.Other = true
		c.at--
		e.columns(c.changeClause())
	case c.accept("ALTER", "INDEX"), c.accept("ALTER", "KEY"):
		c.accept("IF", "EXISTS")
		e.Changed, e.IndexesChange = append(e.Changed, c.next().value), true
		e.ends(c.acceptAny("VISIBLE", "INVISIBLE", "IGNORED", "NOT") && (c.peek().kind == end || c.accept("IGNORED")), c)
	case c.accept("COMMENT"):
		c.accept("=")
		e.ends(c.next().kind == text, c)
	case c.acceptAny("ALGORITHM", "LOCK"):
		c.accept("=")
		c.next()
		e.ends(true, c)
	case c.accept("EXCHANGE", "PARTITION"):
		e.Other = true
		return c.exchangeClause()
	default:
		e.Other = true
		e.ColumnsKnown = e.ColumnsKnown && c.leavesColumns()
	}
	return nil
}

// ends says that a clause ought to be over: what follows may do anything.
func (e *Effect) ends(ok bool, c *cursor) {
	if !ok || c.peek().kind != end {
		e.Other, e.ColumnsKnown = true, false
	}
}

// columns takes over what one clause does to columns.
func (e *Effect) columns(changes []ColumnChange, known bool) {
	e.ColumnsKnown = e.ColumnsKnown && known
	e.Columns = append(e.Columns, changes...)
}

// otherClauses are the words that begin a clause which leaves the columns alone.
var otherClauses = map[string]bool{
	"ENGINE": true, "AUTO_INCREMENT": true, "ROW_FORMAT": true, "KEY_BLOCK_SIZE": true, "MAX_ROWS": true, "MIN_ROWS": true,
	"AVG_ROW_LENGTH": true, "CHECKSUM": true, "DELAY_KEY_WRITE": true, "PACK_KEYS": true, "STATS_AUTO_RECALC": true,
	"STATS_PERSISTENT": true, "STATS_SAMPLE_PAGES": true, "COMPRESSION": true, "ENCRYPTION": true, "TABLESPACE": true,
	"FORCE": true, "ORDER": true, "ENABLE": true, "DISABLE": true, "DISCARD": true, "IMPORT": true, "PARTITION": true,
	"REMOVE": true, "COALESCE": true, "REORGANIZE": true, "TRUNCATE": true, "ANALYZE": true, "OPTIMIZE": true,
	"REBUILD": true, "REPAIR": true, "CHECK": true, "WITH": true, "WITHOUT": true, "ALTER": true,
}

// leavesColumns says whether a clause, which may be several table options
// without commas between, does nothing to columns, and keeps transactions.
func (c *cursor) leavesColumns() bool {
	if !otherClauses[c.peek().upper] || c.mentions("ENGINE") && !c.mentions("InnoDB") {
		return false
	}
	for _, t := range c.tokens {
		if t.is("CHARACTER") || t.is("CHARSET") || t.is("COLLATE") || t.is("CONVERT") {
			return false
		}
	}
	return true
}

// changeClause reads MODIFY [COLUMN] a … and CHANGE [COLUMN] a b ….
func (c *cursor) changeClause() ([]ColumnChange, bool) {
	rename := c.next().is("CHANGE")
	c.accept("COLUMN")
	change := ColumnChange{Op: ChangeColumn, Conditional: c.accept("IF", "EXISTS")}
	name := c.next()
	newName := name
	if rename {
		newName = c.next()
	}
	if !name.isName() || !newName.isName() {
		return nil, false
	}
	change.Name, change.NewName = name.value, newName.value
	change, ok := c.columnChange(change)
	return []ColumnChange{change}, ok
}

// addClause knows ADD {INDEX|KEY|FULLTEXT|SPATIAL} …; everything else is Other.
func (c *cursor) addClause(e *Effect) {
	if c.accept("UNIQUE") || c.peek().is("PRIMARY") || c.peek().is("CONSTRAINT") {
		e.Unique, e.Other, e.IndexesChange = true, true, true
		e.ColumnsKnown = e.ColumnsKnown && !c.mentions("PRIMARY")
		return
	}
	special := c.acceptAny("FULLTEXT", "SPATIAL", "VECTOR")
	if !c.acceptAny("INDEX", "KEY") && !special {
		e.Other = true
		e.columns(c.addedColumns())
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

// mentions says whether a word stands anywhere in the rest.
func (c *cursor) mentions(keyword string) bool {
	return slices.ContainsFunc(c.tokens[min(c.at, len(c.tokens)):], func(t token) bool { return strings.EqualFold(t.value, keyword) })
}

// addedColumns reads what follows ADD and is no index.
func (c *cursor) addedColumns() ([]ColumnChange, bool) {
	if c.acceptAny("FOREIGN", "CHECK", "PARTITION") {
		return nil, true
	}
	c.accept("COLUMN")
	if c.peek().is("(") {
		return c.columnList()
	}
	change, ok := c.addedColumn()
	return []ColumnChange{change}, ok
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
		e.columns(c.droppedColumn())
		return
	}
	c.accept("IF", "EXISTS")
	index := c.next()
	if !index.isName() || c.peek().kind != end {
		e.Other = true
		e.ColumnsKnown = false
		return
	}
	e.Dropped, e.IndexesChange = append(e.Dropped, index.value), true
	e.ColumnsKnown = e.ColumnsKnown && !strings.EqualFold(index.value, table.PrimaryName)
}

// droppedColumn reads what follows DROP and is no index.
func (c *cursor) droppedColumn() ([]ColumnChange, bool) {
	switch {
	case c.acceptAny("FOREIGN", "CONSTRAINT", "CHECK", "PARTITION"):
		return nil, !c.mentions(table.PrimaryName)
	case c.peek().is("PRIMARY"), c.peek().is("PERIOD"), c.peek().is("SYSTEM"):
		return nil, false
	}
	c.accept("COLUMN")
	change := ColumnChange{Op: DropColumn, Conditional: c.accept("IF", "EXISTS")}
	name := c.next()
	change.Name = name.value
	c.acceptAny("RESTRICT", "CASCADE")
	return []ColumnChange{change}, name.isName() && c.peek().kind == end
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
		change := ColumnChange{Op: RenameColumn, Conditional: c.accept("IF", "EXISTS")}
		from := c.next()
		known := from.isName() && c.accept("TO")
		to := c.next()
		change.Name, change.NewName = from.value, to.value
		e.columns([]ColumnChange{change}, known && to.isName() && c.peek().kind == end)
		return nil
	}
	e.Other = true
	c.acceptAny("TO", "AS", "=")
	to, ok := c.name()
	if !ok {
		e.ColumnsKnown = false
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
