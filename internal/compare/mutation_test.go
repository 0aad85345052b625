package compare

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
)

// null stands for NULL in mutations.
const null = "\x00NULL"

// mutation is a column type with pairs of values that differ as little as can be.
type mutation struct {
	sqlType, collation string
	pairs              [][2]string
}

func double(f float64) string {
	return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
}

func single(f float32) string {
	return string(binary.BigEndian.AppendUint32(nil, math.Float32bits(f)))
}

func mutations() []mutation {
	text := [][2]string{{"a", "A"}, {"a", "a "}, {"a", "b"}, {"", null}, {null, ""}, {"a", ""}, {"0", "00"}, {"x\x00", "x"}, {"a\n", "a\r"}}
	unicode := append([][2]string{{"é", "e"}, {"é", "e\u0301"}, {"ß", "ss"}, {"ａ", "a"}, {"日本", "日本 "}}, text...)
	list := []mutation{
		{"tinyint(4)", "", [][2]string{{"0", "1"}, {"-128", "-127"}, {"0", null}}},
		{"bigint(20) unsigned", "", [][2]string{{"18446744073709551615", "18446744073709551614"}, {"9007199254740993", "9007199254740992"}}},
		{"bigint(20)", "", [][2]string{{"-9223372036854775808", "-9223372036854775807"}}},
		{"decimal(65,30)", "", [][2]string{{"12345678901234567890123456789012345.000000000000000000000000000001", "12345678901234567890123456789012345.000000000000000000000000000000"}}},
		{"float", "", [][2]string{{single(16777217), single(16777218)}, {single(0.1), single(math.Nextafter32(0.1, 1))}, {single(0), single(float32(math.Copysign(0, -1)))}, {single(1e-45), single(0)}}},
		{"double", "", [][2]string{{double(0.1), double(math.Nextafter(0.1, 1))}, {double(0), double(math.Copysign(0, -1))}, {double(5e-324), double(0)}, {double(1e308), double(math.Nextafter(1e308, 0))}}},
		{"bit(1)", "", [][2]string{{"\x00", "\x01"}}},
		{"bit(64)", "", [][2]string{{"\x80\x00\x00\x00\x00\x00\x00\x01", "\x80\x00\x00\x00\x00\x00\x00\x00"}}},
		{"year(4)", "", [][2]string{{"0000", "2000"}, {"2024", "2025"}}},
		{"date", "", [][2]string{{"2024-02-29", "2024-02-28"}, {"0000-00-00", null}, {"2024-00-10", "2024-01-10"}}},
		{"time(6)", "", [][2]string{{"-838:59:58.999999", "-838:59:58.999998"}, {"00:00:00.000001", "-00:00:00.000001"}}},
		{"datetime(6)", "", [][2]string{{"2024-02-29 00:00:00.000000", "2024-02-29 00:00:00.000001"}}},
		{"timestamp(6) null", "", [][2]string{{"2024-10-27 01:30:00.000000", "2024-10-27 01:30:00.000001"}, {"2024-10-27 01:30:00.000000", "2024-10-27 02:30:00.000000"}}},
		{"varchar(50)", "utf8mb4_bin", unicode},
		{"varchar(50)", "utf8mb4_general_ci", unicode},
		{"varchar(50)", "latin1_swedish_ci", append([][2]string{{"\xe9", "\xe8"}, {"\xe9", "?"}, {"\xc3\xa9", "\xe9"}, {"\x81", "\x80"}}, text...)},
		{"char(20)", "utf8mb4_general_ci", [][2]string{{"a", "A"}, {"é", "e"}, {"", null}}},
		{"longtext", "utf8mb4_bin", append([][2]string{{strings.Repeat("x", 300_000) + "1", strings.Repeat("x", 300_000) + "2"}}, text...)},
		{"binary(4)", "", [][2]string{{"a\x00\x00\x00", "a \x00\x00"}, {"\x00\x00\x00\x00", "\x00\x00\x00\x01"}}},
		{"varbinary(50)", "", [][2]string{{"", "\x00"}, {"\x00", "\x00\x00"}, {"\xff", "\xfe"}, {"", null}, {"a", "A"}}},
		{"longblob", "", [][2]string{{strings.Repeat("\xab", 400_000), strings.Repeat("\xab", 399_999) + "\xaa"}}},
		{"enum('a','b','')", "utf8mb4_bin", [][2]string{{"1", "2"}, {"3", null}}},
		{"set('a','b','c')", "utf8mb4_bin", [][2]string{{"0", "1"}, {"3", "5"}, {"0", null}}},
		{"json", "", [][2]string{{`{"a": 1}`, `{"a": 1.0}`}, {`"x"`, `"X"`}, {`null`, null}, {`[1, 2]`, `[2, 1]`}, {`{"a": null}`, `{}`}}},
		{"point", "", [][2]string{{point(0, 1), point(0, math.Nextafter(1, 2))}, {point(0, 1), point(4326, 1)}}},
		{"vector(2)", "", [][2]string{{"\x00\x00\x80\x3f\x00\x00\x00\x00", "\x01\x00\x80\x3f\x00\x00\x00\x00"}}},
	}
	return list
}

func point(srid uint32, x float64) string {
	out := binary.LittleEndian.AppendUint32(nil, srid)
	out = append(out, 1, 1, 0, 0, 0)
	out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	return string(binary.LittleEndian.AppendUint64(out, 0))
}

// Rule 12: a one-bit change, NULL for empty, a space, a case, a microsecond: each
// is found in every type, and nothing is found where nothing differs.
func TestValues_FindsTheSmallestChangeInEveryType(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	for n, m := range mutations() {
		name := fmt.Sprintf("t%d", n)
		c, err := mysqlconn.ParseColumnType(m.sqlType, m.collation)
		require.NoError(t, err)
		ddl := m.sqlType
		if m.collation != "" {
			ddl += " CHARACTER SET " + c.Charset + " COLLATE " + m.collation
		}
		p.both(t, fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, before_it VARCHAR(9), v %s, behind_it VARCHAR(9))", name, ddl))
		literal := func(v string) string {
			if v == null {
				return "NULL"
			}
			return string(dialect.AppendLiteral(nil, c, row.Value(v), c))
		}
		want := map[string]string{}
		id := 0
		for _, values := range m.pairs {
			for _, v := range values {
				for _, mutant := range values {
					p.onSource(t, fmt.Sprintf("INSERT INTO %s VALUES (%d,'a',%s,'b')", name, id, literal(v)))
					p.onDestination(t, fmt.Sprintf("INSERT INTO %s VALUES (%d,'a',%s,'b')", name, id, literal(mutant)))
					if v != mutant {
						want[fmt.Sprintf("`id` = %d", id)] = different
					}
					id++
				}
			}
		}
		out := p.compare(t, contract.CompareValues, name)
		require.Equal(t, checkpoint.ResultInconsistent, out.Result, m.sqlType)
		require.Equal(t, want, p.results.kinds(), "%s %s", m.sqlType, m.collation)
		require.EqualValues(t, len(want), p.results.table(t, 0).Differences)

		p.onDestination(t, "DELETE FROM "+name)
		p.onDestination(t, fmt.Sprintf("INSERT INTO %s SELECT * FROM `%s`.%s", name, p.sourceName, name))
		require.Equal(t, checkpoint.ResultConsistent, p.compare(t, contract.CompareValues, name).Result, m.sqlType)
		require.Empty(t, p.results.differences)
	}
}

// Nothing moves from one column to the next unseen.
func TestValues_SeesWhatMovesBetweenColumns(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.both(t, "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9))")
	p.onSource(t, "INSERT INTO t VALUES (1,'ab','c'),(2,NULL,''),(3,'','x')")
	p.onDestination(t, "INSERT INTO t VALUES (1,'a','bc'),(2,'',NULL),(3,'x','')")
	p.compare(t, contract.CompareValues, "t")
	require.Equal(t, map[string]string{"`id` = 1": different, "`id` = 2": different, "`id` = 3": different}, p.results.kinds())
}

// A text that the source's character set lacks is no question mark.
func TestValues_SeesTextThatTheSourceCannotHold(t *testing.T) {
	p := newPair(t, "mysql97", "mysql97")
	p.onSource(t, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET latin1)")
	p.onDestination(t, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET utf8mb4)")
	p.onSource(t, "INSERT INTO t VALUES (1,_latin1 0xe9),(2,'?'),(3,NULL),(4,'')")
	p.onDestination(t, "INSERT INTO t VALUES (1,'é'),(2,'日'),(3,'日'),(4,'')")
	p.compare(t, contract.CompareValues, "t")
	require.Equal(t, map[string]string{"`id` = 2": different, "`id` = 3": different}, p.results.kinds())
}

// MySQL 5.7 prints a whole double like an integer: no false alarm about that,
// and nothing else is overlooked.
func TestValues_WholeDoublesOfOldServers(t *testing.T) {
	for _, sides := range [][2]string{{"mysql57", "mysql97"}, {"mysql97", "mysql57"}, {"mysql57", "mysql57"}} {
		p := newPair(t, sides[0], sides[1])
		p.both(t, "CREATE TABLE t (id INT PRIMARY KEY, c JSON)")
		p.onSource(t, `INSERT INTO t VALUES (1, '{"a": 1.0, "b": "1.0"}'), (2, '[100.0, 1.05]'), (3, '{"b": "1.0"}'), (4, '[10.0]')`)
		p.onDestination(t, `INSERT INTO t VALUES (1, '{"a": 1.0, "b": "1.0"}'), (2, '[100.0, 1.05]'), (3, '{"b": "1"}'), (4, '[1.0]')`)
		p.compare(t, contract.CompareValues, "t")
		require.Equal(t, map[string]string{"`id` = 3": different, "`id` = 4": different}, p.results.kinds(), sides)
	}
}

// sjis has no way back for a backslash, cp932 two codes for one sign: converted
// on the source's side, they are what the destination stores.
func TestValues_CharacterSetsWithoutAWayBack(t *testing.T) {
	p := newPair(t, "mysql57", "mysql97")
	p.onSource(t, "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(20) CHARACTER SET sjis, c VARCHAR(20) CHARACTER SET cp932)")
	p.onDestination(t, "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(20) CHARACTER SET utf8mb4, c VARCHAR(20) CHARACTER SET utf8mb4)")
	p.onSource(t, "SET NAMES utf8mb4")
	p.onSource(t, "INSERT INTO t VALUES (1, _sjis x'5C7E3F', _cp932 x'FA543F'), (2, _sjis x'85A0', 'x'), (3, '?', '?')")
	p.onDestination(t, `INSERT INTO t VALUES (1, '\\~?', _utf8mb4 x'EFBFA23F'), (2, '?', 'x'), (3, '?', '?')`)
	p.compare(t, contract.CompareValues, "t")
	require.Equal(t, map[string]string{"`id` = 2": different}, p.results.kinds(), "what is no character at all is no question mark")
}
