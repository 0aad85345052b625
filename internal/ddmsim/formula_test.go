package ddmsim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func number(s string) literal { return literal{litNumber, s} }
func str(s string) literal    { return literal{litText, s} }

// TestFormula_ManualExamples has every example of DDM's manual (drs.md 8.8).
func TestFormula_ManualExamples(t *testing.T) {
	integer := func(algorithm string) *partition {
		return &partition{Algorithm: algorithm, Column: "id", Kind: keyInteger}
	}
	text := func(algorithm string) *partition {
		return &partition{Algorithm: algorithm, Column: "id", Kind: keyText}
	}
	day := func(algorithm string) *partition {
		return &partition{Algorithm: algorithm, Column: "id", Kind: keyDate}
	}
	require.Equal(t, "49364", hashNumber("16").String())
	require.Equal(t, "5404", hashNumber("2019").String())
	require.Equal(t, int32(96354), javaHash("abc"))

	for _, c := range []struct {
		name   string
		p      *partition
		key    literal
		shards int
		want   int
	}{
		{"HASH 16", integer("HASH"), number("16"), 8, 3},
		{"HASH text 16", text("HASH"), str("16"), 8, 3},
		{"HASH year", &partition{Algorithm: "HASH", Column: "d", Function: "YEAR", Kind: keyDate}, str("2019-10-11"), 8, 0},
		{"MOD_HASH abc", text("MOD_HASH"), str("abc"), 100000, 96354},
		{"MOD_HASH_CI abc", text("MOD_HASH_CI"), str("abc"), 100000, 64578},
		{"RIGHT_SHIFT", &partition{Algorithm: "RIGHT_SHIFT", Column: "id", Shift: 4, Kind: keyInteger}, number("123456"), 8, 4},
		{"YYYYMM", day("YYYYMM"), str("2012-11-20"), 8, 3},
		{"YYYYDD", day("YYYYDD"), str("2012-12-31"), 8, 6},
		{"YYYYWEEK", day("YYYYWEEK"), str("2012-12-31"), 8, 7},
		{"MM", day("MM"), str("2019-01-15"), 12, 1},
		{"DD", day("DD"), str("2019-01-15"), 31, 15},
		{"MMDD", day("MMDD"), str("2019-01-15"), 366, 15},
		{"WEEK", day("WEEK"), str("2019-01-15"), 7, 3},
	} {
		require.Equal(t, c.want, c.p.place(c.key, c.shards), c.name)
	}
}

func TestFormula_SameKey(t *testing.T) {
	mod := &partition{Algorithm: "MOD_HASH", Column: "id", Kind: keyInteger}
	db, tb := places(mod, mod, 8, 3, number("16"), number("16"))
	require.Equal(t, []int{5, 1}, []int{db, tb}, "16 of 8x3 is table 16: database 5")

	shift := &partition{Algorithm: "RIGHT_SHIFT", Column: "id", Shift: 4, Kind: keyInteger}
	db, tb = places(shift, shift, 8, 3, number("123456"), number("123456"))
	require.Equal(t, 13, db*3+tb)
	require.Equal(t, 4, db)

	other := &partition{Algorithm: "MOD_HASH", Column: "other", Kind: keyInteger}
	db, tb = places(mod, other, 8, 3, number("16"), number("16"))
	require.Equal(t, []int{0, 1}, []int{db, tb}, "different keys: 16 % 8 and 16 % 3")
}

func TestFormula_Range(t *testing.T) {
	seven := 7
	p := &partition{Algorithm: "RANGE", Column: "id", Kind: keyInteger, Ranges: []span{{1, 2, 0}, {3, 4, 1}, {9, 10, 4}}, Default: &seven}
	require.Equal(t, 1, p.place(number("3"), 8))
	require.Equal(t, 7, p.place(number("99"), 8))
	month := &partition{Algorithm: "RANGE", Column: "d", Function: "MONTH", Kind: keyDate, Ranges: p.Ranges}
	require.Equal(t, 4, month.place(str("2019-10-11"), 8))
	week := &partition{Algorithm: "RANGE", Column: "d", Function: "WEEKOFYEAR", Kind: keyDate, Ranges: []span{{41, 41, 2}}}
	require.Equal(t, 2, week.place(str("2019-10-11"), 8))
}

// D-31: a key that cannot be reduced goes to shard 0, table 0.
func TestFormula_InvalidKeyGoesToShardZero(t *testing.T) {
	mod := &partition{Algorithm: "MOD_HASH", Column: "id", Kind: keyInteger}
	day := &partition{Algorithm: "YYYYMM", Column: "id", Kind: keyDate}
	for _, v := range []literal{{kind: litNull}, str("no number")} {
		require.Equal(t, 0, mod.place(v, 8))
	}
	require.Equal(t, 0, day.place(str("not a date"), 8))
	require.Equal(t, 5, mod.place(number("-13"), 8), "the sign goes after the division")
	require.Equal(t, 7, mod.place(number("18446744073709551615"), 8))
	mod.Floor = true
	require.Equal(t, 3, mod.place(number("-13"), 8), "as configured: counted from below")
}
