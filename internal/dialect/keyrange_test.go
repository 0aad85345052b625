package dialect_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// A range of keys of any type takes exactly the rows that the server orders
// between its bounds; the bounds come from what was read.
func TestRangeCondition_EveryTypeOfKeyOnEveryServer(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server, db *sql.DB, _ string) {
		for i, sample := range samples() {
			c := columnOf(t, "v", sample.sqlType, sample.collation)
			if strings.Contains(sample.lacking, s.Name) || !canBeKey(c) {
				continue
			}
			c.Nullable = false
			o := &table.Table{Name: table.Name{Table: fmt.Sprintf("k%d", i)}, Columns: []table.Column{c, {Name: "id", Type: table.TypeInt}}}
			sqlType := strings.TrimSuffix(ddlType(sample, c), " null")
			sqlType = strings.Replace(sqlType, "(200)", "(100)", 1) // 5.5 and 5.6 have keys of 767 bytes
			exec(t, db, fmt.Sprintf("CREATE TABLE %s (v %s NOT NULL, id INT, PRIMARY KEY (v, id))", o.Name.Table, sqlType))
			rows := make([]string, len(sample.values))
			for id, v := range sample.values {
				rows[id] = fmt.Sprintf("(%s,%d)", dialect.AppendLiteral(nil, c, v, c), id)
			}
			exec(t, db, "INSERT INTO "+o.Name.Table+" VALUES "+strings.Join(rows, ","))
			query := "SELECT " + mysqlconn.SelectExpr(c) + ", id FROM " + o.Name.Table + " FORCE INDEX (PRIMARY)"
			all := readAll(t, db, query+" ORDER BY v, id", o.Columns)
			require.Len(t, all, len(sample.values))
			step := max(1, len(all)/5)
			for from := 0; from+step < len(all); from += max(1, step-1) {
				span := table.KeyRange{Lower: [][]byte{all[from][0], all[from][1]}, Upper: [][]byte{all[from+step][0], all[from+step][1]}}
				condition := string(dialect.RangeCondition(nil, o, []int{0, 1}, span))
				got := readAll(t, db, query+" WHERE "+condition+" ORDER BY v, id", o.Columns)
				require.Equal(t, all[from+1:from+step+1], got, "%s %s: %s", sample.sqlType, sample.collation, clip(condition))
			}
			var found []row.Row
			for _, condition := range dialect.KeyConditions(o, []int{0, 1}, all, 100) {
				found = append(found, readAll(t, db, query+" WHERE "+condition+" ORDER BY v, id", o.Columns)...)
			}
			require.Equal(t, all, found, "%s %s", sample.sqlType, sample.collation)
		}
	})
}

func canBeKey(c table.Column) bool {
	switch c.Type {
	case table.TypeJSON, table.TypeGeometry, table.TypeVector:
		return false
	default:
		return c.Length < 1000 && len(c.Labels) <= 53
	}
}

func readAll(t *testing.T, db *sql.DB, query string, columns []table.Column) []row.Row {
	t.Helper()
	var out []row.Row
	require.NoError(t, mysqlconn.ReadRows(t.Context(), db, query, columns, func(r row.Row) error {
		out = append(out, r.Clone())
		return nil
	}), clip(query))
	return out
}
