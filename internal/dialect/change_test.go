package dialect

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// What the destination may store alike before and after a change is not sure to
// count as one there.
func TestMapping_ChangesThatAreNotSureToCount(t *testing.T) {
	const zero, minus, one = "\x00\x00\x00\x00\x00\x00\x00\x00", "\x80\x00\x00\x00\x00\x00\x00\x00", "\x3f\xf0\x00\x00\x00\x00\x00\x00"
	text := func(charset string) table.Column {
		return table.Column{Type: table.TypeText, Charset: charset, SQLType: "varchar(9)"}
	}
	for _, c := range []struct {
		from, to        table.Column
		before, after   row.Value
		written, surely bool
	}{
		{table.Column{Type: table.TypeJSON}, table.Column{Type: table.TypeJSON}, row.Value(`{"a": 1.0}`), row.Value(`{"a": 1}`), true, false},
		{table.Column{Type: table.TypeJSON}, table.Column{Type: table.TypeJSON}, row.Value(`{"a": "1.0"}`), row.Value(`{"a": "1"}`), true, true},
		{table.Column{Type: table.TypeJSON}, table.Column{Type: table.TypeJSON}, row.Value(`1.0`), nil, true, true},
		{table.Column{Type: table.TypeDouble}, table.Column{Type: table.TypeDouble}, row.Value(zero), row.Value(minus), true, false},
		{table.Column{Type: table.TypeDouble}, table.Column{Type: table.TypeDouble}, row.Value(one), row.Value(zero), true, true},
		{table.Column{Type: table.TypeFloat}, table.Column{Type: table.TypeFloat}, row.Value(minus[:4]), row.Value(zero[:4]), true, false},
		{text("cp932"), text("utf8mb4"), row.Value("\xfa\x54"), row.Value("\x81\xca"), true, false},
		{text("cp932"), text("cp932"), row.Value("\xfa\x54"), row.Value("\x81\xca"), true, true},
		{text("latin1"), text("utf8mb4"), row.Value("\xe9"), row.Value("e"), true, true},
		{text("utf8mb4"), text("utf8mb4"), row.Value("a"), row.Value("a"), false, false},
		{text("utf8mb4"), text("utf8mb4"), row.Value(""), nil, true, true},
	} {
		m := &Mapping{Source: &table.Table{Columns: []table.Column{c.from}}, Destination: &table.Table{Columns: []table.Column{c.to}}, Pairs: []Pair{{0, 0}}}
		written, surely := m.Changes(row.Row{c.before}, row.Row{c.after})
		require.Equal(t, []bool{c.written, c.surely}, []bool{written, surely}, "%q to %q", c.before, c.after)
	}
}
