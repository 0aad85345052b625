package ddmsim_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

func exec(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, q string, args ...any,
) int64 {
	t.Helper()
	r, err := db.ExecContext(t.Context(), q, args...)
	require.NoError(t, err, q)
	n, err := r.RowsAffected()
	require.NoError(t, err)
	return n
}

// strings reads all rows as text, NULL as "NULL".
func rows(t *testing.T, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, q string, args ...any,
) [][]string {
	t.Helper()
	r, err := db.QueryContext(t.Context(), q, args...)
	require.NoError(t, err, q)
	defer func() { require.NoError(t, r.Close()) }()
	columns, err := r.Columns()
	require.NoError(t, err)
	var out [][]string
	for r.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		require.NoError(t, r.Scan(into...))
		row := make([]string, len(columns))
		for i, c := range cells {
			row[i] = "NULL"
			if c.Valid {
				row[i] = c.String
			}
		}
		out = append(out, row)
	}
	require.NoError(t, r.Err())
	return out
}

// refused checks that a statement fails with the number and a text.
func refused(t *testing.T, db *sql.DB, number uint16, text, q string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), q, args...)
	var m *mysql.MySQLError
	require.ErrorAs(t, err, &m, q)
	require.Equal(t, number, m.Number, "%s: %s", q, m.Message)
	require.Contains(t, m.Message, text, q)
}

func onShard(t *testing.T, s *simtest.Sim, shard int, q string) [][]string {
	t.Helper()
	return rows(t, s.PhysicalDB(t, shard), q)
}

func TestSim_RoutesRowsOfEachKind(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer BIGINT NOT NULL, note VARCHAR(40)) DBPARTITION BY MOD_HASH(customer)")
	exec(t, db, "CREATE TABLE lines (order_id BIGINT, n INT, PRIMARY KEY (order_id, n)) DBPARTITION BY MOD_HASH(order_id) TBPARTITION BY MOD_HASH(order_id) TBPARTITIONS 3")
	exec(t, db, "CREATE TABLE countries (code CHAR(2) PRIMARY KEY, name VARCHAR(40)) BROADCAST")
	exec(t, db, "CREATE TABLE settings (k VARCHAR(20) PRIMARY KEY, v TEXT)")

	require.EqualValues(t, 5, exec(t, db, "INSERT INTO orders VALUES (1,0,'a'),(2,1,'b'),(3,2,'it''s, (x)'),(4,3,'d'),(5,7,'e')"))
	require.Equal(t, [][]string{{"4", "3", "d"}, {"5", "7", "e"}}, onShard(t, s, 3, "SELECT * FROM orders ORDER BY id"))
	require.Equal(t, [][]string{{"3", "2", "it's, (x)"}}, onShard(t, s, 2, "SELECT * FROM orders"))

	exec(t, db, "INSERT INTO lines (order_id, n) VALUES (16, 1), (5, 2)")
	require.Equal(t, [][]string{{"16", "1"}}, onShard(t, s, 16%12/3, "SELECT * FROM lines_01"))
	require.Equal(t, [][]string{{"5", "2"}}, onShard(t, s, 5/3, "SELECT * FROM lines_02"))

	require.EqualValues(t, 2, exec(t, db, "INSERT INTO countries VALUES ('de','Germany'),('fr','France')"))
	for shard := range 4 {
		require.Len(t, onShard(t, s, shard, "SELECT * FROM countries"), 2)
	}
	exec(t, db, "REPLACE INTO settings VALUES ('a','1')")
	require.Len(t, onShard(t, s, 0, "SELECT * FROM settings"), 1)

	require.Equal(t, [][]string{{"5", "7"}}, rows(t, db, "SELECT id, customer FROM orders WHERE customer = 7"))
	require.Equal(t, [][]string{{"5"}, {"4"}, {"3"}}, rows(t, db, "SELECT id FROM orders ORDER BY id DESC LIMIT 3"))
	require.Equal(t, [][]string{{"2"}, {"3"}}, rows(t, db, "SELECT id FROM orders ORDER BY id LIMIT 1, 2"))
	require.Equal(t, [][]string{{"5", "15", "1", "5"}}, rows(t, db, "SELECT COUNT(*), SUM(id), MIN(id), MAX(id) FROM orders"))
	require.Equal(t, [][]string{{"6"}}, rows(t, db, "SELECT IFNULL(MAX(id),0)+1 FROM orders"))
	require.Equal(t, [][]string{{"16", "1"}}, rows(t, db, "SELECT l.order_id, l.n FROM "+s.Schema+".lines l WHERE l.order_id IN (16)"))

	require.EqualValues(t, 1, exec(t, db, "UPDATE orders SET note='z' WHERE customer=7 AND id=5"))
	require.EqualValues(t, 2, exec(t, db, "DELETE FROM orders WHERE id IN (1,4)"))
	require.Equal(t, [][]string{{"3"}}, rows(t, db, "SELECT COUNT(*) FROM orders"))
	require.EqualValues(t, 1, exec(t, db, "UPDATE lines SET n=9 WHERE order_id=5"))
	require.Equal(t, [][]string{{"orders", "0", "customer", "MOD_HASH", "4", "0", "", "", "", "1", ""}}, rows(t, db, "SHOW RULE FROM orders"))
}

func TestSim_PreparedStatements(t *testing.T) {
	s := simtest.Start(t, 4)
	db := s.DB(t)
	exec(t, db, "CREATE TABLE p (id BIGINT PRIMARY KEY, f FLOAT, d DOUBLE, t DATETIME(6), b VARBINARY(20), u BIGINT UNSIGNED, j JSON, x BIT(9), n DECIMAL(20,5), c TIME(3)) DBPARTITION BY HASH(id)")
	st, err := db.Prepare("INSERT INTO p VALUES (?,?,?,?,?,?,?,?,?,?)")
	require.NoError(t, err)
	for i := range 3 {
		_, err = st.Exec(i, float32(0.1), 1.0/3, "2024-05-06 07:08:09.123456", []byte{0, 255, '\''}, uint64(18446744073709551615), `{"a": 1}`, []byte{1, 2}, "123456789012345.67890", "-10:11:12.345")
		require.NoError(t, err)
	}
	_, err = st.Exec(1, nil, nil, nil, nil, nil, nil, nil, nil, nil)
	var m *mysql.MySQLError
	require.ErrorAs(t, err, &m)
	require.EqualValues(t, 1062, m.Number)
	require.NoError(t, st.Close())

	var f float32
	var d float64
	var u uint64
	var at, n, c, j string
	var b, x []byte
	require.NoError(t, db.QueryRow("SELECT f,d,t,b,u,j,x,n,c FROM p WHERE id=?", 2).Scan(&f, &d, &at, &b, &u, &j, &x, &n, &c))
	require.Equal(t, math.Float32bits(0.1), math.Float32bits(f))
	require.Equal(t, math.Float64bits(1.0/3), math.Float64bits(d))
	require.Equal(t, "2024-05-06 07:08:09.123456", at)
	require.Equal(t, []byte{0, 255, '\''}, b)
	require.Equal(t, uint64(18446744073709551615), u)
	require.Equal(t, `{"a": 1}`, j)
	require.Equal(t, []byte{1, 2}, x)
	require.Equal(t, "123456789012345.67890", n)
	require.Equal(t, "-10:11:12.345", c)
	require.Equal(t, onShard(t, s, 0, "SELECT * FROM p"), rows(t, db, "/*+db="+s.Physical(0)+"*/ SELECT * FROM p"))
}

func TestSim_Transactions(t *testing.T) {
	for _, mode := range []bool{false, true} {
		t.Run(fmt.Sprintf("xa=%v", mode), func(t *testing.T) {
			s := simtest.Start(t, 4, simtest.With(func(c *simtest.SimConfig) { c.XA = mode }))
			db := s.DB(t)
			exec(t, db, "CREATE TABLE a (id BIGINT PRIMARY KEY, v INT) DBPARTITION BY MOD_HASH(id)")
			tx, err := db.Begin()
			require.NoError(t, err)
			exec(t, tx, "INSERT INTO a VALUES (1,1),(2,2),(3,3)")
			require.Equal(t, [][]string{{"3"}}, rows(t, tx, "SELECT COUNT(*) FROM a"))
			require.Equal(t, [][]string{{"0"}}, rows(t, db, "SELECT COUNT(*) FROM a"))
			require.NoError(t, tx.Rollback())
			require.Equal(t, [][]string{{"0"}}, rows(t, db, "SELECT COUNT(*) FROM a"))

			tx, err = db.Begin()
			require.NoError(t, err)
			exec(t, tx, "INSERT INTO a VALUES (1,1),(2,2)")
			require.NoError(t, tx.Commit())
			require.Equal(t, [][]string{{"2"}}, rows(t, db, "SELECT COUNT(*) FROM a"))

			refused(t, db, 1062, "Duplicate entry", "INSERT INTO a VALUES (3,3),(4,4),(1,1)")
			require.Equal(t, [][]string{{"2"}}, rows(t, db, "SELECT COUNT(*) FROM a"), "a refused statement leaves nothing")

			s.Server.Faults().FailCommit(1, 1)
			_, err = db.Exec("INSERT INTO a VALUES (5,5),(6,6)")
			require.ErrorContains(t, err, "D-60")
			want := "3"
			if mode {
				want = "2"
			}
			require.Equal(t, [][]string{{want}}, rows(t, db, "SELECT COUNT(*) FROM a"))
		})
	}
}
