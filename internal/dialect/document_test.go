package dialect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

var jsonColumn = table.Column{Name: "c", Type: table.TypeJSON}

func TestDocument_PlainTextUnlessANumberNeedsMore(t *testing.T) {
	for document, want := range map[string]string{
		`{"a": [1, -5, 1.5, 18446744073709551615, 1e15, 100.0, -0.0]}`: "",
		`["0.30000000000000004", "\"", "-0"]`:                          "",
		`0.30000000000000004`:                                          `CAST(0.30000000000000004e0 AS JSON)`,
		`1e-17`:                                                        "",
		`5e-324`:                                                       `CAST(5e-324 AS JSON)`,
		`-0`:                                                           `CAST(-0e0 AS JSON)`,
		`12.340`:                                                       `CAST(12.340 AS JSON)`,
		`99999999999999999999`:                                         `CAST(99999999999999999999 AS JSON)`,
		`[1.10, 5, 2.5, "x", null, {"k": [1]}]`:                        `JSON_ARRAY(1.10,5,2.5e0,CAST('"x"' AS JSON),CAST('null' AS JSON),CAST('{"k": [1]}' AS JSON))`,
		`{"q\"'\u0001": {"": -7.00}}`:                                  "JSON_OBJECT('q\"''\x01',JSON_OBJECT('',-7.00))",
	} {
		if want == "" {
			want = string(appendQuoted(nil, []byte(document)))
		}
		require.Equal(t, want, string(AppendLiteral(nil, jsonColumn, row.Value(document), jsonColumn)), document)
	}
	text := table.Column{Name: "c", Type: table.TypeText, Charset: "utf8mb4"}
	require.Equal(t, `'12.340'`, string(AppendLiteral(nil, text, row.Value(`12.340`), jsonColumn)), "MariaDB keeps the text")
	require.Equal(t, `'[1.10, '`, string(AppendLiteral(nil, jsonColumn, row.Value(`[1.10, `), jsonColumn)), "no document")
}

// The parsers of MySQL 5.7 and 8.0 change every fifth double of 17 digits; the
// literal does not.
func TestDocument_DoublesSurviveEveryParser(t *testing.T) {
	for _, name := range []string{"mysql57", "mysql80", "mysql97"} {
		t.Run(name, func(t *testing.T) {
			s := testdb.Get(t, name)
			db := s.DB(t, s.Schema(t))
			rng := rand.New(rand.NewPCG(1, 2))
			var text []byte
			var want []float64
			for len(want) < 1500 {
				f := math.Float64frombits(rng.Uint64())
				if len(want)%2 == 0 {
					f = (rng.Float64() - 0.5) * math.Pow(10, float64(rng.IntN(40)-20))
				}
				if math.IsNaN(f) || math.IsInf(f, 0) {
					continue
				}
				if want = append(want, f); len(text) > 0 {
					text = append(text, ", "...)
				}
				text = row.AppendDocumentDouble(text, f)
			}
			document := "[" + string(text) + "]"
			_, err := db.ExecContext(t.Context(), "CREATE TABLE d (id INT PRIMARY KEY, c JSON)")
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), "INSERT INTO d VALUES (1, "+string(AppendLiteral(nil, jsonColumn, row.Value(document), jsonColumn))+"), (2, "+string(appendQuoted(nil, []byte(document)))+")")
			require.NoError(t, err)
			var got, parsed string
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT a.c, b.c FROM d a, d b WHERE a.id = 1 AND b.id = 2").Scan(&got, &parsed))
			plain := string(row.AppendPlainDoubles(nil, []byte(document)))
			require.Equal(t, plain, string(row.AppendPlainDoubles(nil, []byte(got))))
			require.Equal(t, name == "mysql97", plain == string(row.AppendPlainDoubles(nil, []byte(parsed))), "the parser alone")
		})
	}
}

func TestDocument_DecimalsKeepTheirDigits(t *testing.T) {
	for _, name := range []string{"mysql57", "mysql97"} {
		s := testdb.Get(t, name)
		db := s.DB(t, s.Schema(t))
		for _, document := range []string{`[12.340, -99999999999999999999.123456789, 99999999999999999999999, -7.00, 0.00000000000000000001]`, `12.340`} {
			literal := AppendLiteral(nil, jsonColumn, row.Value(document), jsonColumn)
			var got string
			require.NoError(t, db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT CAST(CAST(%s AS JSON) AS CHAR)", literal)).Scan(&got))
			require.Equal(t, document, got, name)
		}
	}
}
