package dialect

import (
	"encoding/binary"
	"math"
	"strconv"
	"testing"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// BenchmarkInsert builds the statements of 10,000 rows of ten columns, about
// 170 bytes each. The mark is 2.3 million rows a second (movers.md).
func BenchmarkInsert(b *testing.B) {
	columns := []table.Column{
		{Name: "id", Type: table.TypeInt},
		{Name: "customer", Type: table.TypeInt},
		{Name: "name", Type: table.TypeText, Charset: "utf8mb4"},
		{Name: "note", Type: table.TypeText, Charset: "utf8mb4"},
		{Name: "price", Type: table.TypeDecimal},
		{Name: "at", Type: table.TypeDateTime},
		{Name: "state", Type: table.TypeEnum},
		{Name: "token", Type: table.TypeBinary},
		{Name: "weight", Type: table.TypeDouble},
		{Name: "city", Type: table.TypeText, Charset: "latin1"},
	}
	src := &table.Table{Name: table.Name{Schema: "s", Table: "t"}, Columns: columns, Keys: []table.Key{key(table.PrimaryName, 0)}}
	m, err := NewMapping(src, src, table.Placement{Kind: table.Single})
	if err != nil {
		b.Fatal(err)
	}
	var rows []row.Row
	for i := range 10_000 {
		rows = append(rows, row.Row{
			row.Value(strconv.Itoa(i)), row.Value("4711"), row.Value("Jürgen O'Hara"), row.Value("a somewhat longer text, as notes are: 60 characters or so."),
			row.Value("12345.67"), row.Value("2024-05-06 07:08:09"), row.Value("2"), row.Value("\x00\x01\x02\x03\x04\x05\x06\x07"),
			binary.BigEndian.AppendUint64(nil, math.Float64bits(1.5+float64(i))), row.Value("Berlin"),
		})
	}
	d := New(DDM, Features{})
	b.ReportAllocs()
	for b.Loop() {
		if got := d.Insert(m, rows); len(got) == 0 {
			b.Fatal("nothing")
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds(), "rows/s")
}
