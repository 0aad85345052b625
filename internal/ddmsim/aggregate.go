package ddmsim

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/big"
	"strconv"

	"vitess.io/vitess/go/sqltypes"
)

// aggregate merges partial aggregates group by group. Groups are equal when
// the bytes of their keys are.
func (m *merge) aggregate(results []*sqltypes.Result) (*sqltypes.Result, error) {
	out := &sqltypes.Result{Fields: results[0].Fields}
	m.resolve(len(out.Fields))
	at := map[string]int{}
	for _, r := range results {
		for _, row := range r.Rows {
			k := ""
			if len(m.group) > 0 {
				k = rowKey(row, m.group)
			}
			i, have := at[k]
			if !have {
				at[k] = len(out.Rows)
				out.Rows = append(out.Rows, row)
				continue
			}
			for c, name := range m.aggregates {
				v, err := combine(name, out.Rows[i][c], row[c])
				if err != nil {
					return nil, err
				}
				out.Rows[i][c] = v
			}
		}
	}
	return out, nil
}

// combine merges two partial values of one aggregate.
func combine(name string, a, b sqltypes.Value) (sqltypes.Value, error) {
	if a.IsNull() {
		return b, nil
	}
	if b.IsNull() {
		return a, nil
	}
	switch name {
	case "MIN", "MAX":
		if c := compareValues(a, b); (c <= 0) == (name == "MIN") {
			return a, nil
		}
		return b, nil
	case "COUNT", "SUM":
		return add(a, b)
	}
	x, err := strconv.ParseUint(a.ToString(), 10, 64)
	if err != nil {
		return a, unsupported("%s of other values than integers over several shards", name)
	}
	y, err := strconv.ParseUint(b.ToString(), 10, 64)
	if err != nil {
		return a, unsupported("%s of other values than integers over several shards", name)
	}
	switch name {
	case "BIT_XOR":
		x ^= y
	case "BIT_AND":
		x &= y
	default:
		x |= y
	}
	return sqltypes.MakeTrusted(a.Type(), strconv.AppendUint(nil, x, 10)), nil
}

func add(a, b sqltypes.Value) (sqltypes.Value, error) {
	if a.IsFloat() {
		x, errX := strconv.ParseFloat(a.ToString(), 64)
		y, errY := strconv.ParseFloat(b.ToString(), 64)
		if errX != nil || errY != nil {
			return a, unsupported("the sum of such values over several shards")
		}
		return sqltypes.MakeTrusted(a.Type(), strconv.AppendFloat(nil, x+y, 'g', -1, 64)), nil
	}
	x, okX := new(big.Rat).SetString(a.ToString())
	y, okY := new(big.Rat).SetString(b.ToString())
	if !okX || !okY {
		return a, unsupported("the sum of such values over several shards")
	}
	return sqltypes.MakeTrusted(a.Type(), []byte(x.Add(x, y).FloatString(scale(a.ToString())))), nil
}

// scale counts the digits after the point.
func scale(s string) int {
	for i := range len(s) {
		if s[i] == '.' {
			return len(s) - i - 1
		}
	}
	return 0
}

// rowKey joins the bytes of columns (nil: all) with their lengths.
func rowKey(row sqltypes.Row, columns []int) string {
	var k []byte
	one := func(v sqltypes.Value) {
		if v.IsNull() {
			k = append(k, 0)
			return
		}
		k = binary.AppendUvarint(append(k, 1), uint64(v.Len()))
		k = append(k, v.Raw()...)
	}
	if columns == nil {
		for _, v := range row {
			one(v)
		}
	}
	for _, c := range columns {
		one(row[c])
	}
	return string(k)
}

func (m *merge) compare(a, b sqltypes.Row) int {
	for _, k := range m.order {
		c := compareValues(a[k.column], b[k.column])
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// compareValues orders NULL first, numbers by value, everything else by bytes.
func compareValues(a, b sqltypes.Value) int {
	switch {
	case a.IsNull() && b.IsNull():
		return 0
	case a.IsNull():
		return -1
	case b.IsNull():
		return 1
	case a.IsUnsigned():
		x, _ := strconv.ParseUint(a.ToString(), 10, 64)
		y, _ := strconv.ParseUint(b.ToString(), 10, 64)
		return cmp.Compare(x, y)
	case a.IsSigned():
		x, _ := strconv.ParseInt(a.ToString(), 10, 64)
		y, _ := strconv.ParseInt(b.ToString(), 10, 64)
		return cmp.Compare(x, y)
	case a.IsFloat():
		x, _ := strconv.ParseFloat(a.ToString(), 64)
		y, _ := strconv.ParseFloat(b.ToString(), 64)
		return cmp.Compare(x, y)
	case a.Type() == sqltypes.Decimal:
		x, okX := new(big.Rat).SetString(a.ToString())
		y, okY := new(big.Rat).SetString(b.ToString())
		if okX && okY {
			return x.Cmp(y)
		}
	}
	return bytes.Compare(a.Raw(), b.Raw())
}
