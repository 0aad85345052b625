package dialect_test

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// sample is a column type with values at its edges.
type sample struct {
	sqlType, collation string
	values             []row.Value
	lacking            string // servers without the type, blank separated
}

func texts(list ...string) []row.Value {
	out := make([]row.Value, len(list))
	for i, s := range list {
		out[i] = row.Value(s)
		if s == "" {
			out[i] = row.Value{}
		}
	}
	return out
}

func float32s(list ...float32) []row.Value {
	out := make([]row.Value, len(list))
	for i, f := range list {
		out[i] = binary.BigEndian.AppendUint32(nil, math.Float32bits(f))
	}
	return out
}

func float64s(list ...float64) []row.Value {
	out := make([]row.Value, len(list))
	for i, f := range list {
		out[i] = binary.BigEndian.AppendUint64(nil, math.Float64bits(f))
	}
	return out
}

func randomBytes(rng *rand.Rand, n int) row.Value {
	out := make(row.Value, n)
	for i := range out {
		out[i] = byte(rng.Uint32())
	}
	return out
}

// samples holds every type. Texts are in the column's character set.
func samples() []sample {
	rng := rand.New(rand.NewPCG(7, 11))
	floats := []float32{0, float32(math.Copysign(0, -1)), 0.1, -1.5, 16777217, 1e-45, -1.4e-45, 1.1754942e-38, math.MaxFloat32, -math.MaxFloat32, 3.4e38, 1.0000001}
	doubles := []float64{0, math.Copysign(0, -1), 0.1, -2.5e-310, 5e-324, 2.2250738585072014e-308, math.MaxFloat64, -math.MaxFloat64, 1.0000000000000002, 9007199254740993, 1e23, 0.30000000000000004}
	for range 300 {
		if f := math.Float32frombits(rng.Uint32()); !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) {
			floats = append(floats, f)
		}
		if f := math.Float64frombits(rng.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			doubles = append(doubles, f)
		}
	}
	nasty := texts("", "a", "it's", `back\slash`, `\'`, `''`, `\`, "nul\x00byte", "\x1a\r\n\t\"`", "-- x /* y */ ;", "%_\\%\\_", " lead", "trail ", "0x41", "NULL")
	utf8 := append(texts("äöü", "日本語", "é\\'", "e\u0301"), nasty...)
	binaries := []row.Value{{}, {0}, {0xff}, []byte("'"), []byte(`\`), []byte("ab\x00"), {0xc3, 0xa9}, {0xe9}}
	for n := range 40 {
		binaries = append(binaries, randomBytes(rng, n+1))
	}
	return []sample{
		{sqlType: "tinyint(4)", values: texts("0", "-128", "127")},
		{sqlType: "tinyint(3) unsigned", values: texts("0", "255")},
		{sqlType: "smallint(6)", values: texts("-32768", "32767")},
		{sqlType: "mediumint(8) unsigned", values: texts("0", "8388608", "16777215")},
		{sqlType: "int(11)", values: texts("-2147483648", "2147483647")},
		{sqlType: "bigint(20)", values: texts("-9223372036854775808", "9223372036854775807", "9007199254740993")},
		{sqlType: "bigint(20) unsigned", values: texts("18446744073709551615", "9223372036854775808", "0")},
		{sqlType: "decimal(65,30)", values: texts("12345678901234567890123456789012345.123456789012345678901234567890", "-0.000000000000000000000000000001", "0.000000000000000000000000000000")},
		{sqlType: "decimal(20,0)", values: texts("-12345678901234567890", "0")},
		{sqlType: "float", values: float32s(floats...)},
		{sqlType: "double", values: float64s(doubles...)},
		{sqlType: "bit(1)", values: []row.Value{{0}, {1}}},
		{sqlType: "bit(17)", values: []row.Value{{0, 0, 0}, {1, 0xff, 0xff}, {0, 0x31, 0x31}}},
		{sqlType: "bit(64)", values: []row.Value{{0, 0, 0, 0, 0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0, 0, 0, 0, 1}, {0, 0x20, 0, 0, 0, 0, 0, 1}}},
		{sqlType: "year(4)", values: texts("0000", "1901", "2000", "2024", "2155")},
		{sqlType: "date", values: texts("0000-00-00", "2024-02-29", "9999-12-31", "2024-00-10", "2024-02-31", "0001-01-01")},
		{sqlType: "time", values: texts("00:00:00", "-838:59:59", "838:59:59", "-00:00:01", "123:00:01")},
		{sqlType: "time(6)", values: texts("00:00:00.000001", "-00:00:00.000001", "-838:59:58.999999", "838:59:58.999999"), lacking: "mysql55"},
		{sqlType: "datetime", values: texts("0000-00-00 00:00:00", "2024-02-29 23:59:59", "9999-12-31 23:59:59")},
		{sqlType: "datetime(6)", values: texts("2024-02-29 23:59:59.999999", "2024-02-29 23:59:59.000001"), lacking: "mysql55"},
		{sqlType: "datetime(3)", values: texts("2024-02-29 23:59:59.999", "0000-00-00 00:00:00.000"), lacking: "mysql55"},
		{sqlType: "timestamp(6) null", values: texts("0000-00-00 00:00:00.000000", "1970-01-01 00:00:01.000000", "2038-01-19 03:14:07.999999", "2024-10-27 01:30:00.000000"), lacking: "mysql55"},
		{sqlType: "timestamp null", values: texts("0000-00-00 00:00:00", "1970-01-01 00:00:01")},
		{sqlType: "varchar(200)", collation: "utf8mb4_bin", values: append(texts("😀", "a😀'"), utf8...)},
		{sqlType: "varchar(200)", collation: "utf8mb4_unicode_ci", values: append(texts("😀", "a😀'"), utf8...)},
		{sqlType: "varchar(200)", collation: "utf8_general_ci", values: utf8},
		{sqlType: "varchar(200)", collation: "ascii_general_ci", values: nasty},
		{sqlType: "varchar(200)", collation: "latin1_swedish_ci", values: append(texts("\xe9", "\xc3\xa9", "\x80\x81\xff'"), nasty...)},
		{sqlType: "varchar(200)", collation: "latin1_bin", values: append(texts("\xe9", "\xc3\xa9"), nasty...)},
		{sqlType: "varchar(200)", collation: "gbk_chinese_ci", values: append(texts("\xc4\xe3\xba\xc3", "\x81\x5c", "\x81\x5c'"), nasty...)},
		{sqlType: "varchar(200)", collation: "sjis_japanese_ci", values: append(texts("\x83\x5c", "\x95\x5c'"), nasty...)},
		{sqlType: "varchar(200)", collation: "big5_chinese_ci", values: append(texts("\xa5\x5c", "\xa5\x5c\\"), nasty...)},
		{sqlType: "varchar(200)", collation: "ucs2_general_ci", values: texts("", "\x00a", "\x00'\x00\\", "\xd7\x00")},
		{sqlType: "varchar(200)", collation: "utf16_bin", values: texts("", "\x00a", "\xd8\x3d\xde\x00")},
		{sqlType: "char(20)", collation: "utf8mb4_bin", values: texts("", "a", "ä'\\")},
		{sqlType: "longtext", collation: "utf8mb4_bin", values: append(texts(strings.Repeat("x'\\ä", 100_000)), utf8...)},
		{sqlType: "binary(4)", values: []row.Value{{0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 2, 3}, {0xff, 0xff, 0x27, 0x5c}}},
		{sqlType: "varbinary(60)", values: binaries},
		{sqlType: "longblob", values: append([]row.Value{randomBytes(rng, 700_000)}, binaries...)},
		{sqlType: "enum('a','b','2','')", collation: "utf8mb4_bin", values: texts("1", "2", "3", "4")},
		{sqlType: "set('a','b','1')", collation: "latin1_swedish_ci", values: texts("0", "1", "3", "7")},
		{sqlType: "set(" + manyLabels(64) + ")", collation: "utf8mb4_bin", values: texts("0", "18446744073709551615", "9223372036854775808", "9007199254740993")},
		{sqlType: "json", lacking: "mysql55 mysql56 mariadb", values: texts(`{}`, `[]`, `null`, `"it's \\ \" \u0000"`, `{"a": [1, 2.5, "ä😀"]}`, `18446744073709551615`)},
		{sqlType: "point", values: []row.Value{append([]byte{0, 0, 0, 0, 1, 1, 0, 0, 0}, make([]byte, 16)...)}},
		{sqlType: "geometry", values: []row.Value{append([]byte{0xe6, 0x10, 0, 0, 1, 1, 0, 0, 0}, make([]byte, 16)...)}, lacking: "mysql55 mysql56"},
		{sqlType: "vector(3)", lacking: "mysql55 mysql56 mysql57 mysql80 mariadb", values: []row.Value{{0, 0, 0x80, 0x3f, 0, 0, 0, 0x80, 1, 0, 0, 0}}},
	}
}

func manyLabels(n int) string {
	labels := make([]string, n)
	for i := range labels {
		labels[i] = "'l" + strconv.Itoa(i) + "'"
	}
	return strings.Join(labels, ",")
}

func ddlType(s sample, c table.Column) string {
	if c.Charset == "" {
		return s.sqlType
	}
	return s.sqlType + " CHARACTER SET " + c.Charset + " COLLATE " + c.Collation
}

// Every value must come back byte for byte, and be found by a condition.
func TestLiteral_RoundTripsOnEveryServer(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server, db *sql.DB, _ string) {
		for i, sample := range samples() {
			t.Run(clip(sample.sqlType+" "+sample.collation), func(t *testing.T) {
				if strings.Contains(sample.lacking, s.Name) {
					return // the server has no such type
				}
				c := columnOf(t, "v", sample.sqlType, sample.collation)
				name := fmt.Sprintf("t%d", i)
				exec(t, db, fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, v %s)", name, ddlType(sample, c)))
				values := append([]row.Value{nil}, sample.values...)
				rows := make([]string, len(values))
				for id, v := range values {
					rows[id] = "(" + strconv.Itoa(id) + "," + string(dialect.AppendLiteral(nil, c, v, c)) + ")"
				}
				exec(t, db, "INSERT INTO "+name+" VALUES "+strings.Join(rows, ","))
				for id, got := range read(t, db, name, c, "") {
					if s.Name == "mariadb" && isNegativeZero(c, values[id]) {
						continue // MariaDB has no −0.0, whatever the statement says
					}
					require.Equal(t, values[id], got)
				}
				for _, v := range sample.values {
					if len(v) > 1000 || len(c.Labels) > 53 || c.Type == table.TypeJSON || c.Type == table.TypeGeometry || c.Type == table.TypeVector ||
						s.Name == "mariadb" && isNegativeZero(c, v) {
						continue // never part of a condition
					}
					where := " WHERE v = " + string(dialect.AppendOperand(nil, c, v, c))
					require.Contains(t, read(t, db, name, c, where), v, where)
				}
			})
		}
	})
}

func isNegativeZero(c table.Column, v row.Value) bool {
	return c.Type == table.TypeFloat && string(v) == "\x80\x00\x00\x00" ||
		c.Type == table.TypeDouble && string(v) == "\x80\x00\x00\x00\x00\x00\x00\x00"
}

// Strict mode refuses the error value of an ENUM: loudly, never as NULL or a label.
func TestLiteral_EnumErrorValueIsRefusedByStrictServers(t *testing.T) {
	everyServer(t, func(t *testing.T, _ *testdb.Server, db *sql.DB, _ string) {
		c := columnOf(t, "v", "enum('a','b')", "utf8mb4_bin")
		exec(t, db, "CREATE TABLE t (id INT PRIMARY KEY, v ENUM('a','b'))")
		_, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (1,"+string(dialect.AppendLiteral(nil, c, row.Value("0"), c))+")")
		require.ErrorContains(t, err, "Data truncated")
	})
}

// The bytes of a text in one character set become the bytes that the server's
// own conversion gives in another.
func TestLiteral_ConvertsBetweenCharacterSets(t *testing.T) {
	collations := []string{"utf8mb4_bin", "utf8_bin", "latin1_bin", "gbk_bin", "sjis_bin", "ucs2_bin"}
	everyServer(t, func(t *testing.T, _ *testdb.Server, db *sql.DB, _ string) {
		for i, collation := range collations {
			c := columnOf(t, "v", "varchar(50)", collation)
			exec(t, db, fmt.Sprintf("CREATE TABLE t%d (id INT PRIMARY KEY, v %s)", i, ddlType(sample{sqlType: "varchar(50)"}, c)))
		}
		id := 0
		for _, text := range []string{"plain", "it's \\ a", "é", "日本", "´"} {
			for _, fromCollation := range collations {
				from := columnOf(t, "f", "varchar(50)", fromCollation)
				there := convert(t, db, fmt.Sprintf("_utf8mb4 0x%X", text), from.Charset)
				if there == nil {
					continue
				}
				for i, toCollation := range collations {
					to := columnOf(t, "v", "varchar(50)", toCollation)
					want := convert(t, db, fmt.Sprintf("_%s 0x%X", from.Charset, []byte(there)), to.Charset)
					if want == nil {
						continue
					}
					id++
					exec(t, db, fmt.Sprintf("INSERT INTO t%d VALUES (%d,%s)", i, id, dialect.AppendLiteral(nil, to, there, from)))
					where := fmt.Sprintf(" WHERE id = %d AND v = %s", id, dialect.AppendOperand(nil, to, there, from))
					got := read(t, db, fmt.Sprintf("t%d", i), to, where)
					require.Equal(t, []row.Value{want}, got, "%s from %s to %s", text, fromCollation, toCollation)
				}
			}
		}
		require.Greater(t, id, 80)
	})
}

// convert returns the text in another character set, nil when that lacks a character.
func convert(t *testing.T, db *sql.DB, expression, charset string) row.Value {
	t.Helper()
	var out []byte
	var back bool
	converted := fmt.Sprintf("CONVERT(%s USING %s)", expression, charset)
	query := fmt.Sprintf("SELECT CAST(%s AS BINARY), CONVERT(%s USING utf8mb4) = CONVERT(%s USING utf8mb4) COLLATE utf8mb4_bin", converted, converted, expression)
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&out, &back), query)
	if !back {
		return nil
	}
	return out
}

// What is quoted as ASCII must be ASCII on every server, in every such set.
func TestCharsets_ASCIICompatible(t *testing.T) {
	everyServer(t, func(t *testing.T, _ *testdb.Server, db *sql.DB, _ string) {
		rows, err := db.QueryContext(t.Context(), "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS")
		require.NoError(t, err)
		defer func() { _ = rows.Close() }()
		var names []string
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name))
			names = append(names, name)
		}
		require.NoError(t, rows.Err())
		ascii := make([]byte, 128)
		for i := range ascii {
			ascii[i] = byte(i)
		}
		quoted := 0
		for _, name := range names {
			c := table.Column{Type: table.TypeText, Charset: name}
			text := string(dialect.AppendLiteral(nil, c, ascii, c))
			if !strings.HasPrefix(text, "'") {
				continue
			}
			quoted++
			var same []byte
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT CAST(CONVERT("+text+" USING "+name+") AS BINARY)").Scan(&same))
			require.Equal(t, ascii, same, name)
		}
		require.Greater(t, quoted, 20)
	})
}

func FuzzLiteral_ReadsBackAsTheSameBytes(f *testing.F) {
	for _, s := range samples() {
		for _, v := range s.values {
			if len(v) < 100 {
				f.Add([]byte(v))
			}
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, v []byte) {
		for _, c := range []table.Column{{Type: table.TypeText, Charset: "utf8mb4"}, {Type: table.TypeBinary}} {
			text := dialect.AppendLiteral(nil, c, v, c)
			require.Equal(t, string(v), unquoteLiteral(t, string(text)))
		}
	})
}

// unquoteLiteral reads a literal as a server's lexer does.
func unquoteLiteral(t *testing.T, text string) string {
	t.Helper()
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		out, err := hex.DecodeString(digits)
		require.NoError(t, err)
		return string(out)
	}
	require.True(t, len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'', text)
	var out strings.Builder
	for body := text[1 : len(text)-1]; body != ""; body = body[1:] {
		switch {
		case strings.HasPrefix(body, "''"):
			body = body[1:]
		case strings.HasPrefix(body, `\0`):
			out.WriteByte(0)
			body = body[1:]
			continue
		case strings.HasPrefix(body, `\\`):
			body = body[1:]
		default:
			require.NotContains(t, `'\`, body[:1], text)
		}
		out.WriteByte(body[0])
	}
	return out.String()
}
