package binlog

import (
	"errors"
	"slices"
)

// errShort and errShape say what is wrong with bytes of the source; they never
// show any of them.
var (
	errShort = errors.New("the event ends too early")
	errShape = errors.New("the event holds a value of an impossible form")
)

// reader takes pieces of an event in order. After the first error it returns
// empty pieces of the length asked for (up to maxEmpty), so that callers check
// err once.
type reader struct {
	data []byte
	err  error
}

var zeros [16]byte

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.err = errShort
		r.data = nil
		if n >= 0 && n <= len(zeros) {
			return zeros[:n]
		}
		return nil
	}
	out := r.data[:n:n]
	r.data = r.data[n:]
	return out
}

// little returns the next n bytes, at most 8, as a number, low byte first.
func (r *reader) little(n int) uint64 {
	var v uint64
	for i, b := range r.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// big returns the next n bytes, at most 8, as a number, high byte first.
func (r *reader) big(n int) uint64 {
	var v uint64
	for _, b := range r.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

// packed returns a length-encoded number of the protocol.
func (r *reader) packed() uint64 {
	switch first := r.little(1); first {
	case 0xfc:
		return r.little(2)
	case 0xfd:
		return r.little(3)
	case 0xfe:
		return r.little(8)
	case 0xfb, 0xff:
		r.err = errShape
		return 0
	default:
		return first
	}
}

// arena gives the memory of formatted values: values keep their place when it
// grows, since it grows by new pieces.
type arena struct {
	free  []byte
	piece int // the size of a new piece
}

// newArena makes an arena for the values of size bytes of images.
func newArena(size int) arena { return arena{piece: min(3*size+valueRoom, 16<<10)} }

// open returns an empty slice to which at least n bytes can be appended.
func (a *arena) open(n int) []byte {
	if cap(a.free)-len(a.free) < n {
		a.free = make([]byte, 0, max(n, a.piece))
	}
	return a.free[len(a.free):len(a.free):cap(a.free)]
}

// close keeps what was appended and returns it.
func (a *arena) close(v []byte) []byte {
	if cap(v) > 0 && cap(a.free)-len(a.free) >= len(v) {
		a.free = a.free[:len(a.free)+len(v)]
	}
	return slices.Clip(v)
}
