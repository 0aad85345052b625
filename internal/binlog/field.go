package binlog

import (
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// wire is how a value stands in a row image.
type wire uint8

const (
	wireInt wire = iota + 1
	wireDecimal
	wireFloat
	wireDouble
	wireBit
	wireYear
	wireDate
	wireTime
	wireOldTime
	wireDateTime
	wireOldDateTime
	wireTimestamp
	wireOldTimestamp
	wireBytes // length, then bytes
	wirePadded
	wireOrdinal // ENUM and SET
	wireJSON
	wireSkipped // length, then bytes of a hidden column that nobody reads
)

// field says how to read one column of a table's row images.
type field struct {
	column *table.Column
	wire   wire
	// size is the width of a number or of the length before bytes.
	size             int
	precision, scale int
	fraction         int
	unsigned         bool
}

// layout joins a table's definition with the events of one of its table maps.
type layout struct {
	table  *table.Table
	fields []field // all columns of the image; those beyond table.Columns are hidden
	// missing are the virtual columns that the images turned out to lack.
	missing []int
	json    jsonPrinter
}

// newLayout checks that the events of a table map can be read by the
// definition, which decides about signs, labels and digits. The metadata of the
// event is believed only where it contradicts the definition: then the stream
// stops.
func newLayout(t *table.Table, m *replication.TableMapEvent) (*layout, error) {
	count, hidden := int(m.ColumnCount), 0
	if extra := count - len(t.Columns); extra > 0 && extra <= expressions(t) {
		hidden = extra // 8.0.13 to 8.0.17 log the hidden columns of functional indexes
	}
	if count-hidden != len(t.Columns) {
		return nil, mismatch(t, "it has %d columns in the binlog and %d in the definition", count, len(t.Columns))
	}
	signs := newSigns(t, m)
	l := &layout{table: t, fields: make([]field, count)}
	for i := range l.fields {
		kind, meta := realType(m.ColumnType[i], m.ColumnMeta[i])
		if i >= len(t.Columns) {
			f, ok := hiddenField(kind, meta)
			if !ok {
				return nil, mismatch(t, "a hidden column of a functional index has the type %d", kind)
			}
			l.fields[i] = f
			continue
		}
		c := &t.Columns[i]
		f, ok := newField(c, kind, meta)
		if !ok {
			return nil, mismatch(t, "column %s is %s in the definition, type %d (%d) in the binlog", c.Name, c.SQLType, kind, meta)
		}
		if sign, known := signs[i]; known && c.Type == table.TypeInt && sign != c.Unsigned {
			return nil, mismatch(t, "column %s is %s in the definition, unsigned: %t in the binlog", c.Name, c.SQLType, sign)
		}
		if len(m.ColumnName) == count && !strings.EqualFold(string(m.ColumnName[i]), c.Name) {
			return nil, mismatch(t, "column %s has another name in the binlog", c.Name)
		}
		l.fields[i] = f
	}
	return l, nil
}

// expressions counts the expressions in a table's keys.
func expressions(t *table.Table) int {
	n := 0
	for _, k := range t.Keys {
		n += len(k.Parts) - len(k.Columns())
	}
	return n
}

func mismatch(t *table.Table, format string, args ...any) error {
	return fault.OfTable(fault.DefinitionMismatch.New(t.Name.String(), format, args...), t.Name.String())
}

// realType resolves MYSQL_TYPE_STRING, whose metadata holds the real type and,
// in two bits of it, the high bits of the length.
func realType(kind byte, meta uint16) (realKind byte, length int) {
	if kind != mysql.MYSQL_TYPE_STRING || meta < 256 {
		return kind, int(meta)
	}
	high, low := byte(meta>>8), int(meta&0xff)
	if high&0x30 != 0x30 {
		return high | 0x30, low | int(high&0x30^0x30)<<4
	}
	return high, low
}

// newField says how a column of this type stands in the image; not ok when the
// type in the binlog is not the column's.
func newField(c *table.Column, kind byte, meta int) (field, bool) {
	f := field{column: c, unsigned: c.Unsigned, size: c.Bits / 8}
	switch c.Type {
	case table.TypeInt:
		f.wire = wireInt
		return f, kind == intTypes[c.Bits]
	case table.TypeDecimal:
		f.wire, f.precision, f.scale = wireDecimal, c.Precision, c.Scale
		return f, kind == mysql.MYSQL_TYPE_NEWDECIMAL && meta == c.Precision<<8|c.Scale
	case table.TypeFloat:
		f.wire = wireFloat
		return f, kind == mysql.MYSQL_TYPE_FLOAT && meta == 4
	case table.TypeDouble:
		f.wire = wireDouble
		return f, kind == mysql.MYSQL_TYPE_DOUBLE && meta == 8
	case table.TypeBit:
		f.wire, f.size = wireBit, (c.Bits+7)/8
		return f, kind == mysql.MYSQL_TYPE_BIT && meta>>8*8+meta&0xff == c.Bits
	case table.TypeYear:
		f.wire = wireYear
		return f, kind == mysql.MYSQL_TYPE_YEAR
	case table.TypeDate, table.TypeTime, table.TypeDateTime, table.TypeTimestamp:
		return f.temporal(kind, meta)
	case table.TypeText, table.TypeBinary, table.TypeFixedBinary:
		return f.text(kind, meta)
	case table.TypeEnum, table.TypeSet:
		return f.ordinal(kind, meta)
	case table.TypeJSON:
		f.wire, f.size = wireJSON, meta
		return f, kind == mysql.MYSQL_TYPE_JSON && meta == 4
	case table.TypeGeometry:
		f.wire, f.size = wireBytes, meta
		return f, kind == mysql.MYSQL_TYPE_GEOMETRY && meta == 4
	case table.TypeVector:
		f.wire, f.size = wireBytes, meta
		return f, kind == mysql.MYSQL_TYPE_VECTOR && meta >= 1 && meta <= 4
	default:
		return f, false
	}
}

var intTypes = map[int]byte{
	8: mysql.MYSQL_TYPE_TINY, 16: mysql.MYSQL_TYPE_SHORT, 24: mysql.MYSQL_TYPE_INT24,
	32: mysql.MYSQL_TYPE_LONG, 64: mysql.MYSQL_TYPE_LONGLONG,
}

// temporal knows the formats before and since 5.6.4. The old ones of MariaDB
// with a fraction have no length in the event and are refused.
func (f field) temporal(kind byte, meta int) (field, bool) {
	f.fraction = f.column.Fraction
	want := map[byte]struct {
		family table.Type
		wire   wire
		old    bool
	}{
		mysql.MYSQL_TYPE_DATE:       {table.TypeDate, wireDate, true},
		mysql.MYSQL_TYPE_TIME:       {table.TypeTime, wireOldTime, true},
		mysql.MYSQL_TYPE_TIME2:      {table.TypeTime, wireTime, false},
		mysql.MYSQL_TYPE_DATETIME:   {table.TypeDateTime, wireOldDateTime, true},
		mysql.MYSQL_TYPE_DATETIME2:  {table.TypeDateTime, wireDateTime, false},
		mysql.MYSQL_TYPE_TIMESTAMP:  {table.TypeTimestamp, wireOldTimestamp, true},
		mysql.MYSQL_TYPE_TIMESTAMP2: {table.TypeTimestamp, wireTimestamp, false},
	}[kind]
	f.wire = want.wire
	if want.old {
		return f, want.family == f.column.Type && f.fraction == 0
	}
	return f, want.family == f.column.Type && f.fraction == meta && meta <= 6
}

// text knows CHAR and BINARY (trailing pad bytes are not in the image), VARCHAR
// and VARBINARY, and the BLOB and TEXT family.
func (f field) text(kind byte, meta int) (field, bool) {
	c := f.column
	f.wire = wireBytes
	switch kind {
	case mysql.MYSQL_TYPE_BLOB:
		f.size = meta
		return f, c.Type != table.TypeFixedBinary && meta == lengthBytes(c.Length)
	case mysql.MYSQL_TYPE_STRING:
		if c.Type == table.TypeFixedBinary {
			f.wire = wirePadded
		} else if c.Type != table.TypeText {
			return f, false
		}
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING:
		if c.Type == table.TypeFixedBinary {
			return f, false
		}
	default:
		return f, false
	}
	f.size = 1
	if meta > 255 {
		f.size = 2
	}
	// meta is the length in bytes: of one to five bytes a character.
	fits := c.Length == 0 || int64(meta)%c.Length == 0 && int64(meta)/c.Length <= 5
	return f, fits
}

// lengthBytes is the width of the length before a BLOB or TEXT of at most n bytes.
func lengthBytes(n int64) int {
	switch {
	case n < 1<<8:
		return 1
	case n < 1<<16:
		return 2
	case n < 1<<24:
		return 3
	default:
		return 4
	}
}

// ordinal knows ENUM (one byte below 256 labels) and SET (a bit each).
func (f field) ordinal(kind byte, meta int) (field, bool) {
	labels := len(f.column.Labels)
	f.wire, f.size = wireOrdinal, meta&0xff
	if f.column.Type == table.TypeEnum {
		want := 1
		if labels > 255 {
			want = 2
		}
		return f, kind == mysql.MYSQL_TYPE_ENUM && f.size == want
	}
	want := (labels + 7) / 8
	if want > 4 {
		want = 8
	}
	return f, kind == mysql.MYSQL_TYPE_SET && f.size == want
}

// hiddenField reads past a column that is not in the definition.
func hiddenField(kind byte, meta int) (field, bool) {
	f := field{column: &table.Column{Name: "hidden"}}
	switch kind {
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_LONGLONG:
		for bits, t := range intTypes {
			if t == kind {
				f.wire, f.size = wireInt, bits/8
			}
		}
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		f.wire, f.precision, f.scale = wireDecimal, meta>>8, meta&0xff
	case mysql.MYSQL_TYPE_FLOAT:
		f.wire = wireFloat
	case mysql.MYSQL_TYPE_DOUBLE:
		f.wire = wireDouble
	case mysql.MYSQL_TYPE_YEAR:
		f.wire = wireYear
	case mysql.MYSQL_TYPE_DATE:
		f.wire = wireDate
	case mysql.MYSQL_TYPE_TIME2:
		f.wire, f.fraction = wireTime, meta
	case mysql.MYSQL_TYPE_DATETIME2:
		f.wire, f.fraction = wireDateTime, meta
	case mysql.MYSQL_TYPE_TIMESTAMP2:
		f.wire, f.fraction = wireTimestamp, meta
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_JSON, mysql.MYSQL_TYPE_GEOMETRY:
		f.wire, f.size = wireSkipped, meta
	case mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_VARCHAR:
		f.wire, f.size = wireSkipped, 1
		if meta > 255 {
			f.size = 2
		}
	default:
		return f, false
	}
	return f, true
}

// describe names a field in errors.
func (f *field) describe() string {
	return fmt.Sprintf("column %s (%s)", f.column.Name, f.column.SQLType)
}
