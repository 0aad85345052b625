package binlog

import (
	"bytes"
	"strconv"
)

// digitBytes is how many bytes the digits beyond whole groups of nine take.
var digitBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

// decimalSize is the length of a DECIMAL(precision, scale) in the row image.
func decimalSize(precision, scale int) int {
	whole := precision - scale
	return whole/9*4 + digitBytes[whole%9] + scale/9*4 + digitBytes[scale%9]
}

// appendDecimal formats the binary decimal as the server does: every digit of
// the scale, no leading zeros. Format: MySQL's strings/decimal.cc, decimal2bin.
func appendDecimal(dst []byte, r *reader, precision, scale int) []byte {
	if scale < 0 || scale > precision || precision > 81 {
		r.err = errShape
		return dst
	}
	var memory [48]byte
	raw := append(memory[:0], r.take(decimalSize(precision, scale))...)
	if len(raw) == 0 {
		r.err = errShape
		return dst
	}
	negative := raw[0]&0x80 == 0
	raw[0] ^= 0x80
	if negative {
		for i := range raw {
			raw[i] ^= 0xff
		}
	}
	d := reader{data: raw}
	start := len(dst)
	if negative {
		dst = append(dst, '-')
	}
	digits := len(dst)
	whole := precision - scale
	dst = appendDigits(dst, &d, digitBytes[whole%9], whole%9)
	for range whole / 9 {
		dst = appendDigits(dst, &d, 4, 9)
	}
	dst = trimZeros(dst, digits)
	if scale > 0 {
		dst = append(dst, '.')
		for range scale / 9 {
			dst = appendDigits(dst, &d, 4, 9)
		}
		dst = appendDigits(dst, &d, digitBytes[scale%9], scale%9)
	}
	if negative && len(bytes.Trim(dst[start:], "-0.")) == 0 {
		return append(dst[:start], dst[digits:]...) // servers print no negative zero
	}
	return dst
}

// appendDigits appends the next number with leading zeros.
func appendDigits(dst []byte, r *reader, size, digits int) []byte {
	if digits == 0 {
		return dst
	}
	return appendPadded(dst, r.big(size), digits)
}

// appendPadded appends a number with at least the given number of digits.
func appendPadded(dst []byte, v uint64, digits int) []byte {
	var memory [20]byte
	text := strconv.AppendUint(memory[:0], v, 10)
	for n := len(text); n < digits; n++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

// trimZeros drops leading zeros of dst[start:], keeping one digit.
func trimZeros(dst []byte, start int) []byte {
	n := start
	for n < len(dst)-1 && dst[n] == '0' {
		n++
	}
	if n >= len(dst) {
		return append(dst, '0')
	}
	return append(dst[:start], dst[n:]...)
}
