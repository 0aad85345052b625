package dialect

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// QuoteName quotes a name of one or more parts with backticks.
func QuoteName(parts ...string) string {
	return string(appendName(nil, parts...))
}

func appendName(dst []byte, parts ...string) []byte {
	for i, part := range parts {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, '`')
		dst = append(dst, strings.ReplaceAll(part, "`", "``")...)
		dst = append(dst, '`')
	}
	return dst
}

// AppendLiteral appends v as a value to be stored in column c. The column from,
// whose type and character set v's canonical bytes have, is c itself for a
// value that was read from c. For conditions use AppendOperand.
func AppendLiteral(dst []byte, c table.Column, v row.Value, from table.Column) []byte {
	f := formOf(&c, &from)
	return f.appendStored(dst, v)
}

// AppendOperand appends v as a value that column c is compared with: under c's
// collation, and so that an index on c is used.
func AppendOperand(dst []byte, c table.Column, v row.Value, from table.Column) []byte {
	f := formOf(&c, &from)
	return f.appendCompared(dst, v)
}

// shape is how the bytes of a value become SQL text.
type shape uint8

const (
	shapeNumber   shape = iota // the bytes are the text: integers, decimals, ordinals
	shapeTemporal              // the bytes in quotes, nothing to escape
	shapeYear
	shapeFloat
	shapeDouble
	shapeBit
	shapeText
	shapeDocument // a JSON document for a JSON column
	shapeBytes    // hex
)

// form is the way from one column's canonical bytes to another column's literal.
type form struct {
	shape shape
	// charset is what the bytes of shapeText are in.
	charset string
	// unicode: the bytes are UTF-8, and so good for a quoted string.
	unicode bool
	// ascii: bytes below 0x80 mean ASCII, and so values of these alone are good
	// for a quoted string.
	ascii bool
	// same: the column has the charset of the bytes; collation is the column's.
	same      bool
	collation string
}

func formOf(to, from *table.Column) form {
	switch from.Type {
	case table.TypeFloat:
		return form{shape: shapeFloat}
	case table.TypeDouble:
		return form{shape: shapeDouble}
	case table.TypeBit:
		return form{shape: shapeBit}
	case table.TypeYear:
		return form{shape: shapeYear}
	case table.TypeDate, table.TypeTime, table.TypeDateTime, table.TypeTimestamp:
		return form{shape: shapeTemporal}
	case table.TypeText, table.TypeJSON:
		source := charsetOf(from)
		kind := shapeText
		if from.Type == table.TypeJSON && to.Type == table.TypeJSON {
			kind = shapeDocument
		}
		return form{
			shape: kind, charset: source, unicode: source == "utf8mb4" || source == "utf8mb3",
			ascii: asciiCompatible[source], same: source == charsetOf(to), collation: to.Collation,
		}
	case table.TypeInt, table.TypeDecimal, table.TypeEnum, table.TypeSet:
		return form{shape: shapeNumber}
	default:
		return form{shape: shapeBytes}
	}
}

// charsetOf returns the charset of a column's text under one name.
func charsetOf(c *table.Column) string {
	switch {
	case c.Type == table.TypeJSON:
		return "utf8mb4"
	case c.Charset == "utf8":
		return "utf8mb3"
	default:
		return c.Charset
	}
}

// asciiCompatible holds the character sets in which bytes below 0x80, alone,
// are ASCII (measured on each server: TestCharsets_ASCIICompatible). The others
// (swe7, ucs2, utf16, utf32, …) are written as hex.
var asciiCompatible = map[string]bool{
	"ascii": true, "latin1": true, "latin2": true, "latin5": true, "latin7": true,
	"cp1250": true, "cp1251": true, "cp1256": true, "cp1257": true, "cp850": true, "cp852": true, "cp866": true,
	"greek": true, "hebrew": true, "koi8r": true, "koi8u": true, "macce": true, "macroman": true,
	"gbk": true, "gb2312": true, "gb18030": true, "big5": true, "euckr": true, "ujis": true, "eucjpms": true,
	"utf8mb3": true, "utf8mb4": true,
}

func (f *form) appendStored(dst []byte, v row.Value) []byte {
	if v == nil {
		return append(dst, "NULL"...)
	}
	switch f.shape {
	case shapeNumber:
		return append(dst, v...)
	case shapeText:
		if f.quotable(v) {
			return appendQuoted(dst, v)
		}
		if !f.same {
			dst = f.appendIntroducer(dst)
		}
		return appendHex(dst, v)
	case shapeDocument:
		return appendDocument(dst, v)
	case shapeTemporal:
		dst = append(dst, '\'')
		dst = append(dst, v...)
		return append(dst, '\'')
	case shapeYear:
		return appendYear(dst, v)
	case shapeFloat:
		return appendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(v))))
	case shapeDouble:
		return appendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(v)))
	case shapeBit:
		return strconv.AppendUint(dst, bits(v), 10)
	default:
		return appendHex(dst, v)
	}
}

// appendCompared differs from appendStored for text that needs hex: without an
// introducer the comparison would be binary and use no index.
func (f *form) appendCompared(dst []byte, v row.Value) []byte {
	if v == nil || f.shape != shapeText || f.quotable(v) {
		return f.appendStored(dst, v)
	}
	dst = f.appendIntroducer(dst)
	dst = appendHex(dst, v)
	if f.same && f.collation != "" && !f.unicode {
		dst = append(dst, " COLLATE "...)
		dst = append(dst, f.collation...)
	}
	return dst
}

func (f *form) appendIntroducer(dst []byte) []byte {
	dst = append(dst, '_')
	dst = append(dst, f.charset...)
	return append(dst, ' ')
}

// quotable says whether a quoted string on a utf8mb4 connection means v's characters.
func (f *form) quotable(v row.Value) bool {
	if !f.ascii {
		return len(v) == 0
	}
	if f.unicode {
		return utf8.Valid(v)
	}
	for _, b := range v {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendQuoted escapes what ends or changes a quoted string, and NUL, which
// some proxies take for the end.
func appendQuoted(dst []byte, v []byte) []byte {
	dst = append(dst, '\'')
	start := 0
	for i, b := range v {
		if b > '\\' || (b != '\'' && b != '\\' && b != 0) {
			continue
		}
		dst = append(dst, v[start:i]...)
		start = i + 1
		switch b {
		case '\'':
			dst = append(dst, `''`...)
		case '\\':
			dst = append(dst, `\\`...)
		default:
			dst = append(dst, `\0`...)
		}
	}
	dst = append(dst, v[start:]...)
	return append(dst, '\'')
}

// appendHex writes 0x…; no byte at all is an empty string, since 0x alone is no
// literal and DBLE takes an empty x literal for a column.
func appendHex(dst []byte, v []byte) []byte {
	if len(v) == 0 {
		return append(dst, `''`...)
	}
	dst = append(dst, "0x"...)
	return hex.AppendEncode(dst, v)
}

// appendFloat writes the shortest text that reads back as the same double, with
// an exponent: without one it would be a DECIMAL literal. A FLOAT widened to a
// double is exact; its own shortest text would be rounded twice.
func appendFloat(dst []byte, f float64) []byte {
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

// appendYear writes 0000 in quotes: a number 0000 is read as octal by some
// parsers, and a string '0' would be 2000.
func appendYear(dst []byte, v []byte) []byte {
	if string(v) != "0000" {
		return append(dst, v...)
	}
	return append(dst, "'0000'"...)
}

func bits(v []byte) uint64 {
	n := uint64(0)
	for _, b := range v {
		n = n<<8 | uint64(b)
	}
	return n
}
