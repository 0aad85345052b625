package fidelity

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// shapeCase is a table whose two sides differ in form, with changes of its rows.
// In changes {1} to {9} stand for ids of their own.
type shapeCase struct {
	name        string
	here, there string
	// list is what is compared, on both sides, besides id.
	list    string
	changes []string
	// on are the sources that have it; only says which destinations.
	on   []string
	only func(to *target) bool
}

func anywhere(*target) bool     { return true }
func generated(to *target) bool { return to.generated }
func without(to *target) bool   { return !to.generated }
func since(version int) func(*target) bool {
	return func(to *target) bool { return to.generated && to.version >= version }
}

var (
	everySource = []string{"mysql55", "mysql56", "mysql57", "mysql80", "mysql97", "mariadb"}
	computing   = []string{"mysql57", "mysql80", "mysql97", "mariadb"}
)

// usual changes a column a of rows in every way, unique values swapped.
var usual = []string{
	"INSERT INTO {t} (id, a) VALUES ({1}, 1000 + {1}), ({2}, 1000 + {2}), ({3}, 1000 + {3}), ({4}, NULL)",
	"UPDATE {t} SET a = -{1} WHERE id = {1}",
	"UPDATE {t} SET a = 1000 + {1} WHERE id = {4}",
	"UPDATE {t} SET a = -{2} WHERE id = {2}", "UPDATE {t} SET a = 1000 + {2} WHERE id = {1}", "UPDATE {t} SET a = -{1} WHERE id = {2}",
	"DELETE FROM {t} WHERE id = {3}",
	"UPDATE {t} SET id = {5} WHERE id = {4}",
	"UPDATE {t} SET a = 7000 + a WHERE id > {1} - 20 AND id <= {5}",
}

func shapeCases() []shapeCase {
	const key = "id INT NOT NULL PRIMARY KEY"
	computed := key + ", a INT, v INT AS (a * 2) VIRTUAL, s INT AS (a * 3) STORED"
	return []shapeCase{
		{"computed", computed, computed, "a, v, s", usual, computing, generated},
		{"computed_unique", computed + ", UNIQUE KEY v (v), UNIQUE KEY s (s)", computed + ", UNIQUE KEY v (v), UNIQUE KEY s (s)", "a, v, s", usual, computing, generated},
		{"computed_here", computed + ", UNIQUE KEY v (v)", key + ", a INT", "a", usual, computing, anywhere},
		{"stored_there", key + ", a INT, s INT AS (a * 3) STORED", key + ", a INT, s INT", "a, s", usual, computing, anywhere},
		{"virtual_there", computed, key + ", a INT, v INT, s INT, UNIQUE KEY v (v)", "a, v, s", usual, computing, anywhere},
		{"computed_there", key + ", a INT", key + ", a INT, g INT AS (a + 1) VIRTUAL, h INT AS (a + 2) STORED, UNIQUE KEY g (g)", "a", usual, everySource, generated},
		{"shard_by_computed", key + ", a INT, s INT AS (COALESCE(a, 0) % 7) STORED", key + ", a INT, s INT", "a, s", usual, computing, without},
		{"invisible", key + ", a INT, i INT DEFAULT 4 INVISIBLE", key + ", a INT, i INT", "a, i", append(usual, "UPDATE {t} SET i = {1} WHERE id = {1}"), []string{"mysql97", "mariadb"}, anywhere},
		{"invisible_both", key + ", a INT, i INT DEFAULT 4 INVISIBLE", key + ", a INT, i INT DEFAULT 9 INVISIBLE", "a, i", append(usual, "UPDATE {t} SET i = {1} WHERE id = {1}"), []string{"mysql97"}, since(90000)},
		{"functional", key + ", a INT, u VARCHAR(20) DEFAULT NULL, UNIQUE KEY u ((LOWER(u))), KEY f ((a + 1))", key + ", a INT, u VARCHAR(20)", "a, u", append(usual,
			"INSERT INTO {t} (id, u) VALUES ({6}, 'A{6}'), ({7}, 'b{7}')", "UPDATE {t} SET u = 'a{6}' WHERE id = {6}", "UPDATE {t} SET u = 'x' WHERE id = {6}", "UPDATE {t} SET u = 'A{6}' WHERE id = {7}", "UPDATE {t} SET u = 'B{7}' WHERE id = {6}"), []string{"mysql80", "mysql97"}, anywhere},
		{"functional_both", key + ", a INT, u VARCHAR(20) DEFAULT NULL, UNIQUE KEY u ((LOWER(u)))", key + ", a INT, u VARCHAR(20) DEFAULT NULL, UNIQUE KEY u ((LOWER(u)))", "a, u", append(usual,
			"INSERT INTO {t} (id, u) VALUES ({6}, 'A{6}'), ({7}, 'b{7}')", "UPDATE {t} SET u = 'a{6}' WHERE id = {6}", "UPDATE {t} SET u = 'x' WHERE id = {6}", "UPDATE {t} SET u = 'A{6}' WHERE id = {7}", "UPDATE {t} SET u = 'B{7}' WHERE id = {6}"), []string{"mysql80", "mysql97"}, since(80000)},
		{"expression_default", key + ", a INT, d VARCHAR(40) DEFAULT (UUID()), n INT DEFAULT (1 + 2)", key + ", a INT, d VARCHAR(40) DEFAULT 'never', n INT DEFAULT 9", "a, d, n", append(usual, "UPDATE {t} SET d = NULL, n = NULL WHERE id = {1}"), []string{"mysql80", "mysql97", "mariadb"}, anywhere},
		{"on_update", key + ", a INT, t TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", "", "a, t", append(usual, "UPDATE {t} SET a = 5, t = '2001-02-03 04:05:06' WHERE id = {1}", "UPDATE {t} SET a = 6, t = t WHERE id = {1}", "UPDATE {t} SET a = 7, t = NULL WHERE id = {2}"), everySource, anywhere},
		{
			"on_update_key", "id INT NOT NULL, a INT, t TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, PRIMARY KEY (id, t)", "", "a, t",
			append(usual, "UPDATE {t} SET a = 5, t = '2001-02-03 04:05:06' WHERE id = {1}", "UPDATE {t} SET a = 6, t = t WHERE id = {1}", "UPDATE {t} SET a = 7, t = t WHERE id = {2}"), everySource, anywhere,
		},
		{
			"more_columns", key + ", a INT", key + ", a INT, x VARCHAR(9) NOT NULL DEFAULT '', y INT NOT NULL DEFAULT 3, z TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, n INT", "a",
			usual, everySource, anywhere,
		},
		{"other_order", key + ", a INT, b VARCHAR(9) DEFAULT 'bee', c INT DEFAULT 3", "C INT, B VARCHAR(9), extra INT, ID INT NOT NULL PRIMARY KEY, A INT", "a, b, c", append(usual, "UPDATE {t} SET b = 'x', c = {1} WHERE id = {1}"), everySource, anywhere},
	}
}

// text returns a case's rows as sorted texts.
func (c shapeCase) text(t *testing.T, dbs ...*sql.DB) []string {
	t.Helper()
	var out []string
	for _, db := range dbs {
		out = append(out, textRows(t, db, "SELECT id, "+c.list+" FROM `"+c.name+"`")...)
	}
	slices.Sort(out)
	return out
}

// textRows returns rows by the text protocol, values with a space between.
func textRows(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	columns, err := found.Columns()
	require.NoError(t, err)
	var out []string
	for found.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, found.Scan(into...))
		texts := make([]string, len(values))
		for i, v := range values {
			if texts[i] = v.String; !v.Valid {
				texts[i] = null
			}
		}
		out = append(out, strings.Join(texts, " "))
	}
	require.NoError(t, found.Err())
	require.NoError(t, found.Close())
	return out
}

// shape runs the case's changes with ids from base on, each in a transaction.
func (m *move) shape(c shapeCase, base int) {
	m.t.Helper()
	pairs := []string{"{t}", "`" + c.name + "`"}
	for i := 1; i <= 9; i++ {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), fmt.Sprint(base+i))
	}
	for _, s := range c.changes {
		m.exec(strings.NewReplacer(pairs...).Replace(s))
	}
}

// TestItem2_GeneratedInvisibleAndFunctionalThings: both sides compute, one
// computes, columns are hidden, more, or in another order.
func TestItem2_GeneratedInvisibleAndFunctionalThings(t *testing.T) {
	for _, pair := range []struct {
		source string
		to     product
	}{
		{"mysql55", simulator("mysql57")},
		{"mysql56", plain("mysql57")},
		{"mysql57", plain("mysql97")},
		{"mysql80", simulator("mysql57")},
		{"mysql97", plain("mysql97")},
		{"mariadb", plain("mysql57")},
	} {
		t.Run(pair.source+" to "+pair.to.name, func(t *testing.T) {
			t.Parallel()
			everyShape(t, pair.source, pair.to)
		})
	}
}

func everyShape(t *testing.T, source string, to product) {
	m := newMove(t, source, to)
	var cases []shapeCase
	for _, c := range shapeCases() {
		if !slices.Contains(c.on, source) || !c.only(m.to) {
			continue
		}
		route := "id"
		if c.name == "shard_by_computed" {
			route = "s"
		}
		m.create(c.name, c.here, c.there, route)
		cases = append(cases, c)
		m.shape(c, 0)
	}
	m.plan(2)
	m.copy()
	for _, c := range cases {
		m.shape(c, 100)
	}
	m.follow(func() {
		m.settle()
		for _, c := range cases {
			m.shape(c, 200)
		}
	})
	for _, c := range cases {
		here := c.text(t, m.db)
		require.NotEmpty(t, here)
		require.Equal(t, here, c.text(t, m.to.storage...), c.name)
	}
	m.requireConsistent()
}

// A generated invisible primary key is in every row image, shown or not.
func TestItem2_GeneratedInvisiblePrimaryKey(t *testing.T) {
	t.Parallel()
	for _, to := range []product{plain("mysql97"), simulator("mysql80")} {
		m := newMove(t, "mysql97", to)
		conn, err := m.db.Conn(t.Context())
		require.NoError(t, err)
		for _, s := range []string{"SET sql_generate_invisible_primary_key = ON", "SET show_gipk_in_create_table_and_information_schema = OFF", "CREATE TABLE t (a INT, b VARCHAR(9)) ENGINE=InnoDB"} {
			_, err := conn.ExecContext(t.Context(), s)
			require.NoError(t, err)
		}
		require.NoError(t, conn.Close())
		_, err = m.to.admin.ExecContext(t.Context(), "CREATE TABLE t (my_row_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, a INT, b VARCHAR(9)) ENGINE=InnoDB "+m.to.route("my_row_id"))
		require.NoError(t, err)
		m.exec("INSERT INTO t VALUES (1, 'a'), (1, 'a'), (2, NULL)")
		m.plan(2)
		m.copy()
		m.exec("INSERT INTO t VALUES (1, 'a'), (NULL, NULL)", "UPDATE t SET b = 'x' WHERE my_row_id = 1")
		m.follow(func() {
			m.settle()
			m.exec("INSERT INTO t VALUES (3, 'c')", "UPDATE t SET a = 9 WHERE my_row_id IN (2, 4)", "DELETE FROM t WHERE my_row_id = 3")
		})
		here := textRows(t, m.db, "SELECT my_row_id, a, b FROM t")
		slices.Sort(here)
		var there []string
		for _, db := range m.to.storage {
			there = append(there, textRows(t, db, "SELECT my_row_id, a, b FROM t")...)
		}
		slices.Sort(there)
		require.Equal(t, here, there)
		m.requireConsistent()
	}
}

// A column that only the destination computes holds nothing of the source's.
func TestItem2_ColumnThatTheDestinationComputes(t *testing.T) {
	t.Parallel()
	m := newMove(t, "mysql57", plain("mysql97"))
	m.create("t", "id INT NOT NULL PRIMARY KEY, a INT, v INT", "id INT NOT NULL PRIMARY KEY, a INT, v INT AS (a * 2)", "id")
	m.exec("INSERT INTO t VALUES (1, 1, 1)")
	m.plan(10)
	require.ErrorIs(t, m.tryCopy(), fault.ColumnMismatch)
	require.Equal(t, contract.Failed, m.precheck("dbTableStructureConsistency").Verdict)
}

// MySQL 5.7 copies a whole double as an integer; an application that then stores
// the integer changes nothing on the destination, and nobody else did either:
// strict mode must not take it for a divergence. The same with two codes of one
// character.
func TestItem1_ChangesThatTheDestinationDoesNotSee(t *testing.T) {
	t.Parallel()
	for _, to := range []product{plain("mysql97"), simulator("mysql57")} {
		m := newMove(t, "mysql57", to)
		m.create("t", "id INT NOT NULL PRIMARY KEY, j JSON, c VARCHAR(9) CHARACTER SET cp932", "id INT NOT NULL PRIMARY KEY, j JSON, c VARCHAR(9) CHARACTER SET utf8mb4", "id")
		m.exec("INSERT INTO t VALUES (1, '[1.0]', _cp932 x'FA54'), (2, '[2.0]', 'x')")
		m.plan(10)
		m.copy()
		m.follow(func() {
			for _, s := range []string{"UPDATE t SET j = '[1]' WHERE id = 1", "UPDATE t SET c = _cp932 x'81CA' WHERE id = 1", "UPDATE t SET j = '[2]', c = 'y' WHERE id = 2", "UPDATE t SET j = '[3.0]'"} {
				m.settle() // each in a window of its own
				m.exec(s)
			}
		})
		var there []string
		for _, db := range m.to.storage {
			there = append(there, textRows(t, db, "SELECT id, JSON_TYPE(JSON_EXTRACT(j, '$[0]')), HEX(c) FROM t")...)
		}
		require.ElementsMatch(t, []string{"1 DOUBLE EFBFA2", "2 DOUBLE 79"}, there)
		m.requireConsistent()
	}
}
