package ddmsim

import (
	"strconv"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/sqltypes"
	querypb "vitess.io/vitess/go/vt/proto/query"
)

// utf8mb4 is the collation id utf8mb4_general_ci of text that the simulator
// itself writes.
const utf8mb4 = 45

// textResult is a result of strings.
func textResult(columns []string, rows [][]string) *sqltypes.Result {
	r := &sqltypes.Result{}
	for _, c := range columns {
		r.Fields = append(r.Fields, &querypb.Field{Name: c, Type: sqltypes.VarChar, Charset: utf8mb4, ColumnLength: 1024})
	}
	for _, row := range rows {
		out := make(sqltypes.Row, len(row))
		for i, v := range row {
			out[i] = sqltypes.NewVarChar(v)
		}
		r.Rows = append(r.Rows, out)
	}
	return r
}

// numbers gives columns the type BIGINT; an empty string becomes NULL.
func numbers(r *sqltypes.Result, columns ...int) *sqltypes.Result {
	for _, c := range columns {
		r.Fields[c] = &querypb.Field{Name: r.Fields[c].Name, Type: sqltypes.Int64, Charset: collations.CollationBinaryID, ColumnLength: 20}
		for _, row := range r.Rows {
			if row[c].Len() == 0 {
				row[c] = sqltypes.NULL
				continue
			}
			row[c] = sqltypes.MakeTrusted(sqltypes.Int64, row[c].Raw())
		}
	}
	return r
}

// numberResult is one column and one row.
func numberResult(name string, v uint64) *sqltypes.Result {
	return numbers(textResult([]string{name}, [][]string{{strconv.FormatUint(v, 10)}}), 0)
}
