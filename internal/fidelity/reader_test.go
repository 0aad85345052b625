package fidelity

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// content is a table's rows by id, as the independent reader sees them.
type content map[int64][]string

// null stands for NULL.
const null = "NULL"

// expression is what the reader selects of column i. converted: the other side
// has another character set, so both are read as utf8mb4.
func (c column) expression(i int, converted bool) string {
	name := fmt.Sprintf("c%d", i)
	switch c.shape {
	case asHex:
		if converted {
			return "HEX(CONVERT(" + name + " USING utf8mb4))"
		}
		return "HEX(" + name + ")"
	case asLabels:
		return "CONCAT(CAST(" + name + " AS UNSIGNED), ':', HEX(CONVERT(" + name + " USING utf8mb4)))"
	default:
		return name
	}
}

// read reads a table of the corpus from all databases that hold its rows.
func read(t *testing.T, dbs []*sql.DB, table corpusTable, to *target) content {
	t.Helper()
	texts, floats := []string{"id"}, []string{"id"}
	for i, c := range table.columns {
		expression := c.expression(i, c.charset != "" && !to.has(c.charset))
		if c.shape == asFloat {
			floats = append(floats, expression)
			expression = "0"
		}
		texts = append(texts, expression)
	}
	out := content{}
	for _, db := range dbs {
		for id, row := range readText(t, db, "SELECT "+strings.Join(texts, ", ")+" FROM "+table.name) {
			require.NotContains(t, out, id, "%s: row %d is there twice", table.name, id)
			out[id] = row
		}
		if len(floats) == 1 {
			continue
		}
		for id, bits := range readBits(t, db, "SELECT "+strings.Join(floats, ", ")+" FROM "+table.name+" WHERE id > ?") {
			at := 0
			for i, c := range table.columns {
				if c.shape == asFloat {
					out[id][i] = bits[at]
					at++
				}
			}
		}
	}
	return out
}

// readText reads by the text protocol; the first column is the id.
func readText(t *testing.T, db *sql.DB, query string) content {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err, "%.200s", query)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	out := content{}
	for rows.Next() {
		var id int64
		values := make([]sql.NullString, len(names)-1)
		into := []any{&id}
		for i := range values {
			into = append(into, &values[i])
		}
		require.NoError(t, rows.Scan(into...))
		for _, v := range values {
			text := null
			if v.Valid {
				text = "'" + v.String
			}
			out[id] = append(out[id], text)
		}
	}
	require.NoError(t, rows.Err())
	return out
}

// readBits reads floating-point numbers by the binary protocol, which the
// argument makes the driver use.
func readBits(t *testing.T, db *sql.DB, query string) content {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, -1)
	require.NoError(t, err, "%.200s", query)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	out := content{}
	for rows.Next() {
		var id int64
		values := make([]any, len(names)-1)
		into := []any{&id}
		for i := range values {
			into = append(into, &values[i])
		}
		require.NoError(t, rows.Scan(into...))
		for _, v := range values {
			switch v := v.(type) {
			case nil:
				out[id] = append(out[id], null)
			case float32:
				out[id] = append(out[id], fmt.Sprintf("%08x", math.Float32bits(v)))
			case float64:
				out[id] = append(out[id], fmt.Sprintf("%016x", math.Float64bits(v)))
			default:
				require.Failf(t, "not a float", "%T", v)
			}
		}
	}
	require.NoError(t, rows.Err())
	return out
}

// nodes are the paths of every node of a document.
func nodes(t *testing.T, text string) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var document any
	require.NoError(t, d.Decode(&document), text)
	var out []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		out = append(out, path)
		switch v := v.(type) {
		case []any:
			for i, child := range v[:min(len(v), 20)] {
				walk(fmt.Sprintf("%s[%d]", path, i), child)
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if key == "" {
					continue // MySQL 5.7 has no path to it
				}
				quoted, err := json.Marshal(key)
				require.NoError(t, err)
				walk(path+"."+string(quoted), v[key])
			}
		}
	}
	walk("$", document)
	return out
}

// nodeTypes asks the server for the type of every node of a document.
func nodeTypes(t *testing.T, dbs []*sql.DB, table, column string, id int64, paths []string) []string {
	t.Helper()
	var list []string
	for _, p := range paths {
		literal := strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(p)
		list = append(list, "JSON_TYPE(JSON_EXTRACT("+column+", '"+literal+"'))")
	}
	for _, db := range dbs {
		found := readText(t, db, fmt.Sprintf("SELECT id, %s FROM %s WHERE id = %d", strings.Join(list, ", "), table, id))
		if row, ok := found[id]; ok {
			return row
		}
	}
	require.Failf(t, "row is missing", "%s %d", table, id)
	return nil
}

// wholeDoubles takes the ".0" from whole numbers outside of strings: MySQL 5.7
// prints none.
func wholeDoubles(text string) string {
	parts := jsonStrings.FindAllStringIndex(text, -1)
	var out strings.Builder
	at := 0
	for _, p := range append(parts, []int{len(text), len(text)}) {
		out.WriteString(wholeNumber.ReplaceAllString(text[at:p[0]], "$1"))
		out.WriteString(text[p[0]:p[1]])
		at = p[1]
	}
	return out.String()
}

var (
	jsonStrings = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	wholeNumber = regexp.MustCompile(`(\d)\.0\b`)
)
