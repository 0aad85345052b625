package mysqlconn

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// decoder turns the driver's values of one row into canonical bytes, in one
// buffer that is used again for the next row.
type decoder struct {
	columns []table.Column
	row     row.Row
	arena   []byte
	// at holds where each value's bytes begin and end in arena, because arena moves while it grows.
	at [][2]int
}

// shared marks a value that lies in the driver's own memory.
const shared = -1

func newDecoder(columns []table.Column) *decoder {
	return &decoder{columns: columns, row: make(row.Row, len(columns)), at: make([][2]int, len(columns))}
}

func (d *decoder) decode(values []driver.Value) (row.Row, error) {
	d.arena = d.arena[:0]
	for i := range values {
		d.at[i] = [2]int{shared, 0}
		if values[i] == nil {
			d.row[i] = nil
			continue
		}
		start := len(d.arena)
		own, err := d.value(i, values[i])
		if err != nil {
			return nil, fmt.Errorf("read column %s (%s): %w", d.columns[i].Name, d.columns[i].SQLType, err)
		}
		if own {
			d.at[i] = [2]int{start, len(d.arena)}
		}
	}
	for i, at := range d.at {
		if at[0] != shared {
			d.row[i] = d.arena[at[0]:at[1]:at[1]]
		}
	}
	return d.row, nil
}

// value appends the canonical bytes to the arena (own), or keeps the driver's.
func (d *decoder) value(i int, v driver.Value) (own bool, err error) {
	c := &d.columns[i]
	switch v := v.(type) {
	case int64:
		return true, d.number(c, v)
	case float32:
		d.arena = binary.BigEndian.AppendUint32(d.arena, math.Float32bits(v))
		return true, expect(c, table.TypeFloat)
	case float64:
		if c.Type == table.TypeFloat { // selected as a double, which holds it exactly
			d.arena = binary.BigEndian.AppendUint32(d.arena, math.Float32bits(float32(v)))
			return true, nil
		}
		d.arena = binary.BigEndian.AppendUint64(d.arena, math.Float64bits(v))
		return true, expect(c, table.TypeDouble)
	case []byte:
		return d.bytes(i, c, v)
	case string:
		return d.bytes(i, c, []byte(v))
	default:
		return false, errShape
	}
}

var errShape = fmt.Errorf("the server sends it in an unexpected form")

func expect(c *table.Column, t table.Type) error {
	if c.Type != t {
		return errShape
	}
	return nil
}

func (d *decoder) number(c *table.Column, v int64) error {
	switch c.Type {
	case table.TypeInt, table.TypeEnum, table.TypeSet:
		d.arena = strconv.AppendInt(d.arena, v, 10)
	case table.TypeYear:
		d.arena = fmt.Appendf(d.arena, "%04d", v)
	case table.TypeBit: // a middleware may know BIT as a number
		d.arena = appendBits(d.arena, uint64(v), c.Bits)
	case table.TypeDecimal: // so may DECIMAL without a scale be
		d.arena = strconv.AppendInt(d.arena, v, 10)
	default:
		return errShape
	}
	return nil
}

func appendBits(dst []byte, v uint64, bits int) []byte {
	for shift := (bits+7)/8*8 - 8; shift >= 0; shift -= 8 {
		dst = append(dst, byte(v>>shift))
	}
	return dst
}

func (d *decoder) bytes(i int, c *table.Column, v []byte) (own bool, err error) {
	start := len(d.arena)
	switch c.Type {
	case table.TypeText, table.TypeBinary, table.TypeGeometry, table.TypeVector, table.TypeJSON:
		d.row[i] = slices.Clip(v)
		if v == nil {
			d.row[i] = row.Value{}
		}
		return false, nil
	case table.TypeFixedBinary:
		d.arena = append(d.arena, v...)
		for len(d.arena)-start < int(c.Length) {
			d.arena = append(d.arena, 0)
		}
	case table.TypeInt, table.TypeEnum, table.TypeSet, table.TypeYear:
		d.arena = append(d.arena, v...)
	case table.TypeDecimal:
		d.arena = appendDecimal(d.arena, v)
	case table.TypeBit:
		for n := (c.Bits + 7) / 8; n > len(v); n-- {
			d.arena = append(d.arena, 0)
		}
		d.arena = append(d.arena, v...)
	case table.TypeDate:
		d.arena = append(d.arena, v[:min(len(v), len("2006-01-02"))]...)
	case table.TypeTime, table.TypeDateTime, table.TypeTimestamp:
		d.arena = appendFraction(d.arena, v, c.Fraction)
	default:
		return false, errShape
	}
	return true, nil
}

// appendDecimal drops the leading zeros that ZEROFILL shows.
func appendDecimal(dst, v []byte) []byte {
	if len(v) > 0 && v[0] == '-' {
		dst, v = append(dst, '-'), v[1:]
	}
	for len(v) > 1 && v[0] == '0' && v[1] != '.' {
		v = v[1:]
	}
	return append(dst, v...)
}

// appendFraction gives a time exactly as many digits of a second as its column has.
func appendFraction(dst, v []byte, digits int) []byte {
	whole, fraction, _ := strings.Cut(string(v), ".")
	dst = append(dst, whole...)
	if digits == 0 {
		return dst
	}
	dst = append(dst, '.')
	for i := range digits {
		if i < len(fraction) {
			dst = append(dst, fraction[i])
		} else {
			dst = append(dst, '0')
		}
	}
	return dst
}

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
