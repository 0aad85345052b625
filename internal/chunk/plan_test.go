package chunk

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// TestRule3_RangesPartitionTheRows reads each table range by range and meets
// each row exactly once, for every kind of key the servers order themselves.
func TestRule3_RangesPartitionTheRows(t *testing.T) {
	text := func(collation string) string {
		return "(k VARCHAR(20) COLLATE " + collation + " NOT NULL, n INT NOT NULL, PRIMARY KEY (k, n))"
	}
	words := []string{"'a'", "'A'", "'ä'", "'Ä'", "'a '", "'b'", "'ß'", "'ss'", "'z'", "''", "'o''c'", "'\\\\'", "'%'"}
	pairs := func() (out []string) {
		for i, w := range words {
			for n := range 3 {
				out = append(out, fmt.Sprintf("%s, %d", w, i*3+n))
			}
		}
		return out
	}
	numbers := func(format string, n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf(format, i))
		}
		return out
	}
	for _, name := range []string{"mysql97", "mysql55", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			server := testdb.Get(t, name)
			schema := server.Schema(t)
			db := server.DB(t, schema)
			src, err := source.Open(t.Context(), mysqlconn.Config{
				Host: server.Host, Port: server.Port, User: server.User, Password: secret.NewText(server.Password), TLS: mysqlconn.TLS{Mode: "disabled"},
			}, 2)
			require.NoError(t, err)
			defer func() { require.NoError(t, src.Close()) }()
			for _, c := range []struct {
				name, create string
				rows         []string
			}{
				{"ci", text("utf8_general_ci"), pairs()},
				{"bin", text("utf8_bin"), pairs()},
				{"latin", text("latin1_swedish_ci"), pairs()},
				{"ucs2", text("ucs2_general_ci"), pairs()},
				{"gbk", text("gbk_chinese_ci"), pairs()},
				{"unicode", text("utf8mb4_unicode_ci"), pairs()},
				{"own", text(map[string]string{"mysql97": "utf8mb4_0900_ai_ci", "mysql55": "utf8mb4_swedish_ci", "mariadb": "utf8mb4_nopad_bin"}[name]), pairs()},
				{"nums", "(k BIGINT UNSIGNED NOT NULL PRIMARY KEY)", append(numbers("%d * 7", 50), "18446744073709551615", "9223372036854775808")},
				{"negative", "(k INT NOT NULL PRIMARY KEY)", numbers("%d - 20", 41)},
				{"bits", "(k BIT(12) NOT NULL PRIMARY KEY)", numbers("%d * 90", 40)},
				{"decimals", "(k DECIMAL(20,6) NOT NULL PRIMARY KEY)", numbers("%d / 7 - 2", 40)},
				{"times", "(k DATETIME NOT NULL, d DATE NOT NULL, PRIMARY KEY (d, k))", numbers("'2024-01-01 00:00:00' + INTERVAL %d * 7 HOUR, '2024-02-01'", 30)},
				{"binary_", "(k VARBINARY(9) NOT NULL PRIMARY KEY)", numbers("UNHEX(LPAD(HEX(%d * 37), 6, '0'))", 60)},
				{"fixed", "(k BINARY(4) NOT NULL PRIMARY KEY)", numbers("UNHEX(CONCAT(LPAD(HEX(%d), 2, '0'), '00'))", 60)},
				{"enums", "(k ENUM('z','a','m') NOT NULL, n INT NOT NULL, PRIMARY KEY (k, n))", numbers("1 + %[1]d %% 3, %[1]d", 30)},
				{"nothing", "(k INT NOT NULL PRIMARY KEY)", nil},
			} {
				t.Run(c.name, func(t *testing.T) {
					fill(t, db, c.name, c.create, c.rows)
					definition, err := src.Table(t.Context(), table.Name{Schema: schema, Table: c.name})
					require.NoError(t, err)
					for _, size := range []int64{1, 7, 1000} {
						seen, ranges := map[string]int{}, 0
						var last *table.KeyRange
						stopAt := errors.New("interrupted")
						emit := func(r table.KeyRange, _ int64) error {
							ranges++
							if last == nil {
								require.Nil(t, r.Lower)
							} else {
								require.Equal(t, last.Upper, r.Lower)
							}
							last = &r
							require.NoError(t, src.ReadRange(t.Context(), definition, r, func(found row.Row) error {
								seen[hex.EncodeToString(found.AppendKey(nil, definition.Primary().Columns()))]++
								return nil
							}))
							if ranges == 2 {
								return stopAt
							}
							return nil
						}
						err := Plan(t.Context(), src, definition, nil, Budget{Rows: size}, emit)
						if errors.Is(err, stopAt) {
							err = Plan(t.Context(), src, definition, last, Budget{Rows: size}, emit)
						}
						require.NoError(t, err)
						require.NotNil(t, last)
						require.Nil(t, last.Upper)
						var count int
						require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+c.name).Scan(&count))
						require.Len(t, seen, count)
						for _, times := range seen {
							require.Equal(t, 1, times)
						}
						require.GreaterOrEqual(t, int64(ranges), int64(count)/size)
					}
				})
			}
		})
	}
}

// fill inserts what the collation lets in.
func fill(t *testing.T, db *sql.DB, name, create string, rows []string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "CREATE TABLE "+name+" "+create)
	require.NoError(t, err)
	for _, r := range rows {
		_, err := db.ExecContext(t.Context(), "INSERT IGNORE INTO "+name+" VALUES ("+r+")")
		require.NoError(t, err, r)
	}
}

func TestPlan_RefusesATableWithoutPrimaryKey(t *testing.T) {
	err := Plan(t.Context(), nil, &table.Table{Name: table.Name{Schema: "s", Table: "t"}}, nil, Budget{}, nil)
	require.ErrorIs(t, err, fault.TableUnsupported)
}

func TestBudget_FollowsTheAverageRow(t *testing.T) {
	require.Equal(t, int64(16), Budget{}.rows(&table.Table{Rows: 1000, Bytes: 1000 << 20}))
	require.Equal(t, int64(25_000), Budget{}.rows(&table.Table{Rows: 1000, Bytes: 10_000}))
	require.Equal(t, int64(1), Budget{}.rows(&table.Table{Rows: 1, Bytes: 64 << 20}))
	require.Equal(t, int64(25_000), Budget{}.rows(&table.Table{Rows: -1, Bytes: -1}))
}
