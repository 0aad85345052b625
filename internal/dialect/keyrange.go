package dialect

import "shardlift/internal/table"

// RangeCondition appends the condition of a key range on a table's own columns:
// `(a > x OR (a = x AND b > y)) AND (a < z OR …)`, without row constructors,
// which are a full scan on 5.6 and refused by middlewares. It appends nothing
// for the range that is the whole table.
func RangeCondition(dst []byte, t *table.Table, key []int, r table.KeyRange) []byte {
	names, forms := make([][]byte, len(key)), make([]form, len(key))
	for i, c := range key {
		names[i] = appendName(nil, t.Columns[c].Name)
		forms[i] = formOf(&t.Columns[c], &t.Columns[c])
	}
	return appendRange(dst, names, forms, r)
}

// RangeCondition appends the condition of a range of the source's primary keys
// on the destination's columns; nothing for the whole table.
func (m *Mapping) RangeCondition(dst []byte, r table.KeyRange) []byte {
	names, forms := make([][]byte, len(m.Primary)), make([]form, len(m.Primary))
	for i, c := range m.Primary {
		names[i], forms[i] = m.keyNames[c], m.keyForms[c]
	}
	return appendRange(dst, names, forms, r)
}

func appendRange(dst []byte, names [][]byte, forms []form, r table.KeyRange) []byte {
	if r.Lower != nil {
		dst = appendBound(dst, names, forms, r.Lower, " > ", " > ")
	}
	if r.Lower != nil && r.Upper != nil {
		dst = append(dst, " AND "...)
	}
	if r.Upper != nil {
		dst = appendBound(dst, names, forms, r.Upper, " < ", " <= ")
	}
	return dst
}

// appendBound writes (a op x OR (a = x AND (b op y OR …))) with last for the
// last column.
func appendBound(dst []byte, names [][]byte, forms []form, bound [][]byte, op, last string) []byte {
	dst = append(dst, '(')
	for i := range names {
		if i > 0 {
			dst = append(dst, " OR ("...)
			for k := range i {
				dst = append(dst, names[k]...)
				dst = append(dst, " = "...)
				dst = forms[k].appendCompared(dst, bound[k])
				dst = append(dst, " AND "...)
			}
		}
		dst = append(dst, names[i]...)
		if i == len(names)-1 {
			op = last
		}
		dst = append(dst, op...)
		dst = forms[i].appendCompared(dst, bound[i])
		if i > 0 {
			dst = append(dst, ')')
		}
	}
	return append(dst, ')')
}
