package ddl

import (
	"strings"

	"shardlift/internal/table"
)

// ColumnOp is what an ALTER TABLE does to one column.
type ColumnOp uint8

// The operations.
const (
	AddColumn ColumnOp = iota + 1
	// ChangeColumn gives a column another definition, and maybe another name and
	// place (MODIFY and CHANGE).
	ChangeColumn
	RenameColumn
	DropColumn
)

// ColumnChange is one operation. All of a statement refer to the table before it.
type ColumnChange struct {
	Op ColumnOp
	// Name is the column's before the statement; the new one's of AddColumn.
	Name string
	// NewName is its name afterwards, of ChangeColumn and RenameColumn.
	NewName string
	// Conditional: IF EXISTS or IF NOT EXISTS (MariaDB).
	Conditional bool
	// Definition of AddColumn and ChangeColumn.
	Definition ColumnDefinition
	// First or After say where the column goes, when the statement says it.
	First bool
	After string
}

// ColumnDefinition is a column as a statement writes it.
type ColumnDefinition struct {
	// Type is written as information_schema.COLUMNS.COLUMN_TYPE does, but for
	// widths that change nothing: "int unsigned", "enum('a','b')".
	Type string
	// Charset and Collation where the statement names them.
	Charset, Collation string
	Nullable           bool
	HasDefault         bool
	AutoIncrement      bool
	Invisible          bool
	Generated          table.Generated
}

// typeNames are the words that begin a type, as information_schema spells them.
// What is missing (REAL, NCHAR, LONG, SERIAL, …) depends on settings or is rare.
var typeNames = map[string]string{
	"TINYINT": "tinyint", "INT1": "tinyint", "BOOL": "tinyint", "BOOLEAN": "tinyint",
	"SMALLINT": "smallint", "INT2": "smallint", "MEDIUMINT": "mediumint", "INT3": "mediumint", "MIDDLEINT": "mediumint",
	"INT": "int", "INTEGER": "int", "INT4": "int", "BIGINT": "bigint", "INT8": "bigint",
	"DECIMAL": "decimal", "NUMERIC": "decimal", "DEC": "decimal", "FIXED": "decimal",
	"FLOAT": "float", "FLOAT4": "float", "DOUBLE": "double", "FLOAT8": "double", "BIT": "bit",
	"YEAR": "year", "DATE": "date", "TIME": "time", "DATETIME": "datetime", "TIMESTAMP": "timestamp",
	"CHAR": "char", "CHARACTER": "char", "VARCHAR": "varchar", "VARCHARACTER": "varchar",
	"TINYTEXT": "tinytext", "TEXT": "text", "MEDIUMTEXT": "mediumtext", "LONGTEXT": "longtext",
	"BINARY": "binary", "VARBINARY": "varbinary",
	"TINYBLOB": "tinyblob", "BLOB": "blob", "MEDIUMBLOB": "mediumblob", "LONGBLOB": "longblob",
	"ENUM": "enum", "SET": "set", "JSON": "json",
	"GEOMETRY": "geometry", "POINT": "point", "LINESTRING": "linestring", "POLYGON": "polygon",
	"MULTIPOINT": "multipoint", "MULTILINESTRING": "multilinestring", "MULTIPOLYGON": "multipolygon",
	"GEOMETRYCOLLECTION": "geometrycollection", "GEOMCOLLECTION": "geometrycollection", "VECTOR": "vector",
}

// columnChange reads the rest of ADD, MODIFY or CHANGE: a definition, then
// maybe a place. Not ok when anything is not understood.
func (c *cursor) columnChange(change ColumnChange) (ColumnChange, bool) {
	d, ok := c.columnType()
	if !ok {
		return change, false
	}
	for ok && c.peek().kind != end {
		switch {
		case c.accept("FIRST"):
			change.First = true
		case c.accept("AFTER"):
			name := c.next()
			change.After, ok = name.value, name.isName()
		default:
			ok = !change.First && change.After == "" && c.columnAttribute(&d)
		}
	}
	change.Definition = d
	return change, ok
}

// columnType reads a type with its arguments and its sign.
func (c *cursor) columnType() (ColumnDefinition, bool) {
	d := ColumnDefinition{Nullable: true}
	first := c.next()
	name, known := typeNames[first.upper]
	if !known || first.kind != word {
		return d, false
	}
	switch {
	case name == "char" && c.accept("VARYING"):
		name = "varchar"
	case first.upper == "DOUBLE":
		c.accept("PRECISION")
	}
	arguments, ok := c.typeArguments()
	if !ok || arguments != "" && (name == "text" || name == "blob" || name == "float" && !strings.Contains(arguments, ",")) {
		return d, false // TEXT(n) may be a TINYTEXT, FLOAT(n) a DOUBLE
	}
	d.Type = name + arguments
	for {
		switch {
		case c.acceptAny("UNSIGNED", "ZEROFILL"):
			if !strings.HasSuffix(d.Type, " unsigned") {
				d.Type += " unsigned"
			}
		case c.accept("SIGNED"):
		default:
			return d, true
		}
	}
}

// typeArguments reads (…) behind a type's word: numbers, or labels in quotes.
func (c *cursor) typeArguments() (string, bool) {
	if !c.accept("(") {
		return "", true
	}
	var out []string
	for {
		t := c.next()
		switch {
		case t.kind == number:
			out = append(out, t.value)
		case t.kind == text:
			b, ok := literal(t)
			label := string(b)
			// A label's end is trimmed; beyond ASCII the client's character set matters.
			if !ok || t.value[0] != '\'' && t.value[0] != '"' || strings.HasSuffix(label, " ") || c.mode.Foreign && !isASCII(label) {
				return "", false
			}
			out = append(out, "'"+strings.ReplaceAll(label, "'", "''")+"'")
		default:
			return "", false
		}
		if c.accept(")") {
			return "(" + strings.Join(out, ",") + ")", true
		}
		if !c.accept(",") {
			return "", false
		}
	}
}

// columnAttribute reads one attribute of a column. Those that make it a part of
// the primary key are not known: they change how rows are told apart.
func (c *cursor) columnAttribute(d *ColumnDefinition) bool {
	switch {
	case c.accept("NOT", "NULL"):
		d.Nullable = false
	case c.accept("NULL"), c.accept("VISIBLE"):
	case c.accept("INVISIBLE"):
		d.Invisible = true
	case c.accept("AUTO_INCREMENT"):
		d.AutoIncrement = true
	case c.accept("UNIQUE"):
		c.accept("KEY")
	case c.accept("COMMENT"):
		return c.next().kind == text
	case c.accept("DEFAULT"):
		d.HasDefault = !c.peek().is("NULL")
		return c.expression()
	case c.accept("ON", "UPDATE"):
		return c.expression()
	case c.accept("COLLATE"):
		d.Collation = strings.ToLower(c.nameOrText())
		return d.Collation != ""
	case c.accept("CHARACTER", "SET"), c.accept("CHAR", "SET"), c.accept("CHARSET"):
		d.Charset = strings.ToLower(c.nameOrText())
		return d.Charset != ""
	case c.accept("GENERATED", "ALWAYS", "AS"), c.accept("AS"):
		d.Generated = table.GeneratedVirtual
		return c.parentheses()
	case c.acceptAny("STORED", "PERSISTENT"):
		d.Generated = table.GeneratedStored
	case c.accept("VIRTUAL"):
	case c.accept("CHECK"):
		return c.parentheses()
	case c.acceptAny("SRID", "COLUMN_FORMAT", "STORAGE"):
		c.next()
	default:
		return false
	}
	return true
}

// nameOrText reads the name of a character set or a collation.
func (c *cursor) nameOrText() string {
	t := c.next()
	if t.kind == text {
		b, _ := literal(t)
		return string(b)
	}
	if t.isName() {
		return t.value
	}
	return ""
}

// expression passes a default: a literal with its sign, a word, or one of them
// or nothing with parentheses behind.
func (c *cursor) expression() bool {
	c.acceptAny("-", "+")
	if !c.peek().is("(") {
		switch t := c.next(); t.kind {
		case text, number, word:
			if c.peek().is(".") { // 1.5 and .5 are cut at the dot
				c.next()
				c.next()
			}
		case symbol:
			if !t.is(".") || c.next().kind != number {
				return false
			}
		default:
			return false
		}
	}
	return !c.peek().is("(") || c.parentheses()
}

// columnList reads ADD (a INT, b INT): every part has to be a column.
func (c *cursor) columnList() ([]ColumnChange, bool) {
	if !c.accept("(") {
		return nil, false
	}
	var out []ColumnChange
	for {
		start, depth := c.at, 0
		for ; c.peek().kind != end; c.at++ {
			t := c.peek()
			if depth == 0 && (t.is(",") || t.is(")")) {
				break
			}
			if t.is("(") {
				depth++
			} else if t.is(")") {
				depth--
			}
		}
		part := c.part(start)
		change, ok := part.addedColumn()
		if !ok {
			return nil, false
		}
		out = append(out, change)
		if c.accept(")") {
			return out, c.peek().kind == end
		}
		if !c.accept(",") {
			return nil, false
		}
	}
}

// part is a cursor over the tokens from start to here.
func (c *cursor) part(start int) *cursor {
	tokens := append(append([]token{}, c.tokens[start:min(c.at, len(c.tokens)-1)]...), token{kind: end})
	return &cursor{tokens: tokens, schema: c.schema, mode: c.mode}
}

// addedColumn reads name and definition of a new column.
func (c *cursor) addedColumn() (ColumnChange, bool) {
	change := ColumnChange{Op: AddColumn, Conditional: c.accept("IF", "NOT", "EXISTS")}
	t := c.next()
	if !t.isName() || t.kind == word && notColumns[t.upper] {
		return change, false
	}
	change.Name = t.value
	return c.columnChange(change)
}

// notColumns are the words behind ADD that begin something else.
var notColumns = map[string]bool{
	"PRIMARY": true, "UNIQUE": true, "KEY": true, "INDEX": true, "CONSTRAINT": true, "FOREIGN": true, "CHECK": true,
	"FULLTEXT": true, "SPATIAL": true, "VECTOR": true, "PARTITION": true, "PERIOD": true, "SYSTEM": true,
}
