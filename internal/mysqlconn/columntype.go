package mysqlconn

import (
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/table"
)

// ColumnText is a column as information_schema.COLUMNS or SHOW FULL COLUMNS
// prints it.
type ColumnText struct {
	Name      string
	Type      string // COLUMN_TYPE, e.g. "int(10) unsigned"
	Collation string // empty for columns without one
	Extra     string
	Nullable  bool
	// HasDefault: there is a default other than the implicit NULL.
	HasDefault bool
}

// ParseColumn turns a column's texts into a column. A type that nobody here
// knows gives TypeUnknown, not an error: the pre-check names it.
func ParseColumn(t ColumnText) (table.Column, error) {
	c, err := ParseColumnType(t.Type, t.Collation)
	if err != nil {
		return c, fmt.Errorf("column %s: %w", t.Name, err)
	}
	extra := strings.ToUpper(t.Extra)
	c.Name, c.Nullable, c.HasDefault = t.Name, t.Nullable, t.HasDefault
	c.AutoIncrement = strings.Contains(extra, "AUTO_INCREMENT")
	c.Invisible = strings.Contains(extra, "INVISIBLE")
	c.AutoUpdate = strings.Contains(extra, "ON UPDATE")
	switch {
	case strings.Contains(extra, "STORED GENERATED"), strings.Contains(extra, "PERSISTENT"):
		c.Generated = table.GeneratedStored
	case strings.Contains(extra, "VIRTUAL"):
		c.Generated = table.GeneratedVirtual
	}
	if c.Generated != table.NotGenerated {
		c.HasDefault = false
	}
	return c, nil
}

// ParseColumnType turns COLUMN_TYPE and the collation ("" when the type has
// none) into a column without name and attributes.
func ParseColumnType(columnType, collation string) (table.Column, error) {
	c := table.Column{SQLType: columnType}
	word, arguments, attributes, err := splitType(columnType)
	if err != nil {
		return c, fmt.Errorf("type %q: %w", columnType, err)
	}
	c.Unsigned = strings.Contains(attributes, "unsigned") || strings.Contains(attributes, "zerofill")
	if strings.Contains(attributes, "compressed") {
		return c, nil // MariaDB keeps such values compressed in the binlog too
	}
	kind, known := typeWords[word]
	if !known {
		return c, nil
	}
	c.Type, c.Bits, c.Length = kind.family, kind.bits, kind.length
	if err := takeArguments(&c, arguments); err != nil {
		return c, fmt.Errorf("type %q: %w", columnType, err)
	}
	if c.Type == table.TypeText || c.Type == table.TypeEnum || c.Type == table.TypeSet {
		c.Charset, c.Collation = charset(collation)
	}
	return c, nil
}

type typeWord struct {
	family table.Type
	bits   int
	length int64
}

// typeWords are the first words of COLUMN_TYPE with the width or length that
// the word itself says.
var typeWords = map[string]typeWord{
	"tinyint": {table.TypeInt, 8, 0}, "bool": {table.TypeInt, 8, 0}, "boolean": {table.TypeInt, 8, 0},
	"smallint": {table.TypeInt, 16, 0}, "mediumint": {table.TypeInt, 24, 0},
	"int": {table.TypeInt, 32, 0}, "integer": {table.TypeInt, 32, 0}, "bigint": {table.TypeInt, 64, 0},
	"decimal": {table.TypeDecimal, 0, 0}, "numeric": {table.TypeDecimal, 0, 0}, "dec": {table.TypeDecimal, 0, 0}, "fixed": {table.TypeDecimal, 0, 0},
	"float": {table.TypeFloat, 0, 0}, "double": {table.TypeDouble, 0, 0}, "real": {table.TypeDouble, 0, 0},
	"bit": {table.TypeBit, 1, 0}, "year": {table.TypeYear, 0, 0}, "date": {table.TypeDate, 0, 0},
	"time": {table.TypeTime, 0, 0}, "datetime": {table.TypeDateTime, 0, 0}, "timestamp": {table.TypeTimestamp, 0, 0},
	"char": {table.TypeText, 0, 1}, "varchar": {table.TypeText, 0, 0},
	"tinytext": {table.TypeText, 0, 1<<8 - 1}, "text": {table.TypeText, 0, 1<<16 - 1},
	"mediumtext": {table.TypeText, 0, 1<<24 - 1}, "longtext": {table.TypeText, 0, 1<<32 - 1},
	"binary": {table.TypeFixedBinary, 0, 1}, "varbinary": {table.TypeBinary, 0, 0},
	"tinyblob": {table.TypeBinary, 0, 1<<8 - 1}, "blob": {table.TypeBinary, 0, 1<<16 - 1},
	"mediumblob": {table.TypeBinary, 0, 1<<24 - 1}, "longblob": {table.TypeBinary, 0, 1<<32 - 1},
	"enum": {table.TypeEnum, 0, 0}, "set": {table.TypeSet, 0, 0}, "json": {table.TypeJSON, 0, 0},
	"geometry": {table.TypeGeometry, 0, 0}, "point": {table.TypeGeometry, 0, 0}, "linestring": {table.TypeGeometry, 0, 0},
	"polygon": {table.TypeGeometry, 0, 0}, "multipoint": {table.TypeGeometry, 0, 0}, "multilinestring": {table.TypeGeometry, 0, 0},
	"multipolygon": {table.TypeGeometry, 0, 0}, "geometrycollection": {table.TypeGeometry, 0, 0}, "geomcollection": {table.TypeGeometry, 0, 0},
	"vector": {table.TypeVector, 0, 0},
}

// splitType cuts "decimal(10,2) unsigned" into word, arguments and attributes,
// labels unquoted. The word and the attributes become lower case.
func splitType(text string) (word string, arguments []string, attributes string, err error) {
	text = strings.TrimSpace(text)
	end := strings.IndexAny(text, "( ")
	if end < 0 {
		return strings.ToLower(text), nil, "", nil
	}
	word, rest := strings.ToLower(text[:end]), text[end:]
	if rest[0] == '(' {
		arguments, rest, err = splitArguments(rest[1:])
	}
	return word, arguments, strings.ToLower(rest), err
}

// splitArguments reads up to the closing parenthesis and returns what follows it.
func splitArguments(text string) (arguments []string, rest string, err error) {
	var one strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ')':
			return append(arguments, one.String()), text[i+1:], nil
		case ',':
			arguments = append(arguments, one.String())
			one.Reset()
		case '\'':
			n := unquote(&one, text[i+1:])
			if n < 0 {
				return nil, "", fmt.Errorf("a quote is not closed")
			}
			i += n
		case ' ':
		default:
			one.WriteByte(text[i])
		}
	}
	return nil, "", fmt.Errorf("a parenthesis is not closed")
}

// unquote appends the label before the closing quote and returns how many bytes
// it took with the quote, -1 without one. Servers write ” for a quote and \\,
// \n, \r, \0 for what would break a line.
func unquote(out *strings.Builder, text string) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			out.WriteByte('\'')
			i++
		case text[i] == '\'':
			return i + 1
		case text[i] == '\\' && i+1 < len(text):
			i++
			out.WriteByte(unescape(text[i]))
		default:
			out.WriteByte(text[i])
		}
	}
	return -1
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '0':
		return 0
	case 'Z':
		return 0x1a
	default:
		return c
	}
}

// takeArguments fills what stands between the parentheses.
func takeArguments(c *table.Column, arguments []string) error {
	if c.Type == table.TypeEnum || c.Type == table.TypeSet {
		c.Labels = arguments
		return nil
	}
	numbers := make([]int64, len(arguments))
	for i, a := range arguments {
		n, err := strconv.ParseInt(a, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", a)
		}
		numbers[i] = n
	}
	if c.Type == table.TypeDecimal {
		c.Precision = 10
	}
	if len(numbers) == 0 {
		return nil
	}
	switch c.Type {
	case table.TypeDecimal, table.TypeFloat, table.TypeDouble:
		c.Precision = int(numbers[0])
		if len(numbers) > 1 {
			c.Scale = int(numbers[1])
		} else if c.Type == table.TypeFloat && c.Precision > 24 {
			c.Type = table.TypeDouble // FLOAT(53) is a DOUBLE
		}
	case table.TypeBit:
		c.Bits = int(numbers[0])
	case table.TypeTime, table.TypeDateTime, table.TypeTimestamp:
		c.Fraction = int(numbers[0])
	case table.TypeText, table.TypeFixedBinary, table.TypeBinary:
		c.Length = numbers[0]
	case table.TypeVector:
		c.Length = 4 * numbers[0]
	case table.TypeYear:
		if numbers[0] == 2 {
			c.Type = table.TypeUnknown // a SELECT gives 00 for 0 and for 2000
		}
	default: // the number is a width for display
	}
	return nil
}

// charset splits a collation's name; utf8mb3 is called utf8 on every server.
func charset(collation string) (name, normal string) {
	normal = strings.ToLower(collation)
	if rest, ok := strings.CutPrefix(normal, "utf8mb3"); ok {
		normal = "utf8" + rest
	}
	name, _, _ = strings.Cut(normal, "_")
	return name, normal
}
