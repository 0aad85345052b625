package mysqlconn_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func f32(f float32) string {
	return string(binary.BigEndian.AppendUint32(nil, math.Float32bits(f)))
}

func f64(f float64) string {
	return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
}

// value is a column with two values: SQL text and canonical bytes of each.
type value struct {
	column       string
	sql1, bytes1 string
	sql2, bytes2 string
}

func values() []value {
	set64 := "'" + strings.Join(func() (l []string) {
		for i := range 64 {
			l = append(l, "e"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		}
		return l
	}(), "','") + "'"
	return []value{
		{"TINYINT", "-128", "-128", "127", "127"},
		{"TINYINT UNSIGNED", "128", "128", "255", "255"},
		{"SMALLINT UNSIGNED", "0", "0", "65535", "65535"},
		{"MEDIUMINT", "-8388608", "-8388608", "8388607", "8388607"},
		{"MEDIUMINT UNSIGNED", "8388608", "8388608", "16777215", "16777215"},
		{"INT UNSIGNED ZEROFILL", "5", "5", "4000000000", "4000000000"},
		{"BIGINT", "-9223372036854775808", "-9223372036854775808", "9223372036854775807", "9223372036854775807"},
		{"BIGINT UNSIGNED", "9223372036854775808", "9223372036854775808", "18446744073709551615", "18446744073709551615"},
		{"DECIMAL(10,2)", "-1.5", "-1.50", "0.05", "0.05"},
		{"DECIMAL(12,3) ZEROFILL", "1.5", "1.500", "0", "0.000"},
		{"DECIMAL(65,30)", "12345678901234567890123456789012345.123456789012345678901234567891", "12345678901234567890123456789012345.123456789012345678901234567891", "0", "0.000000000000000000000000000000"},
		{"FLOAT", "16777217", f32(16777216), "0.1", f32(0.1)},
		{"DOUBLE", "0.1", f64(0.1), "1.7976931348623157e308", f64(math.MaxFloat64)},
		{"BIT(1)", "b'1'", "\x01", "b'0'", "\x00"},
		{"BIT(17)", "b'10000000011111111'", "\x01\x00\xff", "b'1'", "\x00\x00\x01"},
		{"BIT(64)", "b'1111111111111111111111111111111111111111111111111111111111111111'", "\xff\xff\xff\xff\xff\xff\xff\xff", "b'0'", "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"YEAR", "0", "0000", "2155", "2155"},
		{"DATE", "'0000-00-00'", "0000-00-00", "'2024-02-29'", "2024-02-29"},
		{"DATE", "'2024-00-10'", "2024-00-10", "'9999-12-31'", "9999-12-31"},
		{"TIME", "'-838:59:59'", "-838:59:59", "'00:00:00'", "00:00:00"},
		{"DATETIME", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00", "'1000-01-01 00:00:01'", "1000-01-01 00:00:01"},
		{"TIMESTAMP NULL", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00", "'2038-01-19 03:14:07'", "2038-01-19 03:14:07"},
		{"CHAR(5) CHARACTER SET latin1", "x'61C3A9'", "a\xc3\xa9", "'b  '", "b"},
		{"VARCHAR(20) CHARACTER SET utf8mb4", "_utf8mb4 x'F09F9880'", "\xf0\x9f\x98\x80", "'x  '", "x  "},
		{"VARCHAR(20) CHARACTER SET ucs2", "_ucs2 x'00E4'", "\x00\xe4", "''", ""},
		{"TEXT CHARACTER SET gbk", "_gbk x'B0A1'", "\xb0\xa1", "''", ""},
		{"BINARY(4)", "x'6100'", "a\x00\x00\x00", "''", "\x00\x00\x00\x00"},
		{"VARBINARY(9)", "x'0061'", "\x00a", "''", ""},
		{"BLOB", "x'00FF27'", "\x00\xff'", "''", ""},
		{"ENUM('a','b','ö')", "'ö'", "3", "''", "0"},
		{"SET(" + set64 + ")", "18446744073709551615", "18446744073709551615", "9007199254740993", "9007199254740993"},
		{"GEOMETRY", mysqlPoint, "\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40", mysqlPoint, "\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40"},
	}
}

const mysqlPoint = "POINT(1, 2)"

// fractions exist from MySQL 5.6 and in MariaDB.
func fractions() []value {
	return []value{
		{"TIME(6)", "'-838:59:58.000001'", "-838:59:58.000001", "'838:59:59.000000'", "838:59:59.000000"},
		{"TIME(2)", "'-00:00:00.5'", "-00:00:00.50", "0", "00:00:00.00"},
		{"DATETIME(3)", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00.000", "'9999-12-31 23:59:59.999'", "9999-12-31 23:59:59.999"},
		{"TIMESTAMP(1) NULL", "'1970-01-01 00:00:01.1'", "1970-01-01 00:00:01.1", "'2000-01-01'", "2000-01-01 00:00:00.0"},
	}
}

func documents(name string) []value {
	if name != "mysql57" && name != "mysql80" && name != "mysql97" {
		return nil
	}
	number := "1.0"
	if name == "mysql57" {
		number = "1" // how 5.7 prints a double without a fraction
	}
	return []value{{"JSON", `'{"b": 1, "a": [1.0, "ä", null]}'`, `{"a": [` + number + `, "ä", null], "b": 1}`, "'1'", "1"}}
}

func TestReadRows_CanonicalValuesOfEveryType(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		columns := values()
		if s.Name != "mysql55" {
			columns = append(columns, fractions()...)
		}
		if s.Name == "mysql97" {
			columns = append(columns, value{"VECTOR(2)", "x'0000803F00000040'", "\x00\x00\x80\x3f\x00\x00\x00\x40", "x'0000803F00000040'", "\x00\x00\x80\x3f\x00\x00\x00\x40"})
		}
		columns = append(columns, documents(s.Name)...)
		ddl, first, second := []string{"id INT PRIMARY KEY"}, []string{"1"}, []string{"2"}
		want := []row.Row{{row.Value("1")}, {row.Value("2")}, {row.Value("3")}}
		for i, v := range columns {
			null := " NULL"
			if strings.HasSuffix(v.column, "NULL") {
				null = ""
			}
			ddl = append(ddl, "c"+string(rune('a'+i/26))+string(rune('a'+i%26))+" "+v.column+null)
			first, second = append(first, v.sql1), append(second, v.sql2)
			want[0], want[1], want[2] = append(want[0], row.Value(v.bytes1)), append(want[1], row.Value(v.bytes2)), append(want[2], nil)
		}
		schema := s.Schema(t)
		c := config(s)
		c.Schema = schema
		c.Session = append(c.Session, mysqlconn.Setting{Name: "sql_mode", Value: "''"})
		db := open(t, c)
		ctx := t.Context()
		for _, statement := range []string{
			"CREATE TABLE v (" + strings.Join(ddl, ", ") + ") ENGINE=InnoDB",
			"INSERT INTO v VALUES (" + strings.Join(first, ", ") + ")",
			"INSERT INTO v VALUES (" + strings.Join(second, ", ") + ")",
			"INSERT INTO v (id) VALUES (3)",
		} {
			_, err := db.ExecContext(ctx, statement)
			require.NoError(t, err, statement)
		}
		tables, err := mysqlconn.Catalogue(ctx, db, schema, []string{"v"})
		require.NoError(t, err)
		require.Len(t, tables, 1)
		var list []string
		for _, c := range tables[0].Columns {
			list = append(list, mysqlconn.SelectExpr(c))
		}
		var got []row.Row
		err = mysqlconn.ReadRows(ctx, db, "SELECT "+strings.Join(list, ", ")+" FROM v ORDER BY id", tables[0].Columns, func(r row.Row) error {
			got = append(got, r.Clone())
			return nil
		})
		require.NoError(t, err)
		require.Len(t, got, 3)
		for i := range want {
			for c := range want[i] {
				require.Equal(t, want[i][c], got[i][c], "row %d, %s", i+1, tables[0].Columns[c].SQLType)
			}
		}
	})
}

func TestReadRows_ErrorOfTheCallerEndsTheRead(t *testing.T) {
	db := open(t, config(testdb.Get(t, "mysql97")))
	column := table.Column{Name: "n", Type: table.TypeInt, Bits: 64}
	stop := errors.New("enough")
	query := "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 900) SELECT a.n FROM r a, r b, r c"
	rows := 0
	err := mysqlconn.ReadRows(t.Context(), db, query, []table.Column{column}, func(row.Row) error {
		if rows++; rows == 10 {
			return stop
		}
		return nil
	})
	require.ErrorIs(t, err, stop)
	require.Equal(t, 10, rows)
	require.NoError(t, db.PingContext(t.Context()))

	err = mysqlconn.ReadRows(t.Context(), db, "SELECT 1, 2", []table.Column{column}, func(row.Row) error { return nil })
	require.ErrorContains(t, err, "2 columns instead of 1")
	err = mysqlconn.ReadRows(t.Context(), db, "SELECT n FROM mysql.nothing", []table.Column{column}, func(row.Row) error { return nil })
	require.Equal(t, uint16(1146), mysqlconn.Number(err))
}

func TestCatalogue_ReadsColumnsAndKeys(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		schema := s.Schema(t)
		db := s.DB(t, schema)
		_, err := db.ExecContext(t.Context(), "CREATE TABLE parent (a INT, b INT, PRIMARY KEY (b, a)) ENGINE=InnoDB; "+
			"CREATE TABLE child (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, pb INT NOT NULL DEFAULT 3, pa INT, name VARCHAR(99) CHARACTER SET utf8 COLLATE utf8_general_ci, "+
			"e ENUM('it''s','back\\\\slash','ä') CHARACTER SET latin1, PRIMARY KEY (id), UNIQUE KEY n (name(7), pa), KEY f (pb, pa), "+
			"CONSTRAINT fk FOREIGN KEY (pb, pa) REFERENCES parent (b, a) ON DELETE CASCADE) ENGINE=InnoDB; CREATE VIEW w AS SELECT 1")
		require.NoError(t, err)
		tables, err := mysqlconn.Catalogue(t.Context(), open(t, config(s)), schema, nil)
		require.NoError(t, err)
		require.Len(t, tables, 2)
		child, parent := tables[0], tables[1]
		require.Equal(t, table.Name{Schema: schema, Table: "child"}, child.Name)
		require.Equal(t, []int{1, 0}, parent.Primary().Columns())
		require.Equal(t, []table.Key{
			{Name: "PRIMARY", Unique: true, Parts: []table.KeyPart{{Column: 0}}},
			{Name: "f", Parts: []table.KeyPart{{Column: 1}, {Column: 2}}},
			{Name: "n", Unique: true, Parts: []table.KeyPart{{Column: 3, Prefix: 7}, {Column: 2}}},
		}, child.Keys)
		require.Len(t, child.ForeignKeys, 1)
		require.Equal(t, table.Name{Schema: schema, Table: "parent"}, child.ForeignKeys[0].Referenced)
		require.Equal(t, "CASCADE", child.ForeignKeys[0].OnDelete)
		require.Equal(t, []string{"it's", `back\slash`, "ä"}, child.Columns[4].Labels)
		require.Equal(t, "utf8_general_ci", child.Columns[3].Collation)
		require.True(t, child.Columns[0].AutoIncrement)
		require.False(t, child.Columns[0].Nullable)
		require.True(t, child.Columns[1].HasDefault)
		require.False(t, child.Columns[2].HasDefault)
		require.True(t, child.Transactional())
		require.GreaterOrEqual(t, child.Rows, int64(0))
	})
}

func TestCatalogue_HiddenAndGeneratedColumns(t *testing.T) {
	for _, name := range []string{"mysql57", "mysql97", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			s := testdb.Get(t, name)
			schema := s.Schema(t)
			db := s.DB(t, schema)
			_, err := db.ExecContext(t.Context(), "CREATE TABLE g (a INT PRIMARY KEY, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED)")
			require.NoError(t, err)
			if name == "mysql97" {
				_, err = db.ExecContext(t.Context(), "SET sql_generate_invisible_primary_key = ON; CREATE TABLE h (a INT, i INT INVISIBLE DEFAULT 4, u VARCHAR(9), UNIQUE KEY x ((LOWER(u))))")
				require.NoError(t, err)
			}
			tables, err := mysqlconn.Catalogue(t.Context(), open(t, config(s)), schema, nil)
			require.NoError(t, err)
			require.Equal(t, []table.Generated{table.NotGenerated, table.GeneratedVirtual, table.GeneratedStored},
				[]table.Generated{tables[0].Columns[0].Generated, tables[0].Columns[1].Generated, tables[0].Columns[2].Generated})
			if name == "mysql97" {
				require.Equal(t, "my_row_id", tables[1].Columns[0].Name)
				require.Equal(t, []int{0}, tables[1].Primary().Columns())
				require.True(t, tables[1].Columns[0].Invisible)
				require.True(t, tables[1].Columns[2].Invisible)
				require.Equal(t, -1, tables[1].SecondaryUnique()[0].Parts[0].Column)
			}
		})
	}
}
