package fidelity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// keyCase is a table whose primary key has the given columns. Every table has a
// unique value u that may be NULL, a sharding key s and a payload v beside it.
type keyCase struct {
	name string
	key  []keyColumn
	// unique is the type of u with its values; a prefix of it is indexed.
	unique keyColumn
	prefix int
	since  int
	only   string
}

// keyColumn is a type with values as literals. The last one is never a row's
// for longer than a transaction: rows are parked there while they swap.
type keyColumn struct {
	sql    string
	hex    bool // read as HEX()
	values []string
}

// lookalikes are texts that collations take for the same in many ways: case,
// accents, width, ligatures, padding, what sorts below a space, characters
// beyond the base plane.
var lookalikes = []string{
	"'a'", "'A'", "'ä'", "'Ä'", "'á'", "'a '", "'a  '", "'a\\t'", "'a\\0'", "'a!'", "'ａ'", "'Å'", "'å'", "'b'", "'B'", "'b '", "'ß'", "'ss'", "'SS'", "'s'", "'ſ'",
	"'Æ'", "'ae'", "'AE'", "'i'", "'I'", "'ı'", "'İ'", "''", "' '", "'\\0'", "'e'", "'é'", "_utf8mb4 x'65CC81'", "'😀'", "'😁'", "'日本'", "'a.b'", "'.'", "'\\''", "'\\\\'", "'%'", "'parked'",
}

// latin are those that latin1 has.
var latin = []string{
	"'a'", "'A'", "'ä'", "'Ä'", "'á'", "'a '", "'a\\t'", "'a!'", "'Å'", "'å'", "'b'", "'B'", "'ß'", "'ss'", "'SS'", "'Æ'", "'ae'", "'é'", "'e'", "'E'", "''", "' '", "_latin1 x'818D'", "_latin1 x'8F90'", "_latin1 x'FF'", "'\\\\'", "'parked'",
}

func textKey(charset, collation string, length int, values []string) keyColumn {
	return keyColumn{fmt.Sprintf("VARCHAR(%d) CHARACTER SET %s COLLATE %s NOT NULL", length, charset, collation), true, values}
}

func plainKey(sql string, values ...string) keyColumn {
	return keyColumn{sql + " NOT NULL", false, values}
}

func hexKey(sql string, values ...string) keyColumn {
	return keyColumn{sql + " NOT NULL", true, values}
}

// counting is n numbers and a parking place.
func counting(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return append(out, fmt.Sprint(1000+n))
}

func keyCases() []keyCase {
	number := plainKey("INT", counting(6)...)
	var out []keyCase
	for _, c := range []struct {
		name, charset, collation string
		since                    int
		only                     string
	}{
		{"general", "utf8mb4", "utf8mb4_general_ci", 0, ""},
		{"unicode", "utf8mb4", "utf8mb4_unicode_ci", 0, ""},
		{"bin", "utf8mb4", "utf8mb4_bin", 0, ""},
		{"swedish", "latin1", "latin1_swedish_ci", 0, ""},
		{"german", "latin1", "latin1_german2_ci", 0, ""},
		{"ai", "utf8mb4", "utf8mb4_0900_ai_ci", 80000, "mysql"},
		{"as", "utf8mb4", "utf8mb4_0900_as_cs", 80000, "mysql"},
	} {
		values := lookalikes
		if c.charset == "latin1" {
			values = latin
		}
		text := textKey(c.charset, c.collation, 12, values)
		out = append(out,
			keyCase{name: c.name, key: []keyColumn{text}, unique: textKey(c.charset, c.collation, 12, values), prefix: 2, since: c.since, only: c.only},
			// Groups of keys that look alike, with chunk boundaries inside.
			keyCase{name: c.name + "_group", key: []keyColumn{text, number}, unique: text, since: c.since, only: c.only})
	}
	pair := func(values ...string) keyColumn { return textKey("utf8mb4", "utf8mb4_general_ci", 9, values) }
	return append(out,
		keyCase{name: "dots", key: []keyColumn{pair("'a.b'", "'a'", "'a.'", "''", "'A.b'", "'parked'"), pair("'c'", "'b.c'", "'.b.c'", "''", "'C'", "'c '")}, unique: number},
		keyCase{name: "chars", key: []keyColumn{{"CHAR(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL", true, append(slices.Clone(lookalikes[:20]), "'park'")}}, unique: number},
		keyCase{name: "varbinary", key: []keyColumn{hexKey("VARBINARY(6)", "''", "0x00", "0x0000", "0x61", "0x6100", "0x610000", "0x6120", "0x41", "0xff", "0xffff", "0x7f", "0x80", "0xC3A4", "0x7061726b")}, unique: hexKey("VARBINARY(6)", "0x61", "0x6100", "0x6101", "0x41", "''", "0xff")},
		keyCase{name: "binaries", key: []keyColumn{hexKey("BINARY(3)", "''", "0x00", "0x000001", "0x61", "0x6120", "0x612000", "0xffffff", "0x80", "0x7fff", "0x706172")}, unique: hexKey("BINARY(3)", "0x61", "0x6120", "''", "0xff")},
		keyCase{name: "unsigned", key: []keyColumn{plainKey("BIGINT UNSIGNED", append([]string{"0", "9223372036854775807", "9223372036854775808", "9223372036854775809", "18446744073709551614", "18446744073709551615"}, counting(30)[1:]...)...)}, unique: number},
		keyCase{name: "signed", key: []keyColumn{plainKey("MEDIUMINT", "-8388608", "-8388607", "-1", "0", "1", "2", "3", "8388606", "8388607", "77")}, unique: number},
		keyCase{name: "bits", key: []keyColumn{hexKey("BIT(64)", "b'0'", "b'1'", "0x7fffffffffffffff", "0x8000000000000000", "0xffffffffffffffff", "0xff", "0x100", "0x6161")}, unique: hexKey("BIT(5)", "b'0'", "b'1'", "b'11111'", "b'10000'")},
		keyCase{name: "decimals", key: []keyColumn{plainKey("DECIMAL(30,10)", "0", "0.0000000001", "-0.0000000001", "99999999999999999999.9999999999", "-99999999999999999999.9999999999", "1.5", "1.5000000001", "12345678901234567890.5", "7")}, unique: number},
		keyCase{name: "datetimes", key: []keyColumn{plainKey("DATETIME", "'1583-01-01 00:00:00'", "'2024-02-29 12:34:56'", "'2024-02-29 12:34:57'", "'9999-12-31 23:59:59'", "'1970-01-01 00:00:00'", "'2000-01-01 00:00:00'")}, unique: number},
		keyCase{name: "fractions", key: []keyColumn{plainKey("DATETIME(6)", "'1583-01-01 00:00:00'", "'2024-02-29 12:34:56'", "'2024-02-29 12:34:56.000001'", "'2024-02-29 12:34:56.1'", "'9999-12-31 23:59:59.999999'", "'2000-01-01 00:00:00'")}, unique: plainKey("TIME(3)", "'-00:00:00.001'", "'00:00:00.001'", "'00:00:00'", "'838:59:59'"), since: 50600},
		keyCase{name: "stamps", key: []keyColumn{plainKey("TIMESTAMP", "'1970-01-01 00:00:01'", "'2024-10-27 00:30:00'", "'2024-10-27 01:30:00'", "'2038-01-19 03:14:07'", "'2000-01-01 00:00:00'"), plainKey("YEAR", "1901", "2155", "2000", "0", "1970")}, unique: number},
		keyCase{name: "sets", key: []keyColumn{plainKey("ENUM('b','a','2','1') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "'a'", "'b'", "'2'", "'1'"), plainKey("SET('x','y','z') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "''", "'x'", "'x,y'", "'z'", "'x,y,z'")}, unique: number},
		keyCase{name: "zero", key: []keyColumn{{"INT NOT NULL AUTO_INCREMENT", false, append([]string{"-1"}, counting(20)...)}}, unique: number},
	)
}

// columns are those of CREATE TABLE.
func (c keyCase) columns() string {
	var list, names []string
	for i, k := range c.key {
		list, names = append(list, fmt.Sprintf("k%d %s", i, k.sql)), append(names, fmt.Sprintf("k%d", i))
	}
	prefix := ""
	if c.prefix > 0 {
		prefix = fmt.Sprintf("(%d)", c.prefix)
	}
	return strings.Join(list, ", ") + ", u " + strings.TrimSuffix(c.unique.sql, " NOT NULL") + " NULL, s INT NOT NULL, v INT, PRIMARY KEY (" + strings.Join(names, ", ") + "), UNIQUE KEY u (u" + prefix + ")"
}

// read returns the table's rows as sorted texts.
func (c keyCase) read(t *testing.T, dbs []*sql.DB) []string {
	t.Helper()
	list := []string{}
	name := func(column string, k keyColumn) string {
		if k.hex {
			return "HEX(" + column + ")"
		}
		return column
	}
	for i, k := range c.key {
		list = append(list, name(fmt.Sprintf("k%d", i), k))
	}
	list = append(list, "COALESCE("+name("u", c.unique)+", 'NULL')", "s", "COALESCE(v, 'NULL')")
	var out []string
	for _, db := range dbs {
		rows, err := db.QueryContext(t.Context(), "SELECT CONCAT_WS('|', "+strings.Join(list, ", ")+") FROM `"+c.name+"`")
		require.NoError(t, err)
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			out = append(out, text)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	slices.Sort(out)
	return out
}

// writer changes rows of one table at random; what the source's keys refuse is
// no change.
type writer struct {
	t    *testing.T
	c    keyCase
	db   *sql.DB
	rng  *rand.Rand
	done int
}

// tuple is a value of the key, of its pool without the parking place.
func (w *writer) tuple() []string {
	out := make([]string, len(w.c.key))
	for i, k := range w.c.key {
		out[i] = k.values[w.rng.IntN(len(k.values)-1)]
	}
	return out
}

func (w *writer) parked() []string {
	out := make([]string, len(w.c.key))
	for i, k := range w.c.key {
		out[i] = k.values[len(k.values)-1]
	}
	return out
}

func (w *writer) uniqueValue() string {
	if w.rng.IntN(4) == 0 {
		return "NULL"
	}
	return w.c.unique.values[w.rng.IntN(len(w.c.unique.values))]
}

// terms joins `k0 = value` for each key column.
func terms(values []string, by string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprintf("k%d = %s", i, v)
	}
	return strings.Join(out, by)
}

func (w *writer) move(from, to []string) string {
	return "UPDATE `" + w.c.name + "` SET " + terms(to, ", ") + " WHERE " + terms(from, " AND ")
}

// step returns the statements of one change.
func (w *writer) step() []string {
	name, a, b := "`"+w.c.name+"`", w.tuple(), w.tuple()
	where := " WHERE " + terms(a, " AND ")
	switch n := w.rng.IntN(100); {
	case n < 25:
		return []string{fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, %d, %d)", name, strings.Join(a, ", "), w.uniqueValue(), w.rng.IntN(9), w.rng.IntN(1000))}
	case n < 35:
		return []string{"DELETE FROM " + name + where}
	case n < 47:
		return []string{fmt.Sprintf("UPDATE %s SET v = %d%s", name, w.rng.IntN(1000), where)}
	case n < 57:
		return []string{"UPDATE " + name + " SET u = " + w.uniqueValue() + where}
	case n < 65:
		return []string{fmt.Sprintf("UPDATE %s SET s = %d%s", name, w.rng.IntN(9), where)}
	case n < 77:
		return []string{w.move(a, b)}
	case n < 87: // swap
		return []string{w.move(a, w.parked()), w.move(b, a), w.move(w.parked(), b)}
	case n < 92: // chain: b → elsewhere, a → b
		return []string{w.move(b, w.tuple()), w.move(a, b)}
	case n < 97: // swap of unique values
		return []string{
			"UPDATE " + name + " SET u = NULL" + where, "UPDATE " + name + " SET u = " + w.uniqueValue() + " WHERE " + terms(b, " AND "),
			"UPDATE " + name + " SET u = " + w.uniqueValue() + where,
		}
	case n < 98: // away and back again under another spelling
		return []string{"DELETE FROM " + name + where, fmt.Sprintf("INSERT INTO %s VALUES (%s, NULL, %d, -1)", name, strings.Join(a, ", "), w.rng.IntN(9))}
	default:
		return []string{"UPDATE " + name + " SET v = v + 1", "UPDATE " + name + " SET s = (s + 1) % 9"}
	}
}

// run makes n changes, some of them several in one transaction.
func (w *writer) run(ctx context.Context, n int) error {
	for range n {
		var statements []string
		for range 1 + w.rng.IntN(3)*w.rng.IntN(2) {
			statements = append(statements, w.step()...)
		}
		if err := w.transaction(ctx, statements); err != nil {
			return err
		}
	}
	return nil
}

// transaction leaves a key parked by no means: a swap that is refused half-way
// is rolled back as a whole.
func (w *writer) transaction(ctx context.Context, statements []string) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			_ = tx.Rollback()
			if refused, ok := errors.AsType[*mysql.MySQLError](err); ok && slices.Contains([]uint16{1062, 1205, 1213}, refused.Number) {
				return nil
			}
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	w.done++
	return tx.Commit()
}

// TestItem3_KeysOfEveryKindWhileWritten copies tables in chunks of three rows
// while every one of them is written, applies in safe and in strict mode while
// the writing goes on, and wants the same bytes on both sides.
func TestItem3_KeysOfEveryKindWhileWritten(t *testing.T) {
	for _, pair := range []struct {
		source string
		to     product
	}{
		{"mysql55", plain("mysql97")},
		{"mysql57", simulator("mysql57")},
		{"mysql97", simulator("mysql80")},
		{"mysql80", plain("mysql97")},
		{"mariadb", plain("mysql57")},
	} {
		t.Run(pair.source+" to "+pair.to.name, func(t *testing.T) {
			t.Parallel()
			keysWhileWritten(t, pair.source, pair.to, 1, 12)
		})
	}
}

// keysWhileWritten makes so many changes of each table at each stage.
func keysWhileWritten(t *testing.T, source string, to product, seed uint64, steps int) {
	m := newMove(t, source, to)
	var writers []*writer
	for i, c := range keyCases() {
		if source != "mariadb" && versions[source] < c.since || source == "mariadb" && c.only == "mysql" || m.to.version < c.since && c.only == "mysql" {
			continue
		}
		m.create(c.name, c.columns(), "", "s")
		w := &writer{t: t, c: c, db: m.db, rng: rand.New(rand.NewPCG(uint64(i), seed))}
		require.NoError(t, w.run(t.Context(), 4*steps))
		writers = append(writers, w)
	}
	all := func() error {
		for _, w := range writers {
			if err := w.run(t.Context(), steps); err != nil {
				return fmt.Errorf("table %s: %w", w.c.name, err)
			}
		}
		return nil
	}
	m.plan(3)
	var g errgroup.Group
	g.Go(all)
	m.copy()
	require.NoError(t, g.Wait())
	require.NoError(t, all())
	m.follow(func() {
		require.NoError(t, all())
		m.settle()
		require.NoError(t, all())
		require.NoError(t, all())
	})
	for _, w := range writers {
		require.Positive(t, w.done)
		require.Equal(t, w.c.read(t, []*sql.DB{m.db}), w.c.read(t, m.to.storage), w.c.name)
	}
	m.requireConsistent()
}

// TestItem3_WholeTablesMove changes every key of a table in one statement, with
// enough rows for several lanes: keys shift by one, unique values turn around,
// everything moves to the next shard and back.
func TestItem3_WholeTablesMove(t *testing.T) {
	t.Parallel()
	for _, pair := range []struct {
		source string
		to     product
	}{{"mysql97", plain("mysql57")}, {"mysql56", simulator("mysql57")}} {
		const rows = 900
		m := newMove(t, pair.source, pair.to)
		columns := "k INT UNSIGNED NOT NULL PRIMARY KEY, s INT NOT NULL, v INT"
		m.create("plainly", columns, "", "s")
		m.create("uniquely", columns+", u VARCHAR(20) CHARACTER SET latin1, UNIQUE KEY u (u)", "", "s")
		for _, name := range []string{"plainly", "uniquely"} {
			var values []string
			for i := range rows {
				values = append(values, fmt.Sprintf("(%d, %d, %d)", i, i%9, i))
			}
			m.exec("INSERT INTO " + name + " (k, s, v) VALUES " + strings.Join(values, ","))
		}
		m.exec("UPDATE uniquely SET u = CONCAT('u', k) WHERE k % 5 > 0")
		storm := func() {
			for _, name := range []string{"plainly", "uniquely"} {
				m.exec(
					"UPDATE "+name+" SET k = k + 1 ORDER BY k DESC", // 1 → 2 → 3 …
					"UPDATE "+name+" SET s = s + 1, v = v + 1",
					"UPDATE "+name+" SET k = k - 1 ORDER BY k",
					"UPDATE "+name+" SET v = -v",
					"UPDATE "+name+" SET k = 100000 + k", "UPDATE "+name+" SET k = 101000 - k", // the order turns around
					"UPDATE "+name+" SET s = s % 9, k = k - 100 ORDER BY k",
				)
			}
			m.exec("UPDATE uniquely SET u = CONCAT('x', v)", "UPDATE uniquely SET u = UPPER(u)", "UPDATE uniquely SET u = IF(k % 3, CONCAT('u', k), NULL)")
		}
		m.plan(100)
		var g errgroup.Group
		g.Go(func() error { return m.tryExec("UPDATE uniquely SET k = k + 1 ORDER BY k DESC") })
		m.copy()
		require.NoError(t, g.Wait())
		storm()
		m.follow(func() {
			m.settle()
			storm()
		})
		for _, query := range []string{"SELECT k, s, v FROM plainly", "SELECT k, s, v, u FROM uniquely"} {
			here, there := textRows(t, m.db, query), []string{}
			for _, db := range m.to.storage {
				there = append(there, textRows(t, db, query)...)
			}
			require.Len(t, here, rows)
			require.ElementsMatch(t, here, there, query)
		}
		m.requireConsistent()
	}
}

// TestItem3_ShardKeysLoseTheirFractions: the destination drops fractions of a
// second of DATETIME and TIMESTAMP sharding keys; rows that differ in them only
// stay in their place, and every other column is as on the source.
func TestItem3_ShardKeysLoseTheirFractions(t *testing.T) {
	t.Parallel()
	m := newMove(t, "mysql57", simulator("mysql57"))
	route := m.to.route
	for _, c := range []struct{ name, sql, rule string }{
		{"days", "DATETIME(6)", "YYYYDD"}, {"months", "TIMESTAMP(3) NULL", "YYYYMM"}, {"weeks", "DATETIME(1)", "YYYYWEEK"},
	} {
		m.to.route = func(column string) string { return "DBPARTITION BY " + c.rule + "(" + column + ")" }
		m.create(c.name, "id INT NOT NULL PRIMARY KEY, s "+c.sql+", v DATETIME(6)", "", "s")
	}
	m.to.route = route
	all := func(base int) {
		for _, name := range []string{"days", "months", "weeks"} {
			id := func(s string) string {
				return strings.NewReplacer("{t}", name, "{1}", fmt.Sprint(base+1), "{2}", fmt.Sprint(base+2), "{3}", fmt.Sprint(base+3)).Replace(s)
			}
			for _, s := range []string{
				"INSERT INTO {t} VALUES ({1}, '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789012'), ({2}, '2024-03-01 00:00:00.5', NULL), ({3}, '2023-12-31 23:59:59.9', '2000-01-01 00:00:00.000001')",
				"UPDATE {t} SET s = '2024-02-29 12:34:56.1' WHERE id = {1}", // the same place
				"UPDATE {t} SET s = '2024-02-29 12:34:56.1', v = '2001-01-01 00:00:00.5' WHERE id = {1}",
				"UPDATE {t} SET s = '2024-04-01 00:00:00.3' WHERE id = {2}",
				"UPDATE {t} SET s = '2024-03-01 00:00:00.4', v = '2001-01-01' WHERE id = {2}",
				"DELETE FROM {t} WHERE id = {3}",
			} {
				m.exec(id(s))
			}
		}
	}
	all(0)
	m.plan(2)
	m.copy()
	all(10)
	m.follow(func() {
		m.settle()
		all(20)
	})
	for _, name := range []string{"days", "months", "weeks"} {
		here := textRows(t, m.db, "SELECT id, DATE_FORMAT(s, '%Y-%m-%d %H:%i:%s'), v FROM "+name)
		var there, fractions []string
		for _, db := range m.to.storage {
			there = append(there, textRows(t, db, "SELECT id, DATE_FORMAT(s, '%Y-%m-%d %H:%i:%s'), v FROM "+name)...)
			fractions = append(fractions, textRows(t, db, "SELECT id FROM "+name+" WHERE MICROSECOND(s) <> 0")...)
		}
		require.Len(t, here, 6)
		require.ElementsMatch(t, here, there, name)
		require.Empty(t, fractions, name)
	}
	m.requireConsistent()
}

// A primary key with such a sharding key would let rows replace each other.
func TestItem3_FractionsInThePrimaryKeyAreRefused(t *testing.T) {
	t.Parallel()
	m := newMove(t, "mysql57", simulator("mysql57"))
	m.to.route = func(column string) string { return "DBPARTITION BY YYYYDD(" + column + ")" }
	m.create("t", "id INT NOT NULL, s DATETIME(3) NOT NULL, PRIMARY KEY (id, s)", "", "s")
	m.exec("INSERT INTO t VALUES (1, '2024-01-01 00:00:00.1'), (1, '2024-01-01 00:00:00.2')")
	m.plan(10)
	require.ErrorIs(t, m.tryCopy(), fault.KeyMismatch)
	require.Equal(t, contract.Failed, m.precheck("dbTableStructureConsistency").Verdict)
}
