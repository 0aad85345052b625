package fidelity

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// Rows of a corpus table by id: each value comes by every way.
const (
	copied    = 0    // there before the copy
	inserted  = 1000 // inserted while the copy's changes are replayed (safe mode)
	filled    = 2000 // NULLs before, updated to the values in safe mode
	rotated   = 3000 // updated to the next row's values
	removed   = 4000 // deleted in safe mode
	inserted2 = 5000 // the same again in strict mode
	filled2   = 6000
	rotated2  = 7000
	removed2  = 8000
)

// TestItem1_EveryTypeByBothPaths takes the whole corpus from each source to one
// destination; the tag full has all pairs.
func TestItem1_EveryTypeByBothPaths(t *testing.T) {
	for _, pair := range []struct {
		source string
		to     product
	}{
		{"mysql55", plain("mysql57")},
		{"mysql56", simulator("mysql57")},
		{"mysql57", plain("mysql97")},
		{"mysql80", plain("mysql57")},
		{"mysql97", simulator("mysql80")},
		{"mariadb", plain("mysql97")},
	} {
		t.Run(pair.source+" to "+pair.to.name, func(t *testing.T) {
			t.Parallel()
			everyType(t, pair.source, pair.to)
		})
	}
}

func everyType(t *testing.T, source string, to product) {
	m := newMove(t, source, to)
	tables := corpus(source, m.to)
	for _, c := range tables {
		here, there := []string{"id INT NOT NULL PRIMARY KEY"}, []string{"id INT NOT NULL PRIMARY KEY"}
		for i, column := range c.columns {
			here = append(here, fmt.Sprintf("c%d %s", i, column.ddl()))
			there = append(there, fmt.Sprintf("c%d %s", i, column.ddlAt(m.to)))
		}
		m.create(c.name, strings.Join(here, ", "), strings.Join(there, ", "), "id")
		m.fill(c)
	}
	m.plan(40)
	m.copy()
	for _, c := range tables {
		m.change(c, inserted, filled, rotated, removed)
	}
	m.follow(func() {
		m.settle()
		for _, c := range tables {
			m.change(c, inserted2, filled2, rotated2, removed2)
		}
	})
	for _, c := range tables {
		m.requireSame(c)
	}
	m.requireConsistent()
}

// fill writes the rows that are there before the copy.
func (m *move) fill(c corpusTable) {
	m.t.Helper()
	rows := 0
	for _, column := range c.columns {
		rows = max(rows, len(column.values))
	}
	tx, err := m.db.BeginTx(m.t.Context(), nil)
	require.NoError(m.t, err)
	run := func(s string) {
		_, err := tx.ExecContext(m.t.Context(), s)
		require.NoError(m.t, err, "%.500s", s)
	}
	for r := range rows {
		values := []string{fmt.Sprint(r + 1)}
		for _, column := range c.columns {
			values = append(values, column.values[r%len(column.values)])
		}
		run("INSERT INTO " + c.name + " VALUES (" + strings.Join(values, ", ") + ")")
	}
	for _, from := range []int{rotated, removed, rotated2, removed2} {
		run(fmt.Sprintf("INSERT INTO %[1]s SELECT id + %[2]d, %[3]s FROM %[1]s WHERE id <= %[4]d", c.name, from, c.list(""), rows))
	}
	for _, from := range []int{filled, filled2} {
		run(fmt.Sprintf("INSERT INTO %[1]s (id) SELECT id + %[2]d FROM %[1]s WHERE id <= %[3]d", c.name, from, rows))
	}
	require.NoError(m.t, tx.Commit())
}

// list names the columns, with an alias in front.
func (c corpusTable) list(alias string) string {
	names := make([]string, len(c.columns))
	for i := range names {
		names[i] = fmt.Sprintf("%sc%d", alias, i)
	}
	return strings.Join(names, ", ")
}

// change inserts, updates and deletes by copies of the first rows, made by the
// server from its own values: no literal is read again.
func (m *move) change(c corpusTable, insert, fill, rotate, remove int) {
	m.t.Helper()
	var set []string
	for i := range c.columns {
		set = append(set, fmt.Sprintf("a.c%d = b.c%[1]d", i))
	}
	rows := 0
	for _, column := range c.columns {
		rows = max(rows, len(column.values))
	}
	for _, s := range []string{
		fmt.Sprintf("INSERT INTO %[1]s SELECT id + %[2]d, %[3]s FROM %[1]s WHERE id <= %[4]d", c.name, insert, c.list(""), rows),
		fmt.Sprintf("UPDATE %[1]s a JOIN %[1]s b ON b.id = a.id - %[2]d SET %[3]s WHERE a.id BETWEEN %[2]d + 1 AND %[2]d + %[4]d", c.name, fill, strings.Join(set, ", "), rows),
		fmt.Sprintf("UPDATE %[1]s a JOIN %[1]s b ON b.id = 1 + (a.id - %[2]d) %% %[4]d SET %[3]s WHERE a.id BETWEEN %[2]d + 1 AND %[2]d + %[4]d", c.name, rotate, strings.Join(set, ", "), rows),
		fmt.Sprintf("DELETE FROM %s WHERE id BETWEEN %d AND %d", c.name, remove+1, remove+rows),
	} {
		_, err := m.db.ExecContext(m.t.Context(), s)
		if refused, ok := errors.AsType[*mysql.MySQLError](err); ok && refused.Number == temporaryFileGone {
			_, err = m.db.ExecContext(m.t.Context(), s)
		}
		require.NoError(m.t, err, s)
	}
}

// temporaryFileGone: MySQL 5.6 now and then misses a file of its own in /tmp.
const temporaryFileGone = 6

// requireSame compares both sides by the independent reader.
func (m *move) requireSame(c corpusTable) {
	m.t.Helper()
	here, there := read(m.t, []*sql.DB{m.db}, c, m.to), read(m.t, m.to.storage, c, m.to)
	require.Equal(m.t, slices.Sorted(maps.Keys(here)), slices.Sorted(maps.Keys(there)), "rows of %s", c.name)
	require.NotEmpty(m.t, here)
	wrong := make([]int, len(c.columns))
	for _, id := range slices.Sorted(maps.Keys(here)) {
		for i, column := range c.columns {
			a, b := here[id][i], there[id][i]
			if column.shape == asJSON {
				m.sameDocument(c.name, fmt.Sprintf("c%d", i), id, a, b)
				continue
			}
			if a != b {
				if wrong[i]++; wrong[i] <= 5 {
					m.t.Errorf("%s.c%d %s, row %d: source %.200q, destination %.200q", c.name, i, column.ddl(), id, a, b)
				}
			}
		}
	}
}

// sameDocument wants equal texts and equal types of all nodes. MySQL 5.7 prints
// a whole double without ".0"; a text has no form for dates, binaries and for
// decimals that look like a double (docs/limits.md).
func (m *move) sameDocument(table, column string, id int64, a, b string) {
	m.t.Helper()
	if a == null || b == null {
		require.Equal(m.t, a, b, "%s.%s, row %d", table, column, id)
		return
	}
	if wholeDoubles(a) != wholeDoubles(b) || a != b && m.to.version >= 80000 && m.source.Capabilities().Number >= 80000 {
		m.t.Errorf("%s.%s, row %d: source %.300s, destination %.300s", table, column, id, a, b)
		return
	}
	paths := nodes(m.t, a[1:])
	here := nodeTypes(m.t, []*sql.DB{m.db}, table, column, id, paths)
	there := nodeTypes(m.t, m.to.storage, table, column, id, paths)
	for i := range here {
		from, to := strings.TrimPrefix(here[i], "'"), strings.TrimPrefix(there[i], "'")
		if from != to && !m.mayBecome(id, from, to) {
			m.t.Errorf("%s.%s, row %d, %s of %.200s: %s became %s", table, column, id, paths[i], a, from, to)
		}
	}
}

// mayBecome says what a text alone cannot tell.
func (m *move) mayBecome(id int64, from, to string) bool {
	switch from {
	case "DATE", "TIME", "DATETIME", "BLOB", "BIT", "OPAQUE":
		return to == "STRING"
	case "DECIMAL":
		return to == "DOUBLE" || to == "INTEGER"
	case "DOUBLE": // by the copy only: the binlog has the type
		return strings.HasSuffix(to, "INTEGER") && id < inserted && m.source.Capabilities().Number < 80000
	default:
		return false
	}
}
