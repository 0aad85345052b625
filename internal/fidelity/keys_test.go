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
		{"general", "utf8mb4", "utf8mb4_general_ci", 0, ""}, {"unicode", "utf8mb4", "utf8mb4_unicode_ci", 0, ""}, {"bin", "utf8mb4", "utf8mb4_bin", 0, ""},
		{"swedish", "latin1", "latin1_swedish_ci", 0, ""}, {"german", "latin1", "latin1_german2_ci", 0, ""},
		{"ai", "utf8mb4", "utf8mb4_0900_ai_ci", 80000, "mysql"}, {"as", "utf8mb4", "utf8mb4_0900_as_cs", 80000, "mysql"},
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
			keysWhileWritten(t, pair.source, pair.to, 40)
		})
	}
}

func keysWhileWritten(t *testing.T, source string, to product, steps int) {
	m := newMove(t, source, to)
	var writers []*writer
	for i, c := range keyCases() {
		if source != "mariadb" && versions[source] < c.since || source == "mariadb" && c.only == "mysql" || m.to.version < c.since && c.only == "mysql" {
			continue
		}
		m.create(c.name, c.columns(), "", "s")
		w := &writer{t: t, c: c, db: m.db, rng: rand.New(rand.NewPCG(uint64(i), uint64(len(source))))}
		require.NoError(t, w.run(t.Context(), 2*steps))
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
