package binlog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// typeCase is a column type with values as SQL text.
type typeCase struct {
	sql    string
	values []string
	// since is the first MySQL that has the type (50600 …), 0 for all; maria
	// says that MariaDB has it.
	since int
	maria bool
}

func any55(sql string, values ...string) typeCase { return typeCase{sql, values, 0, true} }

// texts are values of every length class of a text type, trailing spaces included.
var texts = []string{"''", "'a'", "'a  '", "'  '", "'ä€'", "REPEAT('x', 30)"}

// jsons are documents with each kind of value and each width of it.
var jsons = []string{
	`'{}'`, `'[]'`, `'null'`, `'true'`, `'[false, null]'`, `'0'`, `'-1'`, `'32767'`, `'-32768'`, `'32768'`, `'65535'`, `'65536'`, `'2147483647'`,
	`'-2147483649'`, `'4294967296'`, `'9223372036854775807'`, `'-9223372036854775808'`, `'18446744073709551615'`,
	`'1.0'`, `'-0.0'`, `'1.5'`, `'0.1'`, `'1e15'`, `'1e14'`, `'123456789012345'`, `'1234567890123456.5'`, `'1e16'`, `'1e-4'`, `'1e-14'`, `'1e-15'`, `'1e-16'`, `'1e-17'`,
	`'1.7976931348623157e308'`, `'5e-324'`, `'2.2250738585072014e-308'`, `'0.30000000000000004'`, `'100'`, `'1e2'`, `'123456.789e3'`, `'9007199254740993'`,
	`'"text"'`, `'""'`, `'"ä€😀"'`, `'"a\\nb\\t\\"q\\"\\\\ \\u0001\\u001f/ \\u007f"'`, `CONCAT('"', REPEAT('x', 200), '"')`, `CONCAT('"', REPEAT('x', 20000), '"')`,
	`'{"b": 1, "a": [1, 2, {"c": null}], "long key": {"x": {"y": [[[]]]}}}'`, `'{"": ""}'`, `'{"a":1,"aa":2,"b":3}'`,
	`CONCAT('[', REPEAT('123456,', 12000), '1]')`, `CONCAT('{"k":"', REPEAT('y', 70000), '","n":65535,"m":2000000000,"z":[1,2],"t":true}')`,
	`CAST(CAST('12.340' AS DECIMAL(10,3)) AS JSON)`, `CAST(CAST('-99999999999999999999.123456789' AS DECIMAL(40,9)) AS JSON)`,
	`CAST(CAST('2024-02-29' AS DATE) AS JSON)`, `CAST(CAST('2024-02-29 12:34:56.123456' AS DATETIME(6)) AS JSON)`, `CAST(CAST('-838:59:59.5' AS TIME(6)) AS JSON)`,
	`JSON_OBJECT('d', CAST('12:00:00' AS TIME), 'x', CAST(1.10 AS DECIMAL(5,2)))`, `CAST(x'00ff10' AS JSON)`, `CAST(CAST(REPEAT('z', 100) AS BINARY) AS JSON)`,
	`CAST(b'1010' AS JSON)`, `JSON_ARRAY(1.0E0, CAST(7 AS UNSIGNED), NOW() IS NULL)`,
}

func typeCases() []typeCase {
	cases := []typeCase{
		any55("DECIMAL(65,30)", "0", "-0.0", "1", "-1.5", "99999999999999999999999999999999999.999999999999999999999999999999", "-99999999999999999999999999999999999.999999999999999999999999999999", "0.000000000000000000000000000001", "-0.000000000000000000000000000001"),
		any55("DECIMAL(10,0)", "0", "-1", "9999999999"),
		any55("DECIMAL(9,9)", "0", "0.123456789", "-0.000000001"),
		any55("DECIMAL(5,2) ZEROFILL", "0", "1.5", "999.99"),
		any55("DECIMAL(20,1)", "1000000000", "123456789012345678.9", "-1000000000.1"),
		any55("FLOAT", "0", "-0.0", "1", "16777217", "16777216", "0.1", "3.4028234663852886e38", "1.17549435e-38", "1.4e-45", "-1.5"),
		any55("FLOAT(7,2)", "1.005", "99999.99"),
		any55("DOUBLE", "0", "-0.0", "0.1", "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "123456789012345680", "0.30000000000000004"),
		any55("YEAR", "0", "1901", "1970", "2155"),
		any55("DATE", "'0000-00-00'", "'1000-01-01'", "'9999-12-31'", "'2024-02-29'", "'2024-00-10'", "'2024-01-00'", "'0001-01-01'"),
		any55("TIME", "'00:00:00'", "'-00:00:01'", "'-12:34:56'", "'838:59:59'", "'-838:59:59'", "'100:00:01'"),
		any55("DATETIME", "'0000-00-00 00:00:00'", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'2024-00-00 00:00:00'", "'2024-02-29 12:34:56'"),
		any55("TIMESTAMP NULL", "'0000-00-00 00:00:00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-03-31 02:30:00'", "'2024-10-27 02:30:00'"),
		any55("CHAR(30)", texts...), any55("CHAR(0)", "''"), any55("VARCHAR(30)", texts...), any55("VARCHAR(300)", texts...), any55("CHAR(255)", texts...),
		any55("TINYTEXT", texts...), any55("TEXT", "''", "REPEAT('ä', 30000)"), any55("MEDIUMTEXT", "''", "REPEAT('x', 70000)"), any55("LONGTEXT", "''", "REPEAT('x', 70000)"),
		any55("BINARY(1)", "0x00", "0xff"), any55("BINARY(8)", "''", "0x00", "0x6100", "0x6120", "0x0000000000000000", "0xffffffffffffffff", "0x6100000000000062"),
		any55("BINARY(255)", "''", "0x610000"),
		any55("VARBINARY(300)", "''", "0x00", "0x610000", "0xff"),
		any55("TINYBLOB", "''", "0x00"), any55("BLOB", "''", "0x00ff", "REPEAT(0x00, 60000)"), any55("MEDIUMBLOB", "REPEAT(0xff, 70000)"), any55("LONGBLOB", "''", "REPEAT(0x27, 70000)"),
		any55("ENUM('a','b','2','1')", "'a'", "'2'", "2", "0", "'1'"), any55("ENUM("+labels(300)+")", "1", "255", "256", "300", "0"),
		any55("SET('a','b','c')", "''", "'a'", "'a,c'", "7"), any55("SET("+labels(64)+")", "''", "1", "0x8000000000000000", "18446744073709551615"), any55("SET("+labels(33)+")", "'l1,l33'"), any55("SET("+labels(9)+")", "'l9'"),
		any55("GEOMETRY", "POINTX", "POLYX"),
		{"JSON", jsons, 50708, false},
		{"VECTOR(3)", []string{"STRING_TO_VECTOR('[1,2.5,-0.0]')"}, 90000, false},
	}
	for bits, word := range map[int]string{8: "TINYINT", 16: "SMALLINT", 24: "MEDIUMINT", 32: "INT", 64: "BIGINT"} {
		max := uint64(1)<<bits - 1
		if bits == 64 {
			max = ^uint64(0)
		}
		half := max / 2
		cases = append(cases,
			any55(word, "0", "1", "-1", fmt.Sprint(half), fmt.Sprintf("-%d", half+1)),
			any55(word+" UNSIGNED", "0", fmt.Sprint(half), fmt.Sprint(half+1), fmt.Sprint(max)),
			any55(word+" ZEROFILL", "7", fmt.Sprint(max)))
	}
	for _, n := range []int{1, 2, 7, 8, 9, 16, 17, 31, 32, 33, 48, 63, 64} {
		cases = append(cases, any55(fmt.Sprintf("BIT(%d)", n), "b'0'", "b'1'", "b'"+strings.Repeat("1", n)+"'", "b'1"+strings.Repeat("0", n-1)+"'"))
	}
	for f := range 7 {
		digits := "." + "123456"[:f]
		if f == 0 {
			digits = ""
		}
		cases = append(cases,
			typeCase{fmt.Sprintf("TIME(%d)", f), []string{"'00:00:00'", "'838:59:59'", "'-838:59:59'", "'-00:00:00" + digits + "'", "'-00:00:01" + digits + "'", "'12:34:56" + digits + "'", "'-838:59:58" + digits + "'", "'00:00:00.9'", "'-00:00:00.9'"}, 50604, true},
			typeCase{fmt.Sprintf("DATETIME(%d)", f), []string{"'0000-00-00 00:00:00'", "'1000-01-01 00:00:00" + digits + "'", "'9999-12-31 23:59:59" + digits + "'", "'2024-00-00 00:00:00" + digits + "'", "'2024-02-29 12:34:56'"}, 50604, true},
			typeCase{fmt.Sprintf("TIMESTAMP(%d) NULL", f), []string{"'0000-00-00 00:00:00'", "'1970-01-01 00:00:01" + digits + "'", "'2038-01-19 03:14:07'", "'2024-10-27 02:30:00" + digits + "'"}, 50604, true})
	}
	for charset, since := range map[string]int{"ascii": 0, "latin1": 0, "utf8": 0, "gbk": 0, "big5": 0, "sjis": 0, "ucs2": 0, "utf16": 50503, "utf32": 50503, "utf8mb4": 50503, "gb18030": 50704, "binary": 0, "cp932": 0} {
		values := []string{"''", "'a '", "'plain'", "REPEAT('x', 10)"}
		switch charset {
		case "latin1":
			values = append(values, "_latin1 x'818D8F909D'", "_latin1 x'C3A9'", "_latin1 x'FF'")
		case "utf8mb4", "utf16", "utf32", "gb18030":
			values = append(values, "_utf8mb4 x'F09F9880'", "_utf8mb4 x'65CC81'", "_utf8mb4 x'E4BDA0E5A5BD'")
		case "gbk", "big5", "ucs2", "utf8":
			values = append(values, "_utf8 x'E4BDA0E5A5BD'")
		case "sjis", "cp932":
			values = append(values, "_utf8 x'E382A2EFBDB1'", "_utf8 x'E8A1A8'")
		}
		for _, kind := range []string{"CHAR(20)", "VARCHAR(20)", "TEXT"} {
			cases = append(cases, typeCase{kind + " CHARACTER SET " + charset, values, since, charset != "gb18030"})
		}
	}
	return cases
}

// labels are n labels of an ENUM or SET.
func labels(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("'l%d'", i+1)
	}
	return strings.Join(out, ",")
}

// fits says whether the rig's server has the type.
func (c typeCase) fits(r *rig) bool {
	found := r.source.Capabilities()
	if found.Flavor == position.MariaDB {
		return c.maria
	}
	return found.Number >= c.since
}

// geometry writes the function as the server calls it.
func geometry(r *rig, value string) string {
	prefix := "ST_"
	if n := r.source.Capabilities().Number; n < 50600 {
		prefix = ""
	}
	value = strings.Replace(value, "POINTX", prefix+"GeomFromText('POINT(1 2)', 4326)", 1)
	return strings.Replace(value, "POLYX", prefix+"GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')", 1)
}

// What the stream gives must be, byte for byte, what a SELECT gives: the copy
// and the stream write into the same tables.
func TestStream_ValuesEqualThoseOfSelect(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		session := r.session()
		execOn(t, session, "SET SESSION sql_mode = ''", "SET NAMES utf8", "SET time_zone = '+00:00'")
		if r.source.Capabilities().Number >= 50503 {
			execOn(t, session, "SET NAMES utf8mb4")
		}
		cases := []typeCase{}
		for _, c := range typeCases() {
			if c.fits(r) {
				cases = append(cases, c)
			}
		}
		for i, c := range cases {
			execOn(t, session, fmt.Sprintf("CREATE TABLE t%d (id INT PRIMARY KEY, c %s, d %s) ENGINE=InnoDB", i, c.sql, c.sql))
		}
		r.learn()
		start := r.head()
		for i, c := range cases {
			execOn(t, session, fmt.Sprintf("INSERT INTO t%d VALUES (0, NULL, NULL)", i))
			for n, v := range c.values {
				v = geometry(r, v)
				_, err := session.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO t%d VALUES (%d, %s, NULL)", i, n+1, v))
				require.NoError(t, err, "%s: %.200s", c.sql, v)
			}
		}
		inserted := r.head()
		want := map[string]map[string]row.Row{}
		for i := range cases {
			want[fmt.Sprintf("t%d", i)] = r.selectAll(fmt.Sprintf("t%d", i))
		}
		s := r.open(start)
		events := r.readTo(s, inserted)
		got := r.played(events)
		for i, c := range cases {
			name := fmt.Sprintf("t%d", i)
			for id, r := range want[name] {
				if got[name][id] == nil {
					t.Errorf("%s, row %s is missing", c.sql, id)
					continue
				}
				for k := range r {
					if a, b := show(r[k]), show(got[name][id][k]); a != b || string(r[k]) != string(got[name][id][k]) {
						t.Errorf("%s, row %s, column %d: SELECT gives %s, the stream %s", c.sql, id, k, a, b)
					}
				}
			}
			require.Len(t, got[name], len(want[name]), c.sql)
		}
		require.False(t, t.Failed(), "values differ")
		for i, c := range cases {
			execOn(t, session, fmt.Sprintf("UPDATE t%d SET d = %s", i, geometry(r, c.values[0])))
		}
		updated := r.head()
		after := map[string]map[string]row.Row{}
		for i := range cases {
			after[fmt.Sprintf("t%d", i)] = r.selectAll(fmt.Sprintf("t%d", i))
		}
		events = append(events, r.readTo(s, updated)...)
		require.Equal(t, after, r.played(events), "after updates, before images included")
		for i := range cases {
			execOn(t, session, fmt.Sprintf("DELETE FROM t%d WHERE id < 3", i))
		}
		events = append(events, r.readTo(s, r.head())...)
		final := map[string]map[string]row.Row{}
		for i := range cases {
			final[fmt.Sprintf("t%d", i)] = r.selectAll(fmt.Sprintf("t%d", i))
		}
		require.Equal(t, final, r.played(events), "after deletes")
	})
}

// played plays changes; documents of MySQL 5.7 come as it prints them, without
// the ".0" of whole doubles that the stream keeps.
func (r *rig) played(events []Event) map[string]map[string]row.Row {
	r.t.Helper()
	out := play(r.t, events)
	if r.source.Capabilities().Number >= 80000 {
		return out
	}
	for n, t := range r.tables {
		for i, c := range t.Columns {
			if c.Type != table.TypeJSON {
				continue
			}
			for id, one := range out[n.Table] {
				changed := one.Clone()
				if one[i] != nil {
					changed[i] = row.AppendPlainDoubles(nil, one[i])
				}
				out[n.Table][id] = changed
			}
		}
	}
	return out
}

// show prints a value of a test for its reader.
func show(v row.Value) string {
	if v == nil {
		return "NULL"
	}
	if len(v) > 120 {
		return fmt.Sprintf("%q… (%d bytes)", string(v[:120]), len(v))
	}
	return fmt.Sprintf("%q", string(v))
}
