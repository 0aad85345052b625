package binlog

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/go-mysql-org/go-mysql/mysql"

	"shardlift/internal/row"
)

// Types of values in MySQL's binary JSON (sql-common/json_binary.h).
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0a
	jsonDouble      = 0x0b
	jsonString      = 0x0c
	jsonOpaque      = 0x0f
)

// maxJSONDepth is above the 100 levels that servers allow.
const maxJSONDepth = 128

// jsonPrinter prints binary documents. Old is the text of MySQL 5.7: lines of
// base64 not escaped. Whole doubles have their ".0" here all the same, so that
// they stay doubles.
type jsonPrinter struct {
	old bool
	// limit ends documents whose parts refer to each other: no real one is
	// printed with more than eight times its bytes.
	limit int
}

// document prints a binary document as the server prints it: key order kept,
// a space after each comma and colon. An empty document stands for null (it
// comes from INSERT IGNORE of NULL into a NOT NULL column).
func (p jsonPrinter) document(dst, document []byte) ([]byte, error) {
	if len(document) == 0 {
		return append(dst, "null"...), nil
	}
	p.limit = len(dst) + 16*len(document) + 64
	return p.value(dst, document[0], document[1:], 0)
}

func (p jsonPrinter) value(dst []byte, kind byte, data []byte, depth int) ([]byte, error) {
	if depth > maxJSONDepth {
		return nil, errShape
	}
	r := reader{data: data}
	switch kind {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return p.container(dst, kind, data, depth)
	case jsonLiteral:
		word, err := literal(byte(r.little(1)))
		return append(dst, word...), err
	case jsonInt16:
		dst = strconv.AppendInt(dst, int64(int16(r.little(2))), 10)
	case jsonUint16:
		dst = strconv.AppendUint(dst, r.little(2), 10)
	case jsonInt32:
		dst = strconv.AppendInt(dst, int64(int32(r.little(4))), 10)
	case jsonUint32:
		dst = strconv.AppendUint(dst, r.little(4), 10)
	case jsonInt64:
		dst = strconv.AppendInt(dst, int64(r.little(8)), 10)
	case jsonUint64:
		dst = strconv.AppendUint(dst, r.little(8), 10)
	case jsonDouble:
		dst = row.AppendDocumentDouble(dst, math.Float64frombits(r.little(8)))
	case jsonString:
		dst = appendQuoted(dst, r.take(r.jsonLength()))
	case jsonOpaque:
		return p.opaque(dst, &r)
	default:
		return nil, errShape
	}
	return dst, r.err
}

func literal(b byte) (string, error) {
	switch b {
	case 0:
		return "null", nil
	case 1:
		return "true", nil
	case 2:
		return "false", nil
	default:
		return "", errShape
	}
}

// jsonLength reads a length of up to five bytes of seven bits, low ones first.
func (r *reader) jsonLength() int {
	n := uint64(0)
	for i := range 5 {
		b := r.little(1)
		n |= (b & 0x7f) << (7 * i)
		if b&0x80 == 0 {
			return int(n)
		}
	}
	r.err = errShape
	return 0
}

// container prints an object or an array: count, size, entries of
// keys (offset, length) and of values (type, offset or the value itself).
func (p jsonPrinter) container(dst []byte, kind byte, data []byte, depth int) ([]byte, error) {
	width := 2
	if kind == jsonLargeObject || kind == jsonLargeArray {
		width = 4
	}
	object := kind == jsonSmallObject || kind == jsonLargeObject
	r := reader{data: data}
	count, size := int(r.little(width)), int(r.little(width))
	if r.err != nil || size > len(data) || count > size {
		return nil, errShort
	}
	data = data[:size]
	keys := reader{data: r.data}
	if object {
		r.take(count * (width + 2))
	}
	open, closing := byte('['), byte(']')
	if object {
		open, closing = '{', '}'
	}
	dst = append(dst, open)
	for i := range count {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if len(dst) > p.limit {
			return nil, errShape
		}
		if object {
			key := piece(data, int(keys.little(width)), int(keys.little(2)))
			if key == nil || keys.err != nil {
				return nil, errShort
			}
			dst = append(appendQuoted(dst, key), ": "...)
		}
		var err error
		if dst, err = p.entry(dst, &r, data, width, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, closing), nil
}

// entry prints the value of one entry; small values stand in the
// entry itself.
func (p jsonPrinter) entry(dst []byte, r *reader, data []byte, width, depth int) ([]byte, error) {
	kind := byte(r.little(1))
	at := r.take(width)
	if r.err != nil {
		return nil, r.err
	}
	inline := kind == jsonLiteral || kind == jsonInt16 || kind == jsonUint16 ||
		width == 4 && (kind == jsonInt32 || kind == jsonUint32)
	if inline {
		return p.value(dst, kind, at, depth+1)
	}
	offset := reader{data: at}
	rest := piece(data, int(offset.little(width)), -1)
	if rest == nil {
		return nil, errShort
	}
	return p.value(dst, kind, rest, depth+1)
}

// piece is data[at:at+n], or the rest for n < 0; nil when it does not exist.
func piece(data []byte, at, n int) []byte {
	if at < 0 || at > len(data) || n > len(data)-at {
		return nil
	}
	if n < 0 {
		return data[at:]
	}
	return data[at : at+n : at+n]
}

// opaque prints a value of a type that JSON does not have.
func (p jsonPrinter) opaque(dst []byte, r *reader) ([]byte, error) {
	kind := byte(r.little(1))
	data := r.take(r.jsonLength())
	if r.err != nil {
		return nil, r.err
	}
	v := reader{data: data}
	switch kind {
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		precision, scale := int(v.little(1)), int(v.little(1))
		dst = appendDecimal(dst, &v, precision, scale)
		return dst, v.err
	case mysql.MYSQL_TYPE_DATE:
		dst = appendPackedTime(append(dst, '"'), v.little(8), true, false)
	case mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP:
		dst = appendPackedTime(append(dst, '"'), v.little(8), true, true)
	case mysql.MYSQL_TYPE_TIME:
		dst = appendPackedTime(append(dst, '"'), v.little(8), false, true)
	default:
		dst = append(dst, `"base64:type`...)
		dst = append(strconv.AppendUint(dst, uint64(kind), 10), ':')
		dst = p.base64(dst, data)
	}
	return append(dst, '"'), v.err
}

// appendPackedTime prints the number that MySQL keeps temporal values in
// (TIME_to_longlong_packed): 24 bits of microseconds below the rest.
func appendPackedTime(dst []byte, bits uint64, date, clock bool) []byte {
	v := int64(bits)
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	n, micro := uint64(v)>>24, uint64(v)&(1<<24-1)
	hours := uint64(0x3ff)
	if date {
		day := n >> 17
		dst = appendDay(dst, (day>>5)/13, (day>>5)%13, day&0x1f)
		hours = 0x1f
	}
	if date && clock {
		dst = append(dst, ' ')
	}
	if clock {
		dst = appendClock(dst, n>>12&hours, n>>6&0x3f, n&0x3f)
		dst = appendFraction(dst, micro, 6)
	}
	return dst
}

// base64 prints bytes in lines of 76 characters, as the server does.
func (p jsonPrinter) base64(dst, data []byte) []byte {
	const line = 57
	for len(data) > line {
		dst = base64.StdEncoding.AppendEncode(dst, data[:line])
		data = data[line:]
		if p.old {
			dst = append(dst, '\n')
		} else {
			dst = append(dst, `\n`...)
		}
	}
	return base64.StdEncoding.AppendEncode(dst, data)
}

// appendQuoted prints a string; bytes beyond ASCII stay as they are.
func appendQuoted(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, `\u00`...)
				dst = append(dst, hexDigits[c>>4], hexDigits[c&0xf])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}
