package dialect_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everyServer runs test on each of the six servers, in a schema of its own, with
// a session as destination sets it.
func everyServer(t *testing.T, test func(t *testing.T, s *testdb.Server, db *sql.DB, schema string)) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testdb.Get(t, name)
			schema := s.Schema(t)
			db, err := mysqlconn.Open(t.Context(), mysqlconn.Config{
				Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password),
				TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}, Schema: schema, MaxConnections: 2,
				Session: []mysqlconn.Setting{
					{Name: "time_zone", Value: "'+00:00'"},
					{Name: "sql_mode", Value: "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'"},
				},
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = db.Close() })
			test(t, s, db, schema)
		})
	}
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err, clip(statement))
}

func clip(text string) string { return text[:min(len(text), 120)] }

func columnOf(t *testing.T, name, sqlType, collation string) table.Column {
	t.Helper()
	c, err := mysqlconn.ParseColumnType(sqlType, collation)
	require.NoError(t, err)
	c.Name, c.Nullable = name, true
	return c
}

// read returns the table's values of column c, in the order of column id.
func read(t *testing.T, db *sql.DB, tableName string, c table.Column, where string) []row.Value {
	t.Helper()
	var out []row.Value
	query := fmt.Sprintf("SELECT %s FROM %s%s ORDER BY id", mysqlconn.SelectExpr(c), dialect.QuoteName(tableName), where)
	err := mysqlconn.ReadRows(t.Context(), db, query, []table.Column{c}, func(r row.Row) error {
		out = append(out, r.Clone()[0])
		return nil
	})
	require.NoError(t, err, clip(query))
	return out
}

func readKeys(t *testing.T, db mysqlconn.Querier, out *[]row.Row, query string) error {
	t.Helper()
	columns := []table.Column{{Type: table.TypeInt, Unsigned: true}, {Type: table.TypeText}, {Type: table.TypeBinary}, {Type: table.TypeInt}}
	return mysqlconn.ReadRows(t.Context(), db, query, columns, func(r row.Row) error {
		*out = append(*out, r.Clone())
		return nil
	})
}

// rowsTouched is how many rows the connection's statements have read.
func rowsTouched(t *testing.T, conn *sql.Conn) int {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read%'")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	total := 0
	for rows.Next() {
		var name string
		var n int
		require.NoError(t, rows.Scan(&name, &n))
		total += n // SHOW itself reads a few
	}
	require.NoError(t, rows.Err())
	return total
}
