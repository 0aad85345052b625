//go:build faultpoint

package soak

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// column is one generated column.
type column struct {
	name string
	sql  string // type and attributes
	null bool
	// literal gives a random value as SQL text.
	literal func(rng *rand.Rand) string
}

// shape is one generated table.
type shape struct {
	name    string
	key     []column // primary key
	shard   *column  // column that routes, nil when the key does
	unique  *column  // with a unique index, nullable
	second  *column  // another one
	values  []column
	parent  string // a foreign key of values[0] to the key of this table
	cascade string // its ON DELETE
	// rule is what the destination's CREATE TABLE ends with.
	rule string
	// mod is the column that the rule routes by, by this algorithm; empty for
	// tables that are not sharded.
	mod, algorithm string
}

// days are dates at the ends of months, weeks and years.
var days = []string{"2024-02-29", "2024-03-01", "2023-12-31", "2024-01-01", "1999-12-31", "2021-01-03", "2020-12-31", "2024-05-17"}

func momentOf(fraction bool) func(*rand.Rand) string {
	return func(rng *rand.Rand) string {
		text := days[rng.IntN(len(days))]
		if fraction {
			text += oneOf(" 00:00:00", " 23:59:59.999", " 23:59:59.5", " 12:34:56.001")(rng)
		}
		return "'" + text + "'"
	}
}

// shardKeys are columns of their own that route, with their algorithms.
var shardKeys = []struct {
	column
	algorithm string
}{
	{column{sql: "INT NOT NULL", literal: integer(9)}, "MOD_HASH"},
	{column{sql: "INT NOT NULL", literal: integer(9)}, "MOD_HASH"},
	{column{sql: "VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL", literal: oneOf("''", "'a'", "'A'", "'ä'", "'b '", "'b'", "'日本'", "'😀'", "'zz top'", "'0'")}, "MOD_HASH"},
	{column{sql: "DATE NOT NULL", literal: momentOf(false)}, "YYYYDD"},
	{column{sql: "DATETIME NOT NULL", literal: momentOf(true)}, "YYYYMM"},
	{column{sql: "DATETIME(3) NOT NULL", literal: momentOf(true)}, "YYYYMM"},
	{column{sql: "DATETIME(3) NOT NULL", literal: momentOf(true)}, "YYYYDD"},
}

func integer(limit int) func(*rand.Rand) string {
	return func(rng *rand.Rand) string { return fmt.Sprint(rng.IntN(limit)) }
}

func oneOf(texts ...string) func(*rand.Rand) string {
	return func(rng *rand.Rand) string { return texts[rng.IntN(len(texts))] }
}

func orNull(f func(*rand.Rand) string) func(*rand.Rand) string {
	return func(rng *rand.Rand) string {
		if rng.IntN(4) == 0 {
			return "NULL"
		}
		return f(rng)
	}
}

// keyDomain bounds the keys, so that statements meet.
const keyDomain = 40

// keys are the primary keys that tables may have.
func keys(rng *rand.Rand) []column {
	number := column{name: "id", sql: "BIGINT NOT NULL", literal: integer(keyDomain)}
	switch rng.IntN(8) {
	case 0:
		number.sql = "INT UNSIGNED NOT NULL"
		return []column{number}
	case 1:
		return []column{number, {name: "k2", sql: "INT NOT NULL", literal: integer(4)}}
	case 2:
		return []column{{name: "id", sql: "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL", literal: oneOf(
			"'a'", "'B'", "'b1'", "'ä'", "'ss'", "'ß'", "'a.b'", "'c'", "'C2'", "'dd'", "'é'", "'e'", "'f f'", "''", "'zz'", "'0'", "'10'", "'9'")}}
	case 3:
		return []column{{name: "id", sql: "VARBINARY(6) NOT NULL", literal: oneOf(
			"0x00", "0x0000", "0x61", "0x41", "0xFF", "0x6100", "''", "0x2061", "0x5C27", "0x7F80", "0x0A0D", "0xFE01")}}
	default:
		return []column{number}
	}
}

// types are the value columns that tables may have, with values at their bounds.
var types = []column{
	{sql: "INT UNSIGNED", literal: oneOf("0", "1", "2147483647", "2147483648", "4294967295")},
	{sql: "BIGINT UNSIGNED", literal: oneOf("0", "9223372036854775807", "9223372036854775808", "18446744073709551615")},
	{sql: "MEDIUMINT", literal: oneOf("-8388608", "8388607", "-1", "0")},
	{sql: "DECIMAL(30,10)", literal: oneOf("0", "-0.0000000001", "12345678901234567890.0123456789", "-99999999999999999999.9999999999")},
	{sql: "FLOAT", literal: oneOf("0", "16777216", "16777217", "1.1e-38", "-3.4e38", "0.1")},
	{sql: "DOUBLE", literal: oneOf("0", "0.1", "1.7976931348623157e308", "-2.2250738585072014e-308", "123456789.123456789")},
	{sql: "BIT(9)", literal: oneOf("b'0'", "b'111111111'", "b'100000000'", "b'10'")},
	{sql: "YEAR", literal: oneOf("1901", "2155", "2024")},
	{sql: "DATE", literal: oneOf("'1583-01-01'", "'9999-12-31'", "'2024-02-29'")},
	{sql: "TIME(3)", literal: oneOf("'-838:59:59'", "'838:59:59'", "'00:00:00.001'", "'-00:00:00.999'")},
	{sql: "DATETIME(6)", literal: oneOf("'1970-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "'2024-03-31 02:30:00.5'")},
	{sql: "TIMESTAMP(2) NULL", literal: oneOf("'1970-01-02 00:00:01'", "'2038-01-01 00:00:00.99'", "'2024-10-27 02:30:00'")},
	{sql: "CHAR(6) CHARACTER SET latin1 COLLATE latin1_swedish_ci", literal: oneOf("''", "'a  '", "_latin1 0x81FF8D", "'é'", "' a'")},
	{sql: "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", literal: oneOf("''", "'a '", "'😀é'", "'quote\\'s \\\\ end'", "'line\\nbreak\\0'", "'%_'")},
	{sql: "TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", literal: oneOf("''", "REPEAT('x', 1000)", "'日本語'")},
	{sql: "BINARY(4)", literal: oneOf("0x00", "0x01020300", "0xFFFFFFFF")},
	{sql: "BLOB", literal: oneOf("''", "0x00", "0xDEADBEEF00", "REPEAT(0xFF, 900)")},
	{sql: "ENUM('a','B','3')", literal: oneOf("'a'", "'B'", "'3'", "2")},
	{sql: "SET('x','y','z')", literal: oneOf("''", "'x'", "'x,z'", "7")},
	{sql: "JSON", literal: oneOf("'null'", "'[]'", "'{\"a\": 1.5, \"b\": [18446744073709551615, true]}'", "'\"text\"'", "'{\"n\": {\"deep\": [0.1, -9223372036854775808]}}'")},
}

// shapes draws the tables of a schedule.
//
// Which ones depends on the source: older ones have no JSON as ours is, and do not
// log what a foreign key changes (from MySQL 9.6 on they do; pre-check tells).
func shapes(rng *rand.Rand, source string) []shape {
	json := source != "mysql56" && source != "mariadb"
	out := make([]shape, 2+rng.IntN(2))
	for i := range out {
		out[i] = oneShape(rng, fmt.Sprintf("t%d", i), json)
	}
	// A child of the first table, where its key is one number.
	if first := &out[0]; len(first.key) == 1 && strings.Contains(first.key[0].sql, "INT") && rng.IntN(2) == 0 {
		child := &out[len(out)-1]
		of := strings.TrimSuffix(first.key[0].sql, " NOT NULL")
		child.parent, child.cascade = first.name, oneOf("CASCADE", "SET NULL", "RESTRICT")(rng)
		if source != "mysql97" {
			child.cascade = "RESTRICT"
		}
		child.values = append([]column{{name: "ref", sql: of, null: true, literal: orNull(integer(keyDomain))}}, child.values...)
	}
	return out
}

func oneShape(rng *rand.Rand, name string, json bool) shape {
	s := shape{name: name, key: keys(rng)}
	uniques := rng.IntN(4)
	if uniques > 1 {
		s.second = &column{name: "w", sql: "VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL", null: true, literal: orNull(func(rng *rand.Rand) string {
			return fmt.Sprintf("'%c%d'", "aAbB"[rng.IntN(4)], rng.IntN(keyDomain))
		})}
	}
	if uniques == 1 || uniques == 2 {
		s.unique = &column{name: "u", sql: "INT NULL", null: true, literal: orNull(integer(keyDomain * 2))}
	}
	for i := range 1 + rng.IntN(4) {
		c := types[rng.IntN(len(types))]
		if c.sql == "JSON" && !json {
			c = types[0]
		}
		c.name, c.null, c.literal = fmt.Sprintf("v%d", i), true, orNull(c.literal)
		s.values = append(s.values, c)
	}
	numeric := strings.Contains(s.key[0].sql, "INT")
	switch rng.IntN(6) {
	case 0:
		s.rule = "BROADCAST"
	case 1: // a single table
	case 2:
		if numeric {
			c := s.key[rng.IntN(len(s.key))] // of a composite key the one or the other
			s.mod, s.algorithm = c.name, "MOD_HASH"
			break
		}
		fallthrough
	default:
		k := shardKeys[rng.IntN(len(shardKeys))]
		k.name = "s"
		s.shard, s.mod, s.algorithm = &k.column, "s", k.algorithm
	}
	if s.mod != "" {
		s.rule = "DBPARTITION BY " + s.algorithm + "(" + s.mod + ")"
	}
	return s
}

// columns are all columns in their order.
func (s *shape) columns() []column {
	out := append([]column{}, s.key...)
	if s.shard != nil {
		out = append(out, *s.shard)
	}
	if s.unique != nil {
		out = append(out, *s.unique)
	}
	if s.second != nil {
		out = append(out, *s.second)
	}
	return append(out, s.values...)
}

func (s *shape) keyNames() string {
	var names []string
	for _, c := range s.key {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// create is the CREATE TABLE of a side.
func (s *shape) create(destination bool) string {
	var parts []string
	for _, c := range s.columns() {
		parts = append(parts, c.name+" "+c.sql)
	}
	parts = append(parts, "PRIMARY KEY ("+s.keyNames()+")")
	if s.unique != nil {
		parts = append(parts, "UNIQUE KEY u (u)")
	}
	if s.second != nil {
		parts = append(parts, "UNIQUE KEY w (w)")
	}
	if s.parent != "" && !destination {
		parts = append(parts, "FOREIGN KEY (ref) REFERENCES "+s.parent+" (id) ON DELETE "+s.cascade)
	}
	return "CREATE TABLE " + s.name + " (" + strings.Join(parts, ", ") + ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
}
