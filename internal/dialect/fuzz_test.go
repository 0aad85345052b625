package dialect_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// fuzzColumns are columns that hold any bytes, or any after clean has made them
// a value of the column's type.
var fuzzColumns = []struct {
	definition string
	column     table.Column
	clean      func([]byte) []byte
}{
	{"varbinary(4000)", table.Column{Type: table.TypeBinary}, nil},
	{"varchar(4000) character set latin1", table.Column{Type: table.TypeText, Charset: "latin1"}, nil},
	{"varchar(4000) character set utf8mb4", table.Column{Type: table.TypeText, Charset: "utf8mb4"}, func(v []byte) []byte {
		return bytes.ToValidUTF8(v, []byte("?"))
	}},
	{"varchar(4000) character set ascii", table.Column{Type: table.TypeText, Charset: "ascii"}, func(v []byte) []byte {
		return bytes.Map(func(r rune) rune { return r & 0x7f }, bytes.ToValidUTF8(v, []byte("?")))
	}},
	{"bit(64)", table.Column{Type: table.TypeBit, Bits: 64}, func(v []byte) []byte { return fixed(v, 8) }},
	{"double", table.Column{Type: table.TypeDouble}, func(v []byte) []byte {
		v = fixed(v, 8)
		if f := math.Float64frombits(binary.BigEndian.Uint64(v)); math.IsNaN(f) || math.IsInf(f, 0) {
			clear(v)
		}
		return v
	}},
	{"float", table.Column{Type: table.TypeFloat}, func(v []byte) []byte {
		v = fixed(v, 4)
		if f := float64(math.Float32frombits(binary.BigEndian.Uint32(v))); math.IsNaN(f) || math.IsInf(f, 0) {
			clear(v)
		}
		return v
	}},
}

func fixed(v []byte, size int) []byte {
	out := make([]byte, size)
	copy(out, v)
	return out
}

// FuzzLiteral_ThroughAServer writes literals of any bytes with one INSERT of
// several rows and reads the bytes back. Texts are cut into values at each 0xfd
// 0xfe, and each value is written to every column.
func FuzzLiteral_ThroughAServer(f *testing.F) {
	cut := []byte{0xfd, 0xfe}
	var seed []byte
	for _, s := range []string{"", "a", "it's", `back\slash`, `\'`, `''`, `\`, "nul\x00byte", "\x1a\r\n\t\"`", "%_\\%", "\xe9", "\xc3\xa9", "😀\\'", "\x80\x81\x8d\x8f\x90\x9d", "\x81\\", "trail ", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x80\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x01", "?\xf0\x9f\x98"} {
		seed = append(append(seed, s...), cut...)
	}
	f.Add(seed)
	f.Add([]byte("'\\'\\\\'"))
	server := testdb.Get(f, "mysql97")
	db := server.DB(f, server.Schema(f))
	db.SetMaxOpenConns(1)
	var definitions, reads []string
	for i, c := range fuzzColumns {
		name := string(rune('a' + i))
		definitions = append(definitions, name+" "+c.definition)
		reads = append(reads, name)
	}
	for _, statement := range []string{"SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO'", "SET NAMES utf8mb4", "SET character_set_results = NULL", "CREATE TABLE t (no INT PRIMARY KEY, " + strings.Join(definitions, ", ") + ")"} {
		_, err := db.ExecContext(f.Context(), statement)
		require.NoError(f, err)
	}
	read, err := db.PrepareContext(f.Context(), "SELECT "+strings.Join(reads, ", ")+" FROM t ORDER BY no") // the binary protocol
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		var want []row.Row
		statement := []byte("INSERT INTO t VALUES ")
		for no, value := range bytes.Split(data, cut) {
			if no > 0 {
				statement = append(statement, ',')
			}
			statement = append(append(statement, '('), []byte(strconv.Itoa(no))...)
			r := row.Row{}
			for _, c := range fuzzColumns {
				v := append([]byte{}, value...)
				if c.clean != nil {
					v = c.clean(v)
				}
				statement = dialect.AppendLiteral(append(statement, ','), c.column, v, c.column)
				r = append(r, v)
			}
			statement = append(statement, ')')
			want = append(want, r)
		}
		_, err := db.ExecContext(t.Context(), string(statement))
		require.NoError(t, err, "%q", statement)
		got, err := read.QueryContext(t.Context())
		require.NoError(t, err)
		for no := 0; got.Next(); no++ {
			requireRow(t, got.Scan, want[no])
		}
		require.NoError(t, got.Err())
		require.NoError(t, got.Close())
		_, err = db.ExecContext(t.Context(), "DELETE FROM t")
		require.NoError(t, err)
	})
}

func requireRow(t *testing.T, scan func(...any) error, want row.Row) {
	t.Helper()
	var texts [5][]byte
	var double float64
	var single float32
	require.NoError(t, scan(&texts[0], &texts[1], &texts[2], &texts[3], &texts[4], &double, &single))
	for i, text := range texts {
		require.Equal(t, string(want[i]), string(text), "column %d", i)
	}
	require.Equal(t, binary.BigEndian.Uint64(want[5]), math.Float64bits(double), "double")
	require.Equal(t, binary.BigEndian.Uint32(want[6]), math.Float32bits(single), "float")
}

// TestLiteral_BytesThatAreNoTextAreHex: a quoted string is text of the
// connection's character set; other bytes in it are refused by some servers and
// changed by others.
func TestLiteral_BytesThatAreNoTextAreHex(t *testing.T) {
	for charset, values := range map[string][]string{
		"utf8mb4": {"\xe9", "\xff\xfe", "a\xc3", "\xed\xa0\x80"},
		"utf8mb3": {"\xe9"},
		"latin1":  {"\xe9", "\xc3\xa9"},
		"gbk":     {"\x81\\"},
		"ucs2":    {"\x00a"},
		"swe7":    {"a"},
	} {
		c := table.Column{Type: table.TypeText, Charset: charset}
		for _, v := range values {
			text := string(dialect.AppendLiteral(nil, c, row.Value(v), c))
			require.True(t, strings.HasPrefix(text, "0x"), "%s %q: %s", charset, v, text)
		}
	}
}
