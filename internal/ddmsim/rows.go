package ddmsim

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"vitess.io/vitess/go/sqltypes"
	querypb "vitess.io/vitess/go/vt/proto/query"
)

// toResult turns a data node's answer into the listener's form. Text rows are
// passed on byte by byte; binary rows become the text from which the listener
// makes the same binary row again.
func toResult(r *gomysql.Result, isBinary bool) (*sqltypes.Result, error) {
	out := &sqltypes.Result{RowsAffected: r.AffectedRows, InsertID: r.InsertId}
	if r.Resultset == nil || len(r.Fields) == 0 {
		return out, nil
	}
	for _, f := range r.Fields {
		field, err := toField(f)
		if err != nil {
			return nil, err
		}
		out.Fields = append(out.Fields, field)
	}
	out.Rows = make([]sqltypes.Row, 0, len(r.RowDatas))
	for _, data := range r.RowDatas {
		row := make(sqltypes.Row, len(out.Fields))
		var err error
		if isBinary {
			err = binaryRow(data, out.Fields, row)
		} else {
			err = textRow(data, out.Fields, row)
		}
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

func toField(f *gomysql.Field) (*querypb.Field, error) {
	t, err := sqltypes.MySQLToType(f.Type, int64(f.Flag))
	if err != nil {
		return nil, fmt.Errorf("column type %d of a data node: %w", f.Type, err)
	}
	return &querypb.Field{
		Name: string(f.Name), OrgName: string(f.OrgName), Table: string(f.Table), OrgTable: string(f.OrgTable),
		Database: string(f.Schema), Type: t, Charset: uint32(f.Charset), ColumnLength: f.ColumnLength,
		Flags: uint32(f.Flag), Decimals: uint32(f.Decimal),
	}, nil
}

func textRow(data []byte, fields []*querypb.Field, row sqltypes.Row) error {
	for i, f := range fields {
		v, null, n, err := gomysql.LengthEncodedString(data)
		if err != nil {
			return fmt.Errorf("row of a data node: %w", err)
		}
		data = data[n:]
		if !null {
			row[i] = sqltypes.MakeTrusted(f.Type, v)
		}
	}
	return nil
}

// binaryRow decodes a row of the binary protocol: header, NULL bitmap (offset
// 2), values.
func binaryRow(data []byte, fields []*querypb.Field, row sqltypes.Row) (err error) {
	defer func() { // a short packet shows as an index out of range
		if recover() != nil {
			err = fmt.Errorf("row of a data node is malformed")
		}
	}()
	bitmap := data[1:]
	data = data[1+(len(fields)+9)/8:]
	for i, f := range fields {
		if bitmap[(i+2)/8]&(1<<((i+2)%8)) != 0 || f.Type == sqltypes.Null {
			continue
		}
		v, n, err := binaryValue(data, f)
		if err != nil {
			return err
		}
		row[i], data = sqltypes.MakeTrusted(f.Type, v), data[n:]
	}
	return nil
}

// binaryValue decodes one value into the text of its type and says how many
// bytes it took.
func binaryValue(data []byte, f *querypb.Field) ([]byte, int, error) {
	u := binary.LittleEndian
	signed := func(v int64, n int) ([]byte, int, error) { return strconv.AppendInt(nil, v, 10), n, nil }
	unsigned := func(v uint64, n int) ([]byte, int, error) { return strconv.AppendUint(nil, v, 10), n, nil }
	switch f.Type {
	case sqltypes.Int8:
		return signed(int64(int8(data[0])), 1)
	case sqltypes.Uint8:
		return unsigned(uint64(data[0]), 1)
	case sqltypes.Int16:
		return signed(int64(int16(u.Uint16(data))), 2)
	case sqltypes.Uint16, sqltypes.Year:
		return unsigned(uint64(u.Uint16(data)), 2)
	case sqltypes.Int24, sqltypes.Int32:
		return signed(int64(int32(u.Uint32(data))), 4)
	case sqltypes.Uint24, sqltypes.Uint32:
		return unsigned(uint64(u.Uint32(data)), 4)
	case sqltypes.Int64:
		return signed(int64(u.Uint64(data)), 8)
	case sqltypes.Uint64:
		return unsigned(u.Uint64(data), 8)
	case sqltypes.Float32:
		return strconv.AppendFloat(nil, float64(math.Float32frombits(u.Uint32(data))), 'g', -1, 32), 4, nil
	case sqltypes.Float64:
		return strconv.AppendFloat(nil, math.Float64frombits(u.Uint64(data)), 'g', -1, 64), 8, nil
	case sqltypes.Date, sqltypes.Datetime, sqltypes.Timestamp:
		n := int(data[0])
		return dateText(data[1:1+n], f), 1 + n, nil
	case sqltypes.Time:
		n := int(data[0])
		return timeText(data[1 : 1+n]), 1 + n, nil
	default:
		v, _, n, err := gomysql.LengthEncodedString(data)
		return v, n, err
	}
}

// dateText and timeText keep the form of the packet (a server leaves out
// trailing zeros), so that the listener makes the same bytes of it again.
func dateText(b []byte, f *querypb.Field) []byte {
	if len(b) == 0 {
		return nil
	}
	out := fmt.Appendf(nil, "%04d-%02d-%02d", binary.LittleEndian.Uint16(b), b[2], b[3])
	if f.Type == sqltypes.Date || len(b) < 7 {
		return out
	}
	out = fmt.Appendf(out, " %02d:%02d:%02d", b[4], b[5], b[6])
	if len(b) < 11 {
		return out
	}
	return fmt.Appendf(out, ".%06d", binary.LittleEndian.Uint32(b[7:]))
}

func timeText(b []byte) []byte {
	if len(b) == 0 {
		return []byte("00:00:00")
	}
	var out []byte
	if b[0] == 1 {
		out = append(out, '-')
	}
	hours := binary.LittleEndian.Uint32(b[1:])*24 + uint32(b[5])
	out = fmt.Appendf(out, "%02d:%02d:%02d", hours, b[6], b[7])
	if len(b) < 12 {
		return out
	}
	return fmt.Appendf(out, ".%06d", binary.LittleEndian.Uint32(b[8:]))
}
