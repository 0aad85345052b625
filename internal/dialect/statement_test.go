package dialect_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func r(values ...string) row.Row {
	out := make(row.Row, len(values))
	for i, v := range values {
		if v != "NULL" {
			out[i] = row.Value(v)
		}
	}
	return out
}

// orders is a table whose shard key is not its primary key.
func orders(t *testing.T, schema string, p table.Placement) *dialect.Mapping {
	t.Helper()
	o := &table.Table{
		Name: table.Name{Schema: schema, Table: "orders"},
		Columns: []table.Column{
			{Name: "id", Type: table.TypeInt},
			{Name: "k", Type: table.TypeInt, Nullable: true},
			{Name: "v`x", Type: table.TypeText, Charset: "utf8mb4", Nullable: true},
		},
		Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}},
	}
	m, err := dialect.NewMapping(o, o, p)
	require.NoError(t, err)
	return m
}

func shardedBy(column string) table.Placement {
	return table.Placement{Kind: table.Sharded, Shards: 8, Database: table.Rule{Algorithm: "MOD_HASH", Column: column, Count: 8}}
}

func sqlOf(statements []dialect.Statement) []string {
	var out []string
	for _, s := range statements {
		out = append(out, s.SQL)
	}
	return out
}

func TestStatements_Text(t *testing.T) {
	m := orders(t, "s", shardedBy("k"))
	plain := orders(t, "s", table.Placement{Kind: table.Single})
	d := dialect.New(dialect.DDM, dialect.Default(dialect.DDM))
	rows := []row.Row{r("1", "7", "a"), r("2", "7", "NULL")}
	require.Equal(t, []dialect.Statement{{SQL: "INSERT INTO `s`.`orders` (`id`,`k`,`v``x`) VALUES (1,7,'a'),(2,7,NULL)", Rows: 2}}, d.Insert(m, rows))
	require.Equal(t, []dialect.Statement{{SQL: "REPLACE INTO `s`.`orders` (`id`,`k`,`v``x`) VALUES (1,7,'a'),(2,7,NULL)", Rows: 2}}, d.Replace(m, rows))
	require.Equal(t, []string{"INSERT INTO `s`.`orders` (`id`,`k`,`v``x`) VALUES (1,7,'a') ON DUPLICATE KEY UPDATE `v``x`=VALUES(`v``x`)"}, sqlOf(d.Upsert(m, rows[:1])), "never the shard key")
	require.Equal(t, []string{"INSERT INTO `s`.`orders` (`id`,`k`,`v``x`) VALUES (1,7,'a') AS new ON DUPLICATE KEY UPDATE `k`=new.`k`,`v``x`=new.`v``x`"},
		sqlOf(dialect.New(dialect.MySQL, dialect.Features{RowAlias: true}).Upsert(plain, rows[:1])))
	require.Equal(t, []dialect.Statement{{SQL: "DELETE FROM `s`.`orders` WHERE `k` = 7 AND `id` IN (1,2)", Rows: 2}}, d.Delete(m, rows))
	require.Equal(t, []string{"DELETE FROM `s`.`orders` WHERE `id` IN (1,2)"}, sqlOf(d.Delete(plain, rows)))
	require.Equal(t, []string{"DELETE FROM `s`.`orders` WHERE `k` IN (7,8) AND ((`k` = 7 AND `id` IN (1,2)) OR (`k` = 8 AND `id` IN (3)))"},
		sqlOf(d.Delete(m, append(rows, r("3", "8", "c")))))
	require.Equal(t, []string{"DELETE FROM `s`.`orders` WHERE (`k` = 7 AND `id` IN (1)) OR (`k` IS NULL AND `id` IN (3))"},
		sqlOf(d.Delete(m, []row.Row{rows[0], r("3", "NULL", "c")})))
	require.Equal(t, "TRUNCATE TABLE `s`.`orders`", d.Truncate(m).SQL)
	require.Equal(t, "DELETE FROM `s`.`orders`", d.DeleteRange(m, table.KeyRange{}).SQL)
	require.Equal(t, "DELETE FROM `s`.`orders` WHERE (`id` > 5) AND (`id` <= 9)", d.DeleteRange(m, table.KeyRange{Lower: [][]byte{[]byte("5")}, Upper: [][]byte{[]byte("9")}}).SQL)
	require.Equal(t, []string{
		"DELETE FROM `s`.`orders` WHERE `k` = 7 AND `id` IN (1)", "DELETE FROM `s`.`orders` WHERE `id` IN (1)",
		"INSERT INTO `s`.`orders` (`id`,`k`,`v``x`) VALUES (1,7,'a')",
	}, sqlOf(dialect.New(dialect.Vitess, dialect.Default(dialect.Vitess)).Replace(m, rows[:1])), "where REPLACE is refused")
	require.Empty(t, d.Insert(m, nil))
	require.Empty(t, d.Delete(m, nil))
}

func TestRangeCondition_IsTheORFormOnWholeKeys(t *testing.T) {
	o := &table.Table{Columns: []table.Column{{Name: "a", Type: table.TypeInt}, {Name: "b", Type: table.TypeText, Charset: "latin1", Collation: "latin1_bin"}}}
	text := func(low, high [][]byte) string {
		return string(dialect.RangeCondition(nil, o, []int{0, 1}, table.KeyRange{Lower: low, Upper: high}))
	}
	require.Equal(t, "(`a` > 1 OR (`a` = 1 AND `b` > _latin1 0xe9 COLLATE latin1_bin))", text([][]byte{[]byte("1"), {0xe9}}, nil))
	require.Equal(t, "(`a` < 2 OR (`a` = 2 AND `b` <= 'x'))", text(nil, [][]byte{[]byte("2"), []byte("x")}))
	require.Equal(t, "(`a` > 1 OR (`a` = 1 AND `b` > '')) AND (`a` < 2 OR (`a` = 2 AND `b` <= 'x'))", text([][]byte{[]byte("1"), {}}, [][]byte{[]byte("2"), []byte("x")}))
	require.Empty(t, text(nil, nil))
}

// No statement exceeds the limits, and together they hold every row once.
func TestStatements_StayWithinTheLimits(t *testing.T) {
	m := orders(t, "s", shardedBy("k"))
	d := dialect.New(dialect.DDM, dialect.Features{MaxStatementBytes: 4000, MaxFactors: 100, Replace: true})
	var rows []row.Row
	for i := range 3000 {
		rows = append(rows, r(strconv.Itoa(i), strconv.Itoa(i%7), strings.Repeat("x", i%90)))
	}
	rows = append(rows, r("3000", "1", strings.Repeat("y", 9000)))
	for name, statements := range map[string][]dialect.Statement{
		"insert": d.Insert(m, rows), "replace": d.Replace(m, rows), "upsert": d.Upsert(m, rows), "delete": d.Delete(m, rows),
		"delete by one column": d.Delete(orders(t, "s", shardedBy("id")), rows),
	} {
		total := 0
		for _, s := range statements {
			total += s.Rows
			require.True(t, len(s.SQL) <= 4000 || s.Rows == 1, name)
			require.NotContains(t, s.SQL, "--", name)
			require.NotContains(t, s.SQL, "/*", name)
			if strings.HasPrefix(s.SQL, "DELETE") {
				require.LessOrEqual(t, factors(s.SQL), 100, s.SQL)
			}
		}
		require.Equal(t, len(rows), total, name)
		require.Greater(t, len(statements), 20, name)
	}
}

// factors counts columns and scalars of a condition.
func factors(statement string) int {
	_, condition, _ := strings.Cut(statement, " WHERE ")
	condition = strings.ReplaceAll(condition, "IS NULL", "= NULL")
	n := 0
	for _, token := range strings.FieldsFunc(condition, func(c rune) bool { return strings.ContainsRune(" (),=", c) }) {
		if token != "AND" && token != "OR" && token != "IN" {
			n++
		}
	}
	return n
}

// A delete removes exactly the identities it names: among rows with every
// combination of key and shard key, NULL included, no other one disappears.
func TestDelete_RemovesExactlyTheIdentities(t *testing.T) {
	everyServer(t, func(t *testing.T, _ *testdb.Server, db *sql.DB, schema string) {
		exec(t, db, "CREATE TABLE orders (id INT NOT NULL, k INT, `v``x` TEXT)") // no key: rows of several shards in one
		m := orders(t, schema, shardedBy("k"))
		rng := rand.New(rand.NewPCG(3, 5))
		d := dialect.New(dialect.DDM, dialect.Features{MaxFactors: 30, Replace: true})
		for range 15 {
			exec(t, db, "DELETE FROM orders")
			var all, doomed []row.Row
			for id := range 12 {
				for _, k := range []string{"NULL", "0", "1", "2"} {
					one := r(strconv.Itoa(id), k, "x")
					all = append(all, one)
					if rng.IntN(4) == 0 {
						doomed = append(doomed, one)
					}
				}
			}
			for _, s := range d.Insert(m, all) {
				exec(t, db, s.SQL)
			}
			removed := 0
			for _, s := range d.Delete(m, doomed) {
				result, err := db.ExecContext(t.Context(), s.SQL)
				require.NoError(t, err)
				n, err := result.RowsAffected()
				require.NoError(t, err)
				require.Equal(t, int64(s.Rows), n, s.SQL)
				removed += s.Rows
			}
			require.Equal(t, len(doomed), removed)
			require.Len(t, read(t, db, "orders", table.Column{Name: "id", Type: table.TypeInt}, ""), len(all)-len(doomed))
		}
	})
}

// Insert, upsert and replace count as strict mode expects: 1, 2 and 2 a row.
func TestStatements_CountAsStrictModeExpects(t *testing.T) {
	everyServer(t, func(t *testing.T, _ *testdb.Server, db *sql.DB, schema string) {
		exec(t, db, "CREATE TABLE orders (id INT PRIMARY KEY, k INT, `v``x` TEXT)")
		m := orders(t, schema, table.Placement{Kind: table.Single})
		d := dialect.New(dialect.MySQL, dialect.Features{Replace: true})
		run := func(statements []dialect.Statement) (affected int64) {
			for _, s := range statements {
				result, err := db.ExecContext(t.Context(), s.SQL)
				require.NoError(t, err)
				n, err := result.RowsAffected()
				require.NoError(t, err)
				affected += n
			}
			return affected
		}
		var before, after []row.Row
		for i := range 50 {
			before = append(before, r(strconv.Itoa(i), "1", "a"))
			after = append(after, r(strconv.Itoa(i), "1", "b'\\"))
		}
		require.EqualValues(t, 50, run(d.Insert(m, before)))
		require.EqualValues(t, 100, run(d.Upsert(m, after)))
		require.EqualValues(t, 0, run(d.Upsert(m, after)))
		require.EqualValues(t, 100, run(d.Replace(m, before)))
		require.EqualValues(t, 50, run(d.Delete(m, after)))
	})
}

// A range condition takes exactly the rows that the server orders between its
// bounds, on source and destination, and reads no others.
func TestRangeCondition_CutsTheTableOnEveryServer(t *testing.T) {
	everyServer(t, func(t *testing.T, _ *testdb.Server, db *sql.DB, schema string) {
		exec(t, db, "CREATE TABLE c (a INT UNSIGNED, b VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci, c VARBINARY(5), id INT, PRIMARY KEY (a,b,c)) ENGINE=InnoDB")
		o := &table.Table{
			Name: table.Name{Schema: schema, Table: "c"},
			Columns: []table.Column{
				{Name: "a", Type: table.TypeInt, Unsigned: true},
				{Name: "b", Type: table.TypeText, Charset: "latin1", Collation: "latin1_swedish_ci"},
				{Name: "c", Type: table.TypeBinary},
				{Name: "id", Type: table.TypeInt, Nullable: true},
			},
			Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}, {Column: 1}, {Column: 2}}}},
		}
		m, err := dialect.NewMapping(o, o, table.Placement{Kind: table.Single})
		require.NoError(t, err)
		fillKeys(t, db, m)
		var keys []row.Row
		require.NoError(t, readKeys(t, db, &keys, "SELECT a, b, c, id FROM c ORDER BY a, b, c"))
		exec(t, db, "ANALYZE TABLE c")
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		for i := 0; i+60 < len(keys); i += 37 {
			span := table.KeyRange{Lower: bound(keys[i]), Upper: bound(keys[i+60])}
			condition := string(m.RangeCondition(nil, span))
			require.Equal(t, condition, string(dialect.RangeCondition(nil, o, []int{0, 1, 2}, span)))
			var got []row.Row
			before := rowsTouched(t, conn)
			require.NoError(t, readKeys(t, conn, &got, "SELECT a, b, c, id FROM c WHERE "+condition+" ORDER BY a, b, c"))
			require.Equal(t, keys[i+1:i+61], got, condition)
			require.Less(t, rowsTouched(t, conn)-before, 80, condition)
		}
	})
}

func bound(r row.Row) [][]byte { return [][]byte{r[0], r[1], r[2]} }

func fillKeys(t *testing.T, db *sql.DB, m *dialect.Mapping) {
	t.Helper()
	var rows []row.Row
	for i := range 600 {
		text := []string{"a", "B", "\xe9", "e", "'\\", "z\xff", ""}[i%7] + strconv.Itoa(i%11)
		rows = append(rows, row.Row{row.Value(strconv.Itoa(4294967290 + i%3)), row.Value(text), row.Value(fmt.Sprintf("%c%c", i%256, i/256)), row.Value(strconv.Itoa(i))})
	}
	for _, s := range dialect.New(dialect.MySQL, dialect.Features{}).Insert(m, slices.Clone(rows)) {
		exec(t, db, s.SQL)
	}
}

func TestKeyConditions_NameRowsByPrimaryKeyOnly(t *testing.T) {
	m := orders(t, "s", shardedBy("k"))
	d := dialect.New(dialect.DDM, dialect.Features{MaxFactors: 4})
	rows := []row.Row{r("1", "7", "a"), r("2", "8", "NULL"), r("3", "9", "NULL")}
	require.Equal(t, []string{"`id` IN (1,2,3)"}, d.KeyConditions(m, rows))
	require.Equal(t, []string{"(`id` = 1 AND `k` IN (7)) OR (`id` = 2 AND `k` IN (8))", "`id` = 3 AND `k` IN (9)"},
		dialect.KeyConditions(m.Source, []int{0, 1}, rows, 10))
}
