package ddmsim

import (
	"strconv"
	"testing"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// FuzzRoute_AgreesWithTheDialect: where the engine's router knows the shard of a
// key, the simulator, which was written from the manual by itself, puts the row
// there. The engine may not know; it must not know wrongly.
func FuzzRoute_AgreesWithTheDialect(f *testing.F) {
	for algorithm := range uint8(len(routeCases)) {
		for _, key := range []string{"0", "1", "16", "123456", "9223372036854775807", "9223372036854775808", "-1", "-9223372036854775808", "abc", "ABC", "ä", "", "2012-12-31", "2019-01-15 23:59:59.999", "0000-00-00", "1582-10-15", "9999-12-31", "2024-02-29"} {
			f.Add(algorithm, key, uint8(8), uint8(3), uint8(4))
			f.Add(algorithm, key, uint8(16), uint8(1), uint8(0))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, key string, shards, tables, shift uint8) {
		c := routeCases[int(which)%len(routeCases)]
		d, n, s := int(shards%64)+1, int(tables%16)+1, int(shift%63)
		value, ok := c.value(key)
		if !ok {
			return
		}
		column := c.column
		column.Name = "k"
		rule := table.Rule{Algorithm: c.algorithm, Column: "k", Function: c.function, Offset: s, Count: d}
		placement := table.Placement{Kind: table.Sharded, Shards: d, Database: rule}
		db := &partition{Algorithm: c.algorithm, Column: "k", Function: c.function, Shift: s, Kind: c.kind}
		var tb *partition
		if n > 1 {
			tb = db
			placement.Table = rule
			placement.Table.Count = n
		}
		id := table.Column{Name: "id", Type: table.TypeInt, Bits: 64}
		def := &table.Table{Columns: []table.Column{id, column}, Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}}}
		m, err := dialect.NewMapping(def, def, placement)
		if err != nil {
			return // a rule that fits no such column routes nothing
		}
		router := dialect.New(dialect.DDM, dialect.Default(dialect.DDM))
		got, known := router.Shard(m, row.Row{row.Value("1"), value})
		if !known {
			return
		}
		want, _ := places(db, tb, d, n, c.literal(string(value)), c.literal(string(value)))
		if got != want {
			t.Fatalf("%s %q over %d shards with %d tables, offset %d: the engine says %d, the simulator %d", c.algorithm, key, d, n, s, got, want)
		}
	})
}

// routeCase is an algorithm over a kind of column.
type routeCase struct {
	algorithm, function string
	kind                keyKind
	column              table.Column
}

var (
	integerColumn = table.Column{Type: table.TypeInt, Bits: 64, SQLType: "bigint"}
	textColumn    = table.Column{Type: table.TypeText, Charset: "utf8mb4", Collation: "utf8mb4_bin", SQLType: "varchar(50)"}
	dateColumn    = table.Column{Type: table.TypeDate, SQLType: "date"}
)

var routeCases = []routeCase{
	{"HASH", "", keyInteger, integerColumn},
	{"HASH", "", keyText, textColumn},
	{"HASH", "YEAR", keyDate, dateColumn},
	{"MOD_HASH", "", keyInteger, integerColumn},
	{"MOD_HASH", "", keyText, textColumn},
	{"MOD_HASH_CI", "", keyText, textColumn},
	{"RIGHT_SHIFT", "", keyInteger, integerColumn},
	{"YYYYMM", "", keyDate, dateColumn},
	{"YYYYDD", "", keyDate, dateColumn},
	{"YYYYWEEK", "", keyDate, dateColumn},
}

// value makes a canonical value of the column's type.
func (c routeCase) value(text string) (row.Value, bool) {
	switch c.kind {
	case keyInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		return strconv.AppendInt(nil, n, 10), err == nil
	case keyDate:
		if len(text) < 10 || text[4] != '-' || text[7] != '-' {
			return nil, false
		}
		_, err := strconv.ParseUint(text[:4]+text[5:7]+text[8:10], 10, 64)
		_, ok := parseDate(text[:10])
		return row.Value(text[:10]), err == nil && ok
	default:
		return row.Value(text), true
	}
}

func (c routeCase) literal(text string) literal {
	if c.kind == keyInteger {
		return number(text)
	}
	return str(text)
}
