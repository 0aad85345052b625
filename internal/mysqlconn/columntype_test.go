package mysqlconn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/table"
)

func TestParseColumnType_EveryForm(t *testing.T) {
	for _, c := range []struct {
		text, collation string
		want            table.Column
	}{
		{"int(10) unsigned", "", table.Column{Type: table.TypeInt, Bits: 32, Unsigned: true}},
		{"INT", "", table.Column{Type: table.TypeInt, Bits: 32}},
		{"mediumint(8) unsigned zerofill", "", table.Column{Type: table.TypeInt, Bits: 24, Unsigned: true}},
		{"bigint unsigned", "", table.Column{Type: table.TypeInt, Bits: 64, Unsigned: true}},
		{"decimal(10,2)", "", table.Column{Type: table.TypeDecimal, Precision: 10, Scale: 2}},
		{"decimal(65,0) unsigned", "", table.Column{Type: table.TypeDecimal, Precision: 65, Unsigned: true}},
		{"float", "", table.Column{Type: table.TypeFloat}},
		{"float(7,3)", "", table.Column{Type: table.TypeFloat, Precision: 7, Scale: 3}},
		{"double", "", table.Column{Type: table.TypeDouble}},
		{"bit(17)", "", table.Column{Type: table.TypeBit, Bits: 17}},
		{"year(4)", "", table.Column{Type: table.TypeYear}},
		{"year(2)", "", table.Column{Type: table.TypeUnknown}},
		{"time(3)", "", table.Column{Type: table.TypeTime, Fraction: 3}},
		{"datetime", "", table.Column{Type: table.TypeDateTime}},
		{"timestamp(6) /* mariadb-5.3 */", "", table.Column{Type: table.TypeTimestamp, Fraction: 6}},
		{"char(0)", "utf8mb4_0900_ai_ci", table.Column{Type: table.TypeText, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci"}},
		{"varchar(255)", "utf8mb3_general_ci", table.Column{Type: table.TypeText, Length: 255, Charset: "utf8", Collation: "utf8_general_ci"}},
		{"longtext", "binary", table.Column{Type: table.TypeText, Length: 1<<32 - 1, Charset: "binary", Collation: "binary"}},
		{"binary(16)", "", table.Column{Type: table.TypeFixedBinary, Length: 16}},
		{"varbinary(9)", "", table.Column{Type: table.TypeBinary, Length: 9}},
		{"mediumblob", "", table.Column{Type: table.TypeBinary, Length: 1<<24 - 1}},
		{`enum('a','b, (c)','it''s','back\\slash','')`, "latin1_swedish_ci", table.Column{Type: table.TypeEnum, Labels: []string{"a", "b, (c)", "it's", `back\slash`, ""}, Charset: "latin1", Collation: "latin1_swedish_ci"}},
		{"set('x','y')", "utf8_bin", table.Column{Type: table.TypeSet, Labels: []string{"x", "y"}, Charset: "utf8", Collation: "utf8_bin"}},
		{"json", "", table.Column{Type: table.TypeJSON}},
		{"point", "", table.Column{Type: table.TypeGeometry}},
		{"vector(3)", "", table.Column{Type: table.TypeVector, Length: 12}},
		{"inet6", "", table.Column{Type: table.TypeUnknown}},
		{"varchar(10) /*M!100301 COMPRESSED*/", "utf8mb4_bin", table.Column{Type: table.TypeUnknown}},
	} {
		got, err := ParseColumnType(c.text, c.collation)
		require.NoError(t, err)
		c.want.SQLType = c.text
		require.Equal(t, c.want, got, c.text)
	}
	for _, broken := range []string{"int(", "enum('a", "decimal(x,2)"} {
		_, err := ParseColumnType(broken, "")
		require.Error(t, err, broken)
	}
}

func TestVersionNumber_EveryForm(t *testing.T) {
	for text, want := range map[string]int{
		"5.7.22-log": 50722, "8.0.15": 80015, "9.7.4-0ubuntu1": 90704, "10.11.6-MariaDB-0+deb12u1": 101106,
		"5.5.5-10.11.6-MariaDB": 101106, "5.5.9": 50509, "DDM": 0, "5.7": 50700,
	} {
		require.Equal(t, want, versionNumber(text), text)
	}
}
