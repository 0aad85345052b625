package row

import (
	"bytes"
	"math"
	"strconv"
)

// AppendDocumentDouble appends a double as MySQL 8 prints it in a JSON document:
// the shortest digits that read back the same; plain for exponents from -15 to
// 14, and for 15 when 17 digits give a fraction (measured on 5.7, 8.0 and 9.7);
// whole ones with ".0", which 5.7 leaves out. NaN and infinity, which no server
// stores, become null.
func AppendDocumentDouble(dst []byte, f float64) []byte {
	var memory [32]byte
	text := strconv.AppendFloat(memory[:0], math.Abs(f), 'e', -1, 64) // d.ddde±dd
	e := bytes.IndexByte(text, 'e')
	if e < 0 {
		return append(dst, "null"...)
	}
	exponent, _ := strconv.Atoi(string(text[e+1:]))
	if math.Signbit(f) {
		dst = append(dst, '-')
	}
	digits := e - 1
	if exponent < -15 || exponent > 15 || exponent == 15 && digits < 17 {
		dst = append(append(dst, text[:e]...), 'e')
		return strconv.AppendInt(dst, int64(exponent), 10)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, math.Abs(f), 'f', -1, 64)
	if bytes.IndexByte(dst[start:], '.') >= 0 {
		return dst
	}
	return append(dst, ".0"...)
}

// NextNumber returns where the first number of a JSON text at or behind from
// begins and ends, strings left out; ok is false when there is none. from must
// not lie inside a string or a number.
func NextNumber(document []byte, from int) (start, end int, ok bool) {
	for i := from; i < len(document); i++ {
		switch c := document[i]; {
		case c == '"':
			i = StringEnd(document, i) - 1
		case c == '-' || c >= '0' && c <= '9':
			end = i + 1
			for end < len(document) && isNumberByte(document[end]) {
				end++
			}
			return i, end, true
		}
	}
	return 0, 0, false
}

// StringEnd returns where the string that begins at start ends, its quote included.
func StringEnd(document []byte, start int) int {
	for i := start + 1; i < len(document); i++ {
		switch document[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(document)
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// AppendPlainDoubles appends a document's text without the ".0" of whole
// doubles, as MySQL 5.7 prints it: the form in which texts of old and new
// servers can be compared.
func AppendPlainDoubles(dst, document []byte) []byte {
	at := 0
	for {
		_, end, ok := NextNumber(document, at)
		if !ok {
			return append(dst, document[at:]...)
		}
		dst = append(dst, bytes.TrimSuffix(document[at:end], []byte(".0"))...)
		at = end
	}
}
