package compare

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

func binaryHasher(columns int) *hasher {
	h := &hasher{table: &table.Table{}}
	for i := range columns {
		h.table.Columns = append(h.table.Columns, table.Column{Type: table.TypeBinary})
		h.columns = append(h.columns, i)
	}
	return h
}

// TestHash_DifferentRowsHaveDifferentSums: nothing moves from one column to the
// next unseen, and NULL is nothing else (rule 12).
func TestHash_DifferentRowsHaveDifferentSums(t *testing.T) {
	v := func(s string) row.Value { return row.Value(s) }
	rows := []row.Row{
		{v("a.b"), v("c")},
		{v("a"), v("b.c")},
		{v("ab"), v("c")},
		{v("a"), v("bc")},
		{v("abc"), v("")},
		{v(""), v("abc")},
		{nil, v("")},
		{v(""), nil},
		{nil, nil},
		{v(""), v("")},
		{v("\xff"), nil},
		{nil, v("\xff")},
		{v("\x00\x00"), v("")},
		{v("\x00"), v("\x00")},
	}
	h := binaryHasher(2)
	seen := map[sum]int{}
	for i, r := range rows {
		s := h.sum(r)
		other, known := seen[s]
		require.False(t, known, "rows %d and %d", i, other)
		seen[s] = i
	}
}

// FuzzHash_DifferentRowsHaveDifferentSums: three values cut out of one text in
// two ways have one sum only when they are the same values.
func FuzzHash_DifferentRowsHaveDifferentSums(f *testing.F) {
	f.Add([]byte("abc"), uint8(1), uint8(2), uint8(2), uint8(2), uint8(0))
	f.Add([]byte(""), uint8(0), uint8(0), uint8(0), uint8(0), uint8(1))
	f.Add([]byte("\x00\xff\x00"), uint8(1), uint8(2), uint8(0), uint8(1), uint8(6))
	f.Add([]byte("\x01a\x01b\x01c"), uint8(2), uint8(4), uint8(4), uint8(2), uint8(0x12))
	f.Fuzz(func(t *testing.T, text []byte, a1, a2, b1, b2, nulls uint8) {
		one, two := cut(text, a1, a2, nulls), cut(text, b1, b2, nulls>>3)
		h := binaryHasher(3)
		same := h.sum(one) == h.sum(two)
		if same != one.Equal(two) {
			t.Fatalf("%q and %q: equal %v, same sum %v", one, two, one.Equal(two), same)
		}
	})
}

// cut makes three values; a bit of nulls turns one into NULL.
func cut(text []byte, first, second, nulls uint8) row.Row {
	at := min(int(first), len(text))
	then := min(at+int(second), len(text))
	out := row.Row{text[:at:at], text[at:then:then], text[then:]}
	for i := range out {
		if nulls&(1<<i) != 0 {
			out[i] = nil
		} else if out[i] == nil {
			out[i] = row.Value{}
		}
	}
	return out
}
