package dialect

import (
	"bytes"
	"slices"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// Changes says whether a change of a row, both sides as Canonical gives them,
// is written at all, and whether the destination's row surely becomes another
// one by it: only then does an upsert count two rows. Not sure are changes that
// the destination may not have seen the first side of, or stores alike: a whole
// double and an integer in JSON (a copy from MySQL 5.7 cannot tell them), 0.0
// and −0.0 (MariaDB stores one), and codes of East Asian character sets that are
// the same character in another set.
func (m *Mapping) Changes(before, after row.Row) (written, surely bool) {
	for _, p := range m.Pairs {
		a, b := before[p.Source], after[p.Source]
		if (a == nil) == (b == nil) && bytes.Equal(a, b) {
			continue
		}
		written = true
		if a == nil || b == nil || !m.maybeAlike(p, a, b) {
			return true, true
		}
	}
	return written, false
}

// severalCodes are the character sets with more than one code for some characters.
var severalCodes = []string{"big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis"}

func (m *Mapping) maybeAlike(p Pair, a, b row.Value) bool {
	from, to := &m.Source.Columns[p.Source], &m.Destination.Columns[p.Destination]
	switch from.Type {
	case table.TypeJSON:
		return bytes.Equal(row.AppendPlainDoubles(nil, a), row.AppendPlainDoubles(nil, b))
	case table.TypeFloat, table.TypeDouble:
		return isZero(a) && isZero(b)
	case table.TypeText:
		return from.Charset != to.Charset && slices.Contains(severalCodes, from.Charset)
	default:
		return false
	}
}

// isZero knows both zeros.
func isZero(v row.Value) bool {
	return len(v) > 0 && v[0]&0x7f == 0 && len(bytes.Trim(v[1:], "\x00")) == 0
}
