package fidelity

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// shape is how the independent reader looks at a column.
type shape uint8

const (
	asText   shape = iota // the server's exact text
	asHex                 // HEX()
	asFloat               // bits through the binary protocol
	asLabels              // ordinals and labels
	asJSON                // text and the type of every node
)

// column is a type with values as SQL literals.
type column struct {
	sql     string
	charset string // of text, ENUM and SET; part of the type
	shape   shape
	values  []string
	// ancient are dates that DDM refuses: before 1583, zero and partial ones.
	ancient []string
	// since is the first MySQL that has the type, 0 for all.
	since int
	// only is "mysql" or "mariadb" for types that the other one lacks.
	only string
	// there is the type on a MySQL destination when it is not sql.
	there string
	// heavy columns hold long values: few of them fit into one table.
	heavy bool
}

// corpusTable is a part of the corpus below the row-size limit.
type corpusTable struct {
	name    string
	columns []column
}

// ddl is the column's type on the source.
func (c column) ddl() string {
	if c.charset == "" {
		return c.sql
	}
	return c.sql + " CHARACTER SET " + c.charset
}

// ddlAt is the column's type on a destination.
func (c column) ddlAt(to *target) string {
	switch {
	case c.there != "":
		return c.there
	case c.charset != "" && !to.has(c.charset):
		return c.sql + " CHARACTER SET utf8mb4"
	default:
		return c.ddl()
	}
}

// corpus returns the tables of what a source has and a destination can hold.
func corpus(source string, to *target) []corpusTable {
	var light, heavy []column
	for _, c := range columns() {
		switch {
		case source == "mariadb" && c.only == "mysql", source != "mariadb" && c.only == "mariadb":
			continue
		case source != "mariadb" && versions[source] < c.since/100*100:
			continue
		case c.only == "mysql" && to.version < c.since/100*100:
			continue // asserted as refused: TestRefused
		case c.shape == asHex && isSpatial(c.sql) && !to.spatial:
			continue
		}
		if to.ancient {
			c.values = slices.Concat(c.values, c.ancient)
		}
		c.values = append(slices.Clip(c.values), "NULL")
		if c.heavy {
			heavy = append(heavy, c)
		} else {
			light = append(light, c)
		}
	}
	var out []corpusTable
	for part := range slices.Chunk(light, 16) {
		out = append(out, corpusTable{fmt.Sprintf("light%02d", len(out)), part})
	}
	for part := range slices.Chunk(heavy, 5) {
		out = append(out, corpusTable{fmt.Sprintf("heavy%02d", len(out)), part})
	}
	return out
}

func columns() []column {
	return slices.Concat(numbers(), temporal(), text(), bytesAndLabels(), documents(), spatial())
}

func numbers() []column {
	var out []column
	for _, w := range []struct {
		word string
		bits int
	}{{"TINYINT", 8}, {"SMALLINT", 16}, {"MEDIUMINT", 24}, {"INT", 32}, {"BIGINT", 64}} {
		most := uint64(math.MaxUint64) >> (64 - w.bits)
		half := most / 2
		out = append(out,
			column{sql: w.word, values: []string{"0", "1", "-1", fmt.Sprint(half), fmt.Sprintf("-%d", half), fmt.Sprintf("-%d", half+1)}},
			column{sql: w.word + " UNSIGNED", values: []string{"0", "1", fmt.Sprint(half), fmt.Sprint(half + 1), fmt.Sprint(most - 1), fmt.Sprint(most)}},
			column{sql: w.word + " ZEROFILL", values: []string{"0", "7", fmt.Sprint(most)}})
	}
	for bits := 1; bits <= 64; bits++ {
		out = append(out, column{sql: fmt.Sprintf("BIT(%d)", bits), shape: asHex, values: []string{
			"b'0'", "b'1'", "b'" + strings.Repeat("1", bits) + "'", "b'1" + strings.Repeat("0", bits-1) + "'", "b'" + strings.Repeat("10", 32)[:bits] + "'",
		}})
	}
	return append(out,
		column{sql: "DECIMAL(65,30)", values: []string{"0", "-0.0", "1", "-1.5", "99999999999999999999999999999999999.999999999999999999999999999999", "-99999999999999999999999999999999999.999999999999999999999999999999", "0.000000000000000000000000000001", "-0.000000000000000000000000000001", "12345678901234567890123456789012345.123456789012345678901234567891"}},
		column{sql: "DECIMAL(65,0)", values: []string{"0", strings.Repeat("9", 65), "-" + strings.Repeat("9", 65), "9007199254740993"}},
		column{sql: "DECIMAL(10,0)", values: []string{"0", "-1", "9999999999", "-9999999999"}},
		column{sql: "DECIMAL(9,9)", values: []string{"0", "0.123456789", "-0.000000001", "0.999999999"}},
		column{sql: "DECIMAL(5,2) UNSIGNED ZEROFILL", values: []string{"0", "1.5", "999.99"}},
		column{sql: "DECIMAL(30,30)", values: []string{"0", "0." + strings.Repeat("9", 30), "-0." + strings.Repeat("0", 29) + "1"}},
		column{sql: "FLOAT", shape: asFloat, values: []string{"0", "-0.0e0", "1", "16777217", "16777216", "16777219", "0.1", "-0.1", "3.4028234663852886e38", "-3.4028234663852886e38", "1.17549435e-38", "1.4e-45", "4.2e-45", "-1.5", "3.1415927"}},
		column{sql: "FLOAT UNSIGNED", shape: asFloat, values: []string{"0", "0.3", "1e10"}},
		column{sql: "FLOAT(7,2)", shape: asFloat, values: []string{"1.005", "99999.99", "-99999.99", "0.1", "16777.21"}},
		column{sql: "DOUBLE", shape: asFloat, values: []string{"0", "-0.0e0", "0.1", "1.7976931348623157e308", "-1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "1e-310", "123456789012345680", "9007199254740993", "0.30000000000000004", "377.61710255477357", "2.2204460492503131e-16", "4.4454451958196266e287"}},
		column{sql: "DOUBLE(15,4)", shape: asFloat, values: []string{"0.12345", "-99999999999.9999", "12345678901.2345"}},
		column{sql: "YEAR", values: []string{"0", "1901", "1970", "2000", "2155", "'0'", "69", "70"}},
	)
}

func temporal() []column {
	out := []column{
		{sql: "DATE", values: []string{"'1583-01-01'", "'2024-02-29'", "'9999-12-31'", "'1970-01-01'"}, ancient: []string{"'0000-00-00'", "'1000-01-01'", "'1582-10-15'", "'0001-01-01'", "'2024-00-10'", "'2024-01-00'", "'2024-00-00'"}},
	}
	for f := range 7 {
		digits, since, suffix := "", 0, ""
		if f > 0 {
			digits, since, suffix = "."+"123456"[:f], 50600, fmt.Sprintf("(%d)", f)
		}
		nines := strings.NewReplacer("1", "9", "2", "9", "3", "9", "4", "9", "5", "9", "6", "9").Replace(digits)
		out = append(out,
			column{sql: "TIME" + suffix, since: since, values: []string{"'00:00:00'", "'838:59:59'", "'-838:59:59'", "'-00:00:00" + digits + "'", "'-00:00:01" + digits + "'", "'12:34:56" + digits + "'", "'-838:59:58" + nines + "'", "'838:59:58" + nines + "'", "'23:59:59" + nines + "'", "'-12:34:56'", "'100:00:01'"}},
			column{
				sql: "DATETIME" + suffix, since: since, values: []string{"'1583-01-01 00:00:00" + digits + "'", "'9999-12-31 23:59:59" + nines + "'", "'2024-02-29 12:34:56'", "'1969-12-31 23:59:59" + nines + "'", "'2024-03-31 02:30:00" + digits + "'"},
				ancient: []string{"'0000-00-00 00:00:00'", "'1000-01-01 00:00:00" + digits + "'", "'2024-00-00 00:00:00" + digits + "'", "'0001-01-01 00:00:00'", "'1582-10-15 12:00:00'"},
			},
			// 02:30 of 27 October exists twice in Europe: 00:30 and 01:30 UTC.
			column{
				sql: "TIMESTAMP" + suffix + " NULL", since: since, values: []string{"'1970-01-01 00:00:01" + digits + "'", "'2038-01-19 03:14:07'", "'2024-10-27 00:30:00" + digits + "'", "'2024-10-27 01:30:00" + digits + "'", "'2024-03-31 01:00:00" + nines + "'"},
				ancient: []string{"'0000-00-00 00:00:00'"},
			})
	}
	return out
}

// charsets are those of the issue, and what each can hold beyond ASCII.
func charsets() []struct {
	name   string
	since  int
	only   string
	values []string
} {
	const chinese, japanese = "_utf8mb4 x'E4BDA0E5A5BD'", "_utf8mb4 x'E382A2EFBDB1E8A1A8'"
	four := []string{"_utf8mb4 x'F09F9880'", "_utf8mb4 x'65CC81'", "_utf8mb4 x'F0A08080C3A9'", chinese, "_utf8mb4 x'EFBBBF61'"}
	return []struct {
		name   string
		since  int
		only   string
		values []string
	}{
		{"ascii", 0, "", []string{"x'00'", "'a\\0b'", "'%_\\\\\\''"}},
		{"latin1", 0, "", []string{"_latin1 x'818D8F909D'", "_latin1 x'C3A9'", "_latin1 x'E9'", "_latin1 x'FF'", "_latin1 x'80'"}},
		{"latin2", 0, "", []string{"_latin2 x'B1A3'"}},
		{"utf8", 0, "", []string{"_utf8 x'C3A9'", "_utf8 x'65CC81'", "_utf8 x'E4BDA0E5A5BD'", "_utf8 x'EFBBBF61'", "_utf8 x'EFBFBD'", "_utf8 x'EFBFBF'"}},
		{"utf8mb4", 0, "", four},
		{"gbk", 0, "", []string{chinese, "_gbk x'815C'", "_gbk x'A8A4'", "_gbk x'C4E35C'"}},
		{"gb18030", 50700, "mysql", append([]string{"_gb18030 x'815C'"}, four...)},
		{"big5", 0, "", []string{chinese, "_big5 x'A45C'", "_big5 x'A440'"}},
		{"sjis", 0, "", []string{japanese, "_sjis x'835C'", "_sjis x'B1'", "_sjis x'5C7E'"}},
		{"cp932", 0, "", []string{japanese, "_cp932 x'FA54'"}},
		{"ucs2", 0, "", []string{"_ucs2 x'00E4'", "_ucs2 x'4F60597D'", "_ucs2 x'FFFD'"}},
		{"utf16", 0, "", four},
		{"utf32", 0, "", four},
	}
}

func text() []column {
	var out []column
	for _, cs := range charsets() {
		plain := []string{"''", "'a '", "'  '", "'plain'", "REPEAT('x', 20)", "'a\\'\\\"\\\\b\\n'"}
		values := slices.Concat(plain, cs.values)
		for _, kind := range []string{"CHAR(20)", "VARCHAR(20)", "TEXT"} {
			out = append(out, column{sql: kind, charset: cs.name, shape: asHex, since: cs.since, only: cs.only, values: values})
		}
		label := map[string]string{"latin1": "é", "utf8": "é", "utf8mb4": "é", "gbk": "你", "gb18030": "你", "big5": "你", "sjis": "表", "cp932": "表", "ucs2": "你", "utf16": "你", "utf32": "你"}[cs.name]
		if label == "" {
			label = "z"
		}
		// Lists of their own: MySQL up to 5.7 forgets labels of two UCS-2 or UTF-16
		// columns of one table with the same list.
		label += cs.name
		out = append(out,
			column{sql: "ENUM('a','" + label + "','2','1')", charset: cs.name, shape: asLabels, since: cs.since, only: cs.only, values: []string{"'a'", "'" + label + "'", "'2'", "2", "'1'"}},
			column{sql: "SET('a','" + label + "','2')", charset: cs.name, shape: asLabels, since: cs.since, only: cs.only, values: []string{"''", "'a'", "'" + label + "'", "'a," + label + ",2'", "4"}})
	}
	long := []string{"''", "'a'", "'a  '", "'ä€'", "REPEAT('ä', 100)"}
	for _, kind := range []string{"CHAR(255)", "VARCHAR(300)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"} {
		values := slices.Clone(long)
		switch kind {
		case "CHAR(255)":
			values = append(values, "REPEAT('x', 255)")
		case "TEXT":
			values = append(values, "REPEAT('ä', 30000)")
		case "MEDIUMTEXT", "LONGTEXT":
			values = append(values, "REPEAT('y', 70000)")
		}
		out = append(out, column{sql: kind, charset: "utf8mb4", shape: asHex, values: values, heavy: true})
	}
	return append(out, column{sql: "CHAR(0)", charset: "utf8mb4", shape: asHex, values: []string{"''"}})
}

func bytesAndLabels() []column {
	return []column{
		{sql: "BINARY(1)", shape: asHex, values: []string{"0x00", "0xff", "''"}},
		{sql: "BINARY(8)", shape: asHex, values: []string{"''", "0x00", "0x6100", "0x6120", "0x0000000000000000", "0xffffffffffffffff", "0x6100000000000062", "0x2020"}},
		{sql: "BINARY(255)", shape: asHex, values: []string{"''", "0x610000"}},
		{sql: "VARBINARY(20)", shape: asHex, values: []string{"''", "0x00", "0x610000", "0xff", "0xC3A9", "'\\'\\\\'"}},
		{sql: "VARBINARY(300)", shape: asHex, values: []string{"''", "0x00", "0x610000", "REPEAT(0xff, 300)"}},
		{sql: "TINYBLOB", shape: asHex, heavy: true, values: []string{"''", "0x00", "REPEAT(0x00, 255)"}},
		{sql: "BLOB", shape: asHex, heavy: true, values: []string{"''", "0x00ff", "REPEAT(0x00, 60000)"}},
		{sql: "MEDIUMBLOB", shape: asHex, heavy: true, values: []string{"''", "REPEAT(0xff, 70000)"}},
		{sql: "LONGBLOB", shape: asHex, heavy: true, values: []string{"''", "REPEAT(0x27, 70000)", "REPEAT(0x5c00, 40000)"}},
		{sql: "ENUM(" + labels(300) + ")", charset: "utf8mb4", shape: asLabels, values: []string{"1", "255", "256", "300"}},
		{sql: "SET(" + labels(64) + ")", charset: "utf8mb4", shape: asLabels, values: []string{"''", "1", "0x8000000000000000", "18446744073709551615", "9007199254740993"}},
		{sql: "SET(" + labels(9) + ")", charset: "utf8mb4", shape: asLabels, values: []string{"''", "'l9'", "511"}},
		{sql: "VECTOR(3)", shape: asHex, since: 90000, only: "mysql", values: []string{"STRING_TO_VECTOR('[1,2.5,-0.0]')", "STRING_TO_VECTOR('[3.4028234e38,1e-37,16777217]')"}},
		{sql: "JSON", shape: asHex, only: "mariadb", heavy: true, there: "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", values: []string{`'{"b":1, "a": [1.0,  1e2]}'`, `'"ä"'`, `'null'`, `'  {}'`}},
	}
}

// labels are n labels of an ENUM or SET.
func labels(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("'l%d'", i+1)
	}
	return strings.Join(out, ",")
}

func documents() []column {
	return []column{{sql: "JSON", shape: asJSON, since: 50700, only: "mysql", heavy: true, values: []string{
		`'{}'`, `'[]'`, `'null'`, `'true'`, `'[false, null, [], {}]'`, `'0'`, `'-1'`, `'32768'`, `'65536'`, `'-2147483649'`, `'4294967296'`,
		`'9223372036854775807'`, `'-9223372036854775808'`, `'9223372036854775808'`, `'18446744073709551615'`, `'[18446744073709551615, -9223372036854775808]'`,
		`'1.0'`, `'-0.0'`, `'[1.5, 0.1, 100.0, 1e2, 1e15, 1e14, 1e16, 1e-4, 1e-15, 1e-17]'`, `'{"whole": 1.0, "big": 123456789012345.0, "zero": 0.0, "minus": -0.0}'`,
		`JSON_ARRAY(0.30000000000000004e0, 377.61710255477357e0, -4.4454451958196266e287, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308)`,
		`JSON_OBJECT('deep', JSON_ARRAY(JSON_OBJECT('x', 2.2204460492503131e-16), 'text', NULL, TRUE, 18446744073709551615, -5), 'q"k\\', 0.1e0)`,
		`CAST(12345678901234567.25e0 AS JSON)`, `CAST(0.30000000000000004e0 AS JSON)`,
		`'"text"'`, `'""'`, `'"ä€😀"'`, `'"a\\nb\\t\\"q\\"\\\\ \\u0001\\u001f/ \\u007f"'`, `'["1.0", "0.30000000000000004", "\\"-0.0"]'`, `CONCAT('"', REPEAT('x', 20000), '"')`,
		`'{"b": 1, "a": [1, 2, {"c": null}], "long key": {"x": {"y": [[[]]]}}}'`, `'{"": ""}'`, `'{"a":1,"aa":2,"b":3, "ä": 4}'`, `CONCAT('[', REPEAT('123456,', 3000), '1]')`,
		`CAST(CAST('12.340' AS DECIMAL(10,3)) AS JSON)`, `CAST(CAST('-99999999999999999999.123456789' AS DECIMAL(40,9)) AS JSON)`, `JSON_OBJECT('d', 1.10, 'n', 99999999999999999999999, 'e', JSON_ARRAY(0.00000000000000000001, -7.00))`,
		`CAST(CAST('2024-02-29' AS DATE) AS JSON)`, `JSON_ARRAY(CAST('2024-02-29 12:34:56.123456' AS DATETIME(6)), CAST('-838:59:59.5' AS TIME(6)))`, `CAST(x'00ff10' AS JSON)`,
	}}}
}

// geometry is the internal form of a value: SRID, then WKB of types, counts and
// coordinates.
func geometry(srid uint32, wkb ...any) string {
	out := binary.LittleEndian.AppendUint32(nil, srid)
	for _, w := range wkb {
		switch w := w.(type) {
		case int: // a type, with its byte order
			out = binary.LittleEndian.AppendUint32(append(out, 1), uint32(w))
		case uint32: // a count
			out = binary.LittleEndian.AppendUint32(out, w)
		case float64:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(w))
		}
	}
	return fmt.Sprintf("0x%x", out)
}

func isSpatial(sql string) bool {
	return slices.Contains([]string{"GEOMETRY", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"}, sql)
}

func spatial() []column {
	one := uint32(1)
	ring := []any{uint32(4), 0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 0.0}
	with := func(srid uint32, head []any, tail []any) string { return geometry(srid, slices.Concat(head, tail)...) }
	point, line := geometry(0, 1, 1.5, -2.25), geometry(0, 2, uint32(2), 0.0, 0.0, 1.0, math.Nextafter(1, 2))
	polygon := with(0, []any{3, one}, ring)
	list := []column{
		{sql: "POINT", values: []string{point, geometry(4326, 1, 10.0, 20.0), geometry(0, 1, 0.1, 1e308)}},
		{sql: "LINESTRING", values: []string{line}},
		{sql: "POLYGON", values: []string{polygon, with(4326, []any{3, one}, ring)}},
		{sql: "MULTIPOINT", values: []string{geometry(0, 4, one, 1, 1.0, 2.0)}},
		{sql: "MULTILINESTRING", values: []string{geometry(0, 5, one, 2, uint32(2), 0.0, 0.0, 1.0, 1.0)}},
		{sql: "MULTIPOLYGON", values: []string{with(0, []any{6, one, 3, one}, ring)}},
		{sql: "GEOMETRYCOLLECTION", values: []string{geometry(0, 7, one, 1, 1.0, 2.0)}},
		{sql: "GEOMETRY", values: []string{point, line, polygon, geometry(4326, 1, -45.0, 179.0)}},
	}
	for i := range list {
		list[i].shape = asHex
	}
	return list
}
