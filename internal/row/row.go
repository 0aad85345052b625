package row

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
)

// Value is the canonical bytes of one column, nil for NULL (an empty string is
// a non-nil, empty slice).
type Value []byte

// Row has one value per column of its table, in ordinal order.
type Row []Value

// Clone copies the row into memory of its own, in one allocation for the bytes.
func (r Row) Clone() Row {
	size := 0
	for _, v := range r {
		size += len(v)
	}
	arena := make([]byte, 0, size)
	out := make(Row, len(r))
	for i, v := range r {
		if v == nil {
			continue
		}
		start := len(arena)
		arena = append(arena, v...)
		out[i] = arena[start:len(arena):len(arena)]
	}
	return out
}

// Size is the memory the row's values take, in bytes, with a fixed cost per value.
func (r Row) Size() int {
	n := 24 * len(r)
	for _, v := range r {
		n += len(v)
	}
	return n
}

// Equal says whether two rows have the same values; NULL equals NULL only.
func (r Row) Equal(o Row) bool {
	if len(r) != len(o) {
		return false
	}
	for i := range r {
		if (r[i] == nil) != (o[i] == nil) || !bytes.Equal(r[i], o[i]) {
			return false
		}
	}
	return true
}

// Pick returns the values at the given ordinals, sharing their bytes.
func (r Row) Pick(columns []int) []Value {
	out := make([]Value, len(columns))
	for i, c := range columns {
		out[i] = r[c]
	}
	return out
}

// AppendKey appends a byte string that is equal for equal values and different
// for different ones: each value is length-prefixed, so ('a.b','c') and
// ('a','b.c') differ, and NULL differs from every value.
func (r Row) AppendKey(dst []byte, columns []int) []byte {
	for _, c := range columns {
		v := r[c]
		if v == nil {
			dst = append(dst, 0xff)
			continue
		}
		dst = append(dst, 0x00)
		dst = binary.AppendUvarint(dst, uint64(len(v)))
		dst = append(dst, v...)
	}
	return dst
}

// Key is AppendKey as a string, for maps: equal bytes are the same row. Under a
// non-binary collation different keys may be the same row for the server too.
func (r Row) Key(columns []int) string { return string(r.AppendKey(nil, columns)) }

// KeyHash names a row in logs and reports without showing its key (64 bits, hex
// digits are the caller's matter).
func (r Row) KeyHash(columns []int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(r.AppendKey(nil, columns))
	return h.Sum64()
}

// Op is what a change does to a row.
type Op uint8

// The operations of row events.
const (
	Insert Op = iota + 1
	Update
	Delete
)

// Change is one changed row of a row event. Before is nil for Insert, After for
// Delete. Both images are complete: partial images stop the stream.
type Change struct {
	Op     Op
	Before Row
	After  Row
}

// Size is the memory both images take, in bytes.
func (c Change) Size() int { return c.Before.Size() + c.After.Size() }
