package ddmsim

import (
	"hash/crc32"
	"math/big"
	"strings"
	"unicode/utf16"
)

// A partition is one half of a table's rule: how the database shard or the
// physical table is chosen. The formulas are those of DDM's manual, "Sharding
// Algorithms". Where the manual is silent this stand-in chooses, and says so:
// a negative remainder counts by its absolute value, a number outside of 64
// bits is reduced exactly, strings hash by their bytes whatever their collation.
type partition struct {
	Algorithm string  `json:"algorithm"`
	Column    string  `json:"column"`
	Function  string  `json:"function,omitempty"` // YEAR, MONTH, WEEKOFYEAR, DAY around the column
	Shift     int     `json:"shift,omitempty"`    // RIGHT_SHIFT
	Ranges    []span  `json:"ranges,omitempty"`   // RANGE
	Default   *int    `json:"default,omitempty"`  // RANGE
	Kind      keyKind `json:"kind"`
	Floor     bool    `json:"floor,omitempty"` // Config.FloorModulo when the table was made
}

type span struct{ From, To, Shard int64 }

// keyKind is what a sharding key's column holds.
type keyKind string

const (
	keyInteger keyKind = "integer"
	keyText    keyKind = "text"
	keyDate    keyKind = "date"
)

// hashSpace is the size of the ring of HASH.
const hashSpace = 102400

// places computes database shard and physical table of a row. D is the number
// of database shards, T that of physical tables in each. A key that is NULL or
// not of its column's kind goes to 0 (D-31).
func places(db, tb *partition, d, t int, dbKey, tbKey literal) (int, int) {
	same := tb != nil && db.Algorithm == tb.Algorithm && strings.EqualFold(db.Column, tb.Column) && db.Function == tb.Function && db.Shift == tb.Shift
	if !same {
		return db.place(dbKey, d), tb.place(tbKey, t)
	}
	switch db.Algorithm {
	case "HASH":
		return db.place(dbKey, d), tb.place(tbKey, t)
	case "RIGHT_SHIFT":
		w, ok := db.number(dbKey)
		if !ok {
			return 0, 0
		}
		table := db.remainder(w, d)*t + db.remainder(new(big.Int).Quo(w, big.NewInt(int64(d))), t)
		return table / t, table % t
	default:
		v, ok := db.number(dbKey)
		if !ok {
			return 0, 0
		}
		n := db.remainder(v, d*t)
		return n / t, n % t
	}
}

// place computes the shard of n for a key alone.
func (p *partition) place(key literal, n int) int {
	if p == nil || n <= 1 {
		return 0
	}
	v, ok := p.number(key)
	if !ok {
		return 0
	}
	switch p.Algorithm {
	case "HASH":
		// Ranges of equal width; the remainder of the ring belongs to the last.
		return min(int(v.Int64())/(hashSpace/n), n-1)
	case "RANGE":
		for _, r := range p.Ranges {
			if v.IsInt64() && v.Int64() >= r.From && v.Int64() <= r.To {
				return int(r.Shard) % n
			}
		}
		if p.Default != nil {
			return *p.Default % n
		}
		return 0
	}
	return p.remainder(v, n)
}

// number computes the value that the algorithm reduces; false for an invalid key.
func (p *partition) number(key literal) (*big.Int, bool) {
	if key.kind == litNull || key.kind == litDefault {
		return nil, false
	}
	if p.Kind == keyDate {
		d, ok := parseDate(key.text)
		if !ok {
			return nil, false
		}
		n := p.dateNumber(d)
		if p.Algorithm == "HASH" {
			return hashNumber(big.NewInt(int64(n)).String()), true
		}
		return big.NewInt(int64(n)), true
	}
	if p.Kind == keyText {
		switch p.Algorithm {
		case "HASH":
			return hashNumber(key.text), true
		case "MOD_HASH":
			return big.NewInt(int64(javaHash(key.text))), true
		default: // MOD_HASH_CI
			return big.NewInt(int64(javaHash(strings.ToUpper(key.text)))), true
		}
	}
	v, ok := key.integer()
	if !ok {
		return nil, false
	}
	switch p.Algorithm {
	case "HASH":
		return hashNumber(v.String()), true
	case "RIGHT_SHIFT":
		return new(big.Int).Rsh(v, uint(p.Shift)), true
	}
	return v, true
}

// dateNumber reduces a date by the algorithm or the function around the column.
func (p *partition) dateNumber(d date) int {
	switch p.Function {
	case "YEAR":
		return d.year
	case "MONTH":
		return d.month
	case "DAY":
		return d.day
	case "WEEKOFYEAR":
		_, w := d.isoWeek()
		return w
	}
	switch p.Algorithm {
	case "YYYYMM":
		return d.year*12 + d.month
	case "YYYYDD":
		return d.year*366 + d.yearDay()
	case "YYYYWEEK":
		// The manual's example counts 2012-12-31 into week 1 of 2013: ISO weeks.
		y, w := d.isoWeek()
		return y*54 + w
	case "MM":
		return d.month
	case "DD":
		return d.day
	case "MMDD":
		return d.yearDay()
	case "WEEK":
		return d.weekDay()
	}
	return d.year*10000 + d.month*100 + d.day // RANGE and HASH of a bare date
}

func hashNumber(s string) *big.Int {
	return big.NewInt(int64(crc32.ChecksumIEEE([]byte(s)) % hashSpace))
}

// javaHash is Java's String.hashCode: 31-polynomial over UTF-16 units, 32 bits.
func javaHash(s string) int32 {
	var h int32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	return h
}

// remainder is |v mod n|, the sign dropped after the division as Java code
// commonly does (Math.abs(v % n)), or the remainder counted from below.
func (p *partition) remainder(v *big.Int, n int) int {
	if p.Floor {
		return int(new(big.Int).Mod(v, big.NewInt(int64(n))).Int64())
	}
	r := new(big.Int).Rem(v, big.NewInt(int64(n)))
	return int(r.Abs(r).Int64())
}
