package ddmsim

import (
	"strconv"
	"strings"
	"time"
)

// date is the calendar day of a DATE, DATETIME or TIMESTAMP value.
type date struct{ year, month, day int }

// parseDate reads YYYY-MM-DD with an optional time after it, the forms without
// leading zeros, and the numbers YYYYMMDD and YYYYMMDDhhmmss.
func parseDate(s string) (date, bool) {
	s = strings.TrimSpace(s)
	day := s
	if i := strings.IndexAny(s, " T"); i > 0 {
		day = s[:i]
	}
	parts := strings.FieldsFunc(day, func(r rune) bool { return r == '-' || r == '/' || r == '.' || r == ':' })
	if len(parts) != 3 || !strings.ContainsAny(day, "-/:") {
		if digits, _, _ := strings.Cut(s, "."); len(digits) == 8 || len(digits) == 14 {
			parts = []string{digits[:4], digits[4:6], digits[6:8]}
		}
	}
	if len(parts) != 3 {
		return date{}, false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 {
			return date{}, false
		}
		n[i] = v
	}
	d := date{n[0], n[1], n[2]}
	if len(parts[0]) <= 2 { // MySQL's two-digit years
		d.year += 1900
		if n[0] < 70 {
			d.year += 100
		}
	}
	if d.year > 9999 || d.month > 12 || d.day > 31 {
		return date{}, false
	}
	return d, true
}

func (d date) time() time.Time {
	return time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
}

func (d date) yearDay() int        { return d.time().YearDay() }
func (d date) isoWeek() (int, int) { return d.time().ISOWeek() }
func (d date) weekDay() int        { return int(d.time().Weekday()) + 1 } // Sunday is 1

// withoutFraction drops the fractional seconds of a date-time text; D-39: DDM
// stores sharding keys of DATETIME and TIMESTAMP without them.
func withoutFraction(s string) (string, bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 || !strings.ContainsAny(s[:i], ":") && len(s[:i]) != 14 {
		return s, false
	}
	if strings.Trim(s[i+1:], "0123456789") != "" {
		return s, false
	}
	return s[:i], true
}
