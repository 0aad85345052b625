package compare

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// sum is the first half of a SHA-256: 128 bits, so that no two different rows
// are ever taken for the same.
type sum [16]byte

// hasher sums the compared columns of rows. It has a state: one for each goroutine.
type hasher struct {
	table   *table.Table
	columns []int // ordinals, sorted
	// positiveZero: the destination stores −0.0 as 0.0 (MariaDB).
	positiveZero bool
	// plainDoubles: one of the sides prints whole doubles in JSON without ".0"
	// (MySQL 5.7), so that the other's must be taken for integers too.
	plainDoubles bool

	h      hash.Hash
	prefix []byte
	text   []byte
	out    []byte
}

// sum covers NULL and length of each value, so that nothing moves from one
// column to the next unseen.
func (h *hasher) sum(r row.Row) (s sum) {
	if h.h == nil {
		h.h = sha256.New()
	}
	h.h.Reset()
	for _, c := range h.columns {
		v := r[c]
		if h.positiveZero && isNegativeZero(&h.table.Columns[c], v) {
			v = zeros[:len(v)]
		}
		if h.plainDoubles && v != nil && h.table.Columns[c].Type == table.TypeJSON {
			h.text = row.AppendPlainDoubles(h.text[:0], v)
			v = h.text
		}
		if v == nil {
			h.prefix = append(h.prefix[:0], 0xff)
		} else {
			h.prefix = binary.AppendUvarint(append(h.prefix[:0], 0), uint64(len(v)))
		}
		h.h.Write(h.prefix)
		h.h.Write(v)
	}
	h.out = h.h.Sum(h.out[:0])
	copy(s[:], h.out)
	return s
}

var zeros [8]byte

func isNegativeZero(c *table.Column, v row.Value) bool {
	switch c.Type {
	case table.TypeFloat:
		return string(v) == "\x80\x00\x00\x00"
	case table.TypeDouble:
		return string(v) == "\x80\x00\x00\x00\x00\x00\x00\x00"
	default:
		return false
	}
}

// splitKey undoes row.Row.AppendKey.
func splitKey(key string) []row.Value {
	var out []row.Value
	for rest := []byte(key); len(rest) > 0; {
		if rest[0] == 0xff {
			out, rest = append(out, nil), rest[1:]
			continue
		}
		size, n := binary.Uvarint(rest[1:])
		rest = rest[1+n:]
		out, rest = append(out, rest[:size:size]), rest[size:]
	}
	return out
}
