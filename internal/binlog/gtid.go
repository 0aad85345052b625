package binlog

import "strconv"

// gtidOf prints a MySQL GTID.
func gtidOf(sid []byte, tag string, number int64) string {
	var text [36]byte
	u := sid
	if len(u) != 16 {
		return ""
	}
	groups := [5]int{4, 2, 2, 2, 6}
	at, from := 0, 0
	const hexDigits = "0123456789abcdef"
	for i, n := range groups {
		if i > 0 {
			text[at] = '-'
			at++
		}
		for _, b := range u[from : from+n] {
			text[at], text[at+1] = hexDigits[b>>4], hexDigits[b&15]
			at += 2
		}
		from += n
	}
	out := string(text[:]) + ":"
	if tag != "" {
		out += tag + ":"
	}
	return out + strconv.FormatInt(number, 10)
}
