package binlog

import (
	"time"
)

// The formats of temporal values in row images: with a fraction since MySQL
// 5.6.4 (sql-common/my_time.cc: my_*_from_binary), and without before and in
// tables that were not rebuilt since.

// appendTime formats TIME2: hours, minutes and seconds with an offset, negative
// values in two's complement over all bytes.
func appendTime(dst []byte, r *reader, fraction int) []byte {
	size := 3 + (fraction+1)/2
	v := int64(r.big(size)) - int64(1)<<(8*size-1)
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	shift := 8 * (size - 3)
	whole, part := v>>shift, v&(1<<shift-1)
	dst = appendClock(dst, uint64(whole>>12)&0x3ff, uint64(whole>>6)&0x3f, uint64(whole)&0x3f)
	return appendFraction(dst, uint64(part), fraction)
}

// appendOldTime formats TIME of 5.5: hhmmss as a signed number of three bytes.
func appendOldTime(dst []byte, r *reader) []byte {
	v := int32(uint32(r.little(3))<<8) >> 8
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	n := uint64(v)
	return appendClock(dst, n/10000, n/100%100, n%100)
}

// appendDateTime formats DATETIME2; the month may be 0, and so may the day.
func appendDateTime(dst []byte, r *reader, fraction int) []byte {
	v := r.big(5)
	if v < 1<<39 {
		r.err = errShape
		return dst
	}
	v -= 1 << 39
	day := v >> 17
	month := day >> 5
	dst = appendDay(dst, month/13, month%13, day&0x1f)
	dst = append(dst, ' ')
	dst = appendClock(dst, v>>12&0x1f, v>>6&0x3f, v&0x3f)
	return appendFraction(dst, r.big((fraction+1)/2), fraction)
}

// appendOldDateTime formats DATETIME of 5.5: YYYYMMDDhhmmss as a number.
func appendOldDateTime(dst []byte, r *reader) []byte {
	v := r.little(8)
	day, clock := v/1000000, v%1000000
	dst = appendDay(dst, day/10000, day/100%100, day%100)
	dst = append(dst, ' ')
	return appendClock(dst, clock/10000, clock/100%100, clock%100)
}

// appendTimestamp formats seconds since 1970 in UTC; 0 is the zero value.
func appendTimestamp(dst []byte, seconds uint64, r *reader, fraction int) []byte {
	part := r.big((fraction + 1) / 2)
	if seconds == 0 {
		dst = append(dst, "0000-00-00 00:00:00"...)
	} else {
		dst = time.Unix(int64(seconds), 0).UTC().AppendFormat(dst, "2006-01-02 15:04:05")
	}
	return appendFraction(dst, part, fraction)
}

// appendDate formats DATE: day, month and year in 5, 4 and 15 bits.
func appendDate(dst []byte, r *reader) []byte {
	v := r.little(3)
	return appendDay(dst, v>>9, v>>5&0x0f, v&0x1f)
}

// appendYear formats YEAR: 0, or the years since 1900.
func appendYear(dst []byte, r *reader) []byte {
	v := r.little(1)
	if v > 0 {
		v += 1900
	}
	return appendPadded(dst, v, 4)
}

func appendDay(dst []byte, year, month, day uint64) []byte {
	dst = append(appendPadded(dst, year, 4), '-')
	dst = append(appendPadded(dst, month, 2), '-')
	return appendPadded(dst, day, 2)
}

func appendClock(dst []byte, hour, minute, second uint64) []byte {
	dst = append(appendPadded(dst, hour, 2), ':')
	dst = append(appendPadded(dst, minute, 2), ':')
	return appendPadded(dst, second, 2)
}

// appendFraction appends exactly the column's digits of a second. The image has
// an even number of them.
func appendFraction(dst []byte, v uint64, digits int) []byte {
	if digits == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, v, (digits+1)/2*2)
	return dst[:len(dst)-digits%2]
}
