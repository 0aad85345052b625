package row

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRule7_KeysOfDifferentRowsDiffer: the classical collisions of keys that are
// joined without lengths.
func TestRule7_KeysOfDifferentRowsDiffer(t *testing.T) {
	v := func(s string) Value { return Value(s) }
	rows := []Row{
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
	seen := map[string]int{}
	for i, r := range rows {
		key := r.Key([]int{0, 1})
		other, known := seen[key]
		require.False(t, known, "rows %d and %d", i, other)
		seen[key] = i
	}
	require.Equal(t, rows[0].Key([]int{0, 1}), rows[0].Clone().Key([]int{0, 1}))
	require.NotEqual(t, rows[0].KeyHash([]int{0, 1}), rows[1].KeyHash([]int{0, 1}))
}

// rowOf makes a row of arbitrary bytes: zero bytes end values, 0xff alone is NULL.
func rowOf(data []byte) Row {
	out := Row{}
	value := Value{}
	for _, b := range data {
		if b != 0 {
			value = append(value, b)
			continue
		}
		if string(value) == "\xff" {
			value = nil
		}
		out, value = append(out, value), Value{}
	}
	return append(out, value)
}

// FuzzKey_DifferentRowsHaveDifferentKeys: keys are equal when, and only when,
// all values are, whatever the values hold.
func FuzzKey_DifferentRowsHaveDifferentKeys(f *testing.F) {
	for _, seed := range [][2]string{
		{"a.b\x00c", "a\x00b.c"},
		{"\xff\x00", "\x00\xff\x00"},
		{"\xff\x00\xff\x00", "\x00\x00"},
		{"a", "a"},
		{"\x01a\x00", "a\x00\x01"},
		{"\x02ab", "\x01a\x00b"},
		{"\x80\x01", "\x80\x00\x01"},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		a, b := rowOf(one), rowOf(two)
		n := min(len(a), len(b)) // rows of one table
		a, b = a[:n], b[:n]
		columns := make([]int, n)
		for i := range columns {
			columns[i] = i
		}
		same := a.Key(columns) == b.Key(columns)
		if same != a.Equal(b) {
			t.Fatalf("%q and %q: equal %v, same key %v", a, b, a.Equal(b), same)
		}
		if same && a.KeyHash(columns) != b.KeyHash(columns) {
			t.Fatalf("%q: two hashes", a)
		}
		if c := a.Clone(); !c.Equal(a) || c.Key(columns) != a.Key(columns) {
			t.Fatalf("%q: its clone is %q", a, c)
		}
	})
}
