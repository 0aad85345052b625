package ddmsim

import (
	"encoding/hex"
	"math/big"
	"strings"
)

type literalKind uint8

const (
	litOther   literalKind = iota // an expression, a column, a function
	litNull                       // NULL
	litDefault                    // DEFAULT
	litNumber                     // text holds the digits with sign
	litText                       // text holds the bytes of '…'
	litBytes                      // text holds the bytes of 0x… or x'…'
)

// literal is the constant that a value of the statement stands for.
type literal struct {
	kind literalKind
	text string
}

// literalAt reads tokens [i, j) as a constant.
func (t *text) literalAt(i, j int) literal {
	sign := ""
	for j-i == 2 && (t.at(i, "-") || t.at(i, "+")) {
		if t.at(i, "-") {
			sign = "-"
		}
		i++
		if t.kind(i) != tokNumber {
			return literal{}
		}
	}
	if j-i == 2 && t.kind(i) == tokWord && (t.sql[t.tok[i].start] == '_' || t.at(i, "TIMESTAMP") || t.at(i, "DATE") || t.at(i, "N")) {
		i++
		if t.kind(i) == tokWord {
			return literal{}
		}
	}
	if j-i != 1 {
		return literal{}
	}
	src := t.src(i)
	switch t.kind(i) {
	case tokNumber:
		return literal{litNumber, sign + src}
	case tokString:
		return literal{litText, unquote(src)}
	case tokHex:
		return literal{litBytes, hexBytes(src)}
	case tokWord:
		switch strings.ToUpper(src) {
		case "NULL":
			return literal{kind: litNull}
		case "DEFAULT":
			return literal{kind: litDefault}
		case "TRUE":
			return literal{litNumber, "1"}
		case "FALSE":
			return literal{litNumber, "0"}
		}
	default:
	}
	return literal{}
}

// hexBytes returns the bytes of 0x12 or x'12'; an odd 0x… gets a leading zero.
func hexBytes(src string) string {
	digits := strings.TrimSuffix(src[2:], "'")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return ""
	}
	return string(b)
}

// integer reads the value as MySQL stores it in an integer column: fractions
// round half away from zero. False for what is no number.
func (l literal) integer() (*big.Int, bool) {
	switch l.kind {
	case litNumber, litText:
		s := strings.TrimSpace(l.text)
		if v, ok := new(big.Int).SetString(s, 10); ok {
			return v, true
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok || strings.Contains(s, "/") || len(s) > 80 {
			return nil, false
		}
		half := big.NewRat(1, 2)
		if r.Sign() < 0 {
			half.Neg(half)
		}
		r.Add(r, half)
		return new(big.Int).Quo(r.Num(), r.Denom()), true
	case litBytes:
		return new(big.Int).SetBytes([]byte(l.text)), true
	default:
		return nil, false
	}
}
