package dialect

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"shardlift/internal/row"
)

// appendDocument appends the text of a MySQL JSON document as a value to be
// stored in a JSON column. A plain string is enough as long as the parser of the
// destination reads every number as it is meant. The parser of MySQL 5.7 and 8.0
// misses doubles of 16 and 17 digits by up to three units in the last place (20 %
// of random ones; 9.7 does not), and every parser makes a double of a DECIMAL and
// an integer of -0.0. Documents with such numbers are built by JSON_ARRAY and
// JSON_OBJECT, which take them as SQL literals.
func appendDocument(dst, text []byte) []byte {
	if parsesExactly(text) {
		return appendQuoted(dst, text)
	}
	d := document{text: text}
	out, ok := d.value(dst, true)
	if !ok { // no document: the server will say so
		return appendQuoted(dst, text)
	}
	return out
}

func parsesExactly(text []byte) bool {
	for at := 0; ; {
		start, end, ok := row.NextNumber(text, at)
		if !ok {
			return true
		}
		if !safeNumber(text[start:end]) {
			return false
		}
		at = end
	}
}

// exactMantissa and exactPower bound the decimal numbers that become a double by
// one rounding: both operands are exact.
const (
	exactMantissa = 1 << 53
	exactPower    = 22
)

// safeNumber says whether every server's parser reads the number as it is meant.
func safeNumber(token []byte) bool {
	n := splitNumber(token)
	if n.whole {
		return n.integer && string(token) != "-0"
	}
	return n.ok && n.mantissa <= exactMantissa && n.power >= -exactPower && n.power <= exactPower && !isDecimal(token, n)
}

// number is a number's text, taken apart: mantissa × 10^power.
type number struct {
	// whole: it has neither point nor exponent; integer: and fits into 64 bits.
	whole, integer bool
	// ok: the mantissa fits into 64 bits.
	ok       bool
	mantissa uint64
	power    int
	exponent bool // it is written with an exponent
}

func splitNumber(token []byte) number {
	n := number{ok: true, whole: true}
	fraction := false
	for i, c := range token {
		switch {
		case c == '-' && i == 0:
		case c == '.':
			fraction, n.whole = true, false
		case c == 'e' || c == 'E':
			n.whole, n.exponent = false, true
			power, err := strconv.Atoi(string(token[i+1:]))
			n.power += power
			n.ok = n.ok && err == nil
			return n
		case c >= '0' && c <= '9':
			if n.mantissa > (math.MaxUint64-9)/10 {
				n.ok = false
			}
			n.mantissa = n.mantissa*10 + uint64(c-'0')
			if fraction {
				n.power--
			}
		default:
			n.ok = false
		}
	}
	if n.whole {
		if _, err := strconv.ParseInt(string(token), 10, 64); err == nil {
			n.integer = true
		} else if _, err := strconv.ParseUint(string(token), 10, 64); err == nil {
			n.integer = true
		}
	}
	return n
}

// isDecimal says whether a number that is no integer was printed from a DECIMAL:
// no double is printed like that.
func isDecimal(token []byte, n number) bool {
	if n.exponent {
		return false
	}
	f, err := strconv.ParseFloat(string(token), 64)
	if err != nil {
		return true
	}
	var memory [40]byte
	return string(row.AppendDocumentDouble(memory[:0], f)) != string(token)
}

// appendNumber appends a number of a document as SQL literal.
func appendNumber(dst, token []byte) []byte {
	n := splitNumber(token)
	dst = append(dst, token...)
	switch {
	case string(token) == "-0": // a double of MySQL 5.7
		return append(dst, "e0"...)
	case n.whole, n.exponent, isDecimal(token, n):
		return dst
	default:
		return append(dst, "e0"...)
	}
}

// document builds an expression of a text, from left to right.
type document struct {
	text []byte
	at   int
}

// value appends the value at the place. top: it stands alone, so a number needs
// to become JSON; within a container it does so by itself.
func (d *document) value(dst []byte, top bool) ([]byte, bool) {
	d.space()
	if d.at >= len(d.text) {
		return dst, false
	}
	start := d.at
	switch c := d.text[d.at]; {
	case c == '-' || c >= '0' && c <= '9':
		_, end, _ := row.NextNumber(d.text, d.at)
		d.at = end
		if !top {
			return appendNumber(dst, d.text[start:end]), true
		}
		dst = appendNumber(append(dst, "CAST("...), d.text[start:end])
		return append(dst, " AS JSON)"...), true
	case c == '{' || c == '[':
		end := containerEnd(d.text, d.at)
		if parsesExactly(d.text[start:end]) {
			d.at = end
			return appendCast(dst, d.text[start:end]), true
		}
		return d.container(dst)
	case c == '"':
		d.at = row.StringEnd(d.text, d.at)
	default:
		for d.at < len(d.text) && d.text[d.at] >= 'a' && d.text[d.at] <= 'z' { // true, false, null
			d.at++
		}
	}
	return appendCast(dst, d.text[start:d.at]), d.at > start
}

func appendCast(dst, text []byte) []byte {
	dst = appendQuoted(append(dst, "CAST("...), text)
	return append(dst, " AS JSON)"...)
}

func (d *document) container(dst []byte) ([]byte, bool) {
	object := d.text[d.at] == '{'
	closing := byte(']')
	if object {
		closing = '}'
		dst = append(dst, "JSON_OBJECT("...)
	} else {
		dst = append(dst, "JSON_ARRAY("...)
	}
	d.at++
	ok := true
	for first := true; ok; first = false {
		if d.take(closing) {
			return append(dst, ')'), true
		}
		if !first {
			if !d.take(',') {
				return dst, false
			}
			dst = append(dst, ',')
		}
		if object {
			if dst, ok = d.key(dst); !ok {
				return dst, false
			}
		}
		dst, ok = d.value(dst, false)
	}
	return dst, false
}

// key appends an object's key as SQL string, with a comma behind.
func (d *document) key(dst []byte) ([]byte, bool) {
	d.space()
	start := d.at
	if start >= len(d.text) || d.text[start] != '"' {
		return dst, false
	}
	d.at = row.StringEnd(d.text, start)
	var key string
	if err := json.Unmarshal(d.text[start:d.at], &key); err != nil || !d.take(':') {
		return dst, false
	}
	return append(appendQuoted(dst, []byte(key)), ','), true
}

// take moves behind a byte if it is the next one.
func (d *document) take(c byte) bool {
	d.space()
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *document) space() {
	for d.at < len(d.text) && strings.IndexByte(" \t\r\n", d.text[d.at]) >= 0 {
		d.at++
	}
}

// containerEnd returns where the array or object that begins at start ends.
func containerEnd(text []byte, start int) int {
	depth := 0
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = row.StringEnd(text, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
