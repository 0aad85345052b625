//go:build faultpoint

package soak

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// writer is one client of the source. Statements may fail (duplicate keys,
// foreign keys, deadlocks): what counts is what the source then holds.
type writer struct {
	db     *sql.DB
	rng    *rand.Rand
	shapes []shape
	load   bool // LOAD DATA LOCAL is allowed
	// patient: connects again when the source goes away.
	patient bool
	// plain: no XA transactions, which would outlive a source that goes away.
	plain bool
	xid   string
	// pace returns when the next transaction may begin.
	pace func(ctx context.Context, n int)
}

// write runs so many transactions.
func (w *writer) write(ctx context.Context, transactions int) error {
	for n := 0; n < transactions; {
		err := w.connected(ctx, &n, transactions)
		if err != nil && (!w.patient || ctx.Err() != nil) {
			return err
		}
	}
	return nil
}

// connected runs transactions on one connection.
func (w *writer) connected(ctx context.Context, n *int, transactions int) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		pause(20 * time.Millisecond)
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "SET time_zone = '+00:00', innodb_lock_wait_timeout = 1, sql_mode = 'STRICT_ALL_TABLES'"); err != nil {
		return err
	}
	for ; *n < transactions; *n++ {
		if err := w.transaction(ctx, conn, *n); err != nil {
			return errors.Join(err, conn.Raw(func(any) error { return driver.ErrBadConn })) // nothing open goes on
		}
		w.pace(ctx, w.rng.IntN(12))
	}
	return nil
}

// transaction begins, writes and ends in one of the ways a client may.
func (w *writer) transaction(ctx context.Context, conn *sql.Conn, n int) error {
	run := func(statement string) error {
		_, err := conn.ExecContext(ctx, statement)
		return err
	}
	xa := w.rng.IntN(30) == 0 && !w.plain
	id := fmt.Sprintf("'%s-%d'", w.xid, n)
	begin := "START TRANSACTION"
	if xa {
		begin = "XA START " + id
	}
	if err := run(begin); err != nil {
		return fmt.Errorf("%s: %w", begin, err)
	}
	if w.rng.IntN(50) == 0 { // ends what is open
		_ = run("TRUNCATE TABLE " + w.shapes[w.rng.IntN(len(w.shapes))].name)
	}
	failed := false
	for range 1 + w.rng.IntN(4) {
		if !xa && w.rng.IntN(8) == 0 { // a part that is taken back
			_ = run("SAVEPOINT p")
			_ = run(w.statement())
			_ = run("ROLLBACK TO SAVEPOINT p")
		}
		if err := run(w.statement()); err != nil {
			if e, ok := err.(*mysql.MySQLError); !ok { //nolint:errorlint // the driver's own
				return err
			} else if e.Number == 1213 || e.Number == 1614 || e.Number == 1205 {
				failed = true
				break
			}
		}
	}
	undo := failed || w.rng.IntN(8) == 0
	if !xa {
		return run(map[bool]string{true: "ROLLBACK", false: "COMMIT"}[undo])
	}
	return w.endXA(run, id, undo)
}

func (w *writer) endXA(run func(string) error, id string, undo bool) error {
	if err := run("XA END " + id); err != nil || run("XA PREPARE "+id) != nil {
		return run("XA ROLLBACK " + id)
	}
	if undo {
		return run("XA ROLLBACK " + id)
	}
	return run("XA COMMIT " + id)
}

// row is a VALUES list of a table.
func (w *writer) row(s *shape) string {
	var values []string
	for _, c := range s.columns() {
		values = append(values, c.literal(w.rng))
	}
	return "(" + strings.Join(values, ", ") + ")"
}

func (w *writer) rows(s *shape) string {
	var rows []string
	for range 1 + w.rng.IntN(5) {
		rows = append(rows, w.row(s))
	}
	return strings.Join(rows, ", ")
}

// where chooses one row, or a few.
func (w *writer) where(s *shape) string {
	c := s.key[0]
	switch w.rng.IntN(4) {
	case 0:
		return c.name + " >= " + c.literal(w.rng) + " ORDER BY " + s.keyNames() + " LIMIT 3"
	case 1:
		return c.name + " IN (" + c.literal(w.rng) + ", " + c.literal(w.rng) + ")"
	default:
		return c.name + " = " + c.literal(w.rng)
	}
}

func (w *writer) value(s *shape) string {
	c := s.values[w.rng.IntN(len(s.values))]
	return c.name + " = " + c.literal(w.rng)
}

// statement is one random statement.
func (w *writer) statement() string {
	s := &w.shapes[w.rng.IntN(len(w.shapes))]
	switch w.rng.IntN(20) {
	case 0, 1, 2, 3:
		return "INSERT IGNORE INTO " + s.name + " VALUES " + w.rows(s)
	case 4:
		return "REPLACE INTO " + s.name + " VALUES " + w.rows(s)
	case 5:
		return "INSERT INTO " + s.name + " VALUES " + w.rows(s) + " ON DUPLICATE KEY UPDATE " + w.value(s)
	case 6, 7:
		return "DELETE FROM " + s.name + " WHERE " + w.where(s)
	case 8, 9, 10:
		return "UPDATE " + s.name + " SET " + w.value(s) + " WHERE " + w.where(s)
	case 11, 12: // another key
		c := s.key[w.rng.IntN(len(s.key))]
		return "UPDATE IGNORE " + s.name + " SET " + c.name + " = " + c.literal(w.rng) + " WHERE " + w.where(s)
	case 13: // a chain: each row takes its neighbour's key
		if !strings.Contains(s.key[0].sql, "INT") {
			return "UPDATE " + s.name + " SET " + w.value(s)
		}
		return "UPDATE " + s.name + " SET id = id + 1 WHERE id >= " + s.key[0].literal(w.rng) + " ORDER BY id DESC"
	case 14, 15:
		return w.move(s)
	case 16: // unique values change hands
		if s.second != nil && (s.unique == nil || w.rng.IntN(2) == 0) {
			return "UPDATE IGNORE " + s.name + " SET w = " + s.second.literal(w.rng) + " WHERE " + w.where(s)
		}
		if s.unique == nil {
			return "UPDATE " + s.name + " SET " + w.value(s) + " WHERE " + w.where(s)
		}
		return "UPDATE IGNORE " + s.name + " SET u = " + s.unique.literal(w.rng) + " WHERE " + w.where(s)
	case 17:
		return w.several(s)
	case 18:
		return w.loadData(s)
	default:
		return "INSERT INTO " + s.name + " VALUES " + w.row(s)
	}
}

// move changes the shard key, or swaps unique values of two rows by an order
// that needs no third one.
func (w *writer) move(s *shape) string {
	if s.shard != nil {
		return "UPDATE " + s.name + " SET s = " + s.shard.literal(w.rng) + " WHERE " + w.where(s)
	}
	if s.unique != nil {
		return "UPDATE " + s.name + " SET u = u + 1 WHERE u >= " + fmt.Sprint(w.rng.IntN(keyDomain)) + " ORDER BY u DESC"
	}
	return "DELETE FROM " + s.name + " ORDER BY " + s.keyNames() + " LIMIT 1"
}

// several is a statement over more than one table.
func (w *writer) several(s *shape) string {
	o := &w.shapes[w.rng.IntN(len(w.shapes))]
	if o == s {
		return "UPDATE " + s.name + " AS a JOIN (SELECT * FROM " + s.name + " ORDER BY " + s.keyNames() + " LIMIT 2) AS b ON a." + s.key[0].name + " = b." + s.key[0].name + " SET a." + w.value(s)
	}
	if w.rng.IntN(2) == 0 {
		return "UPDATE " + s.name + " AS a, " + o.name + " AS b SET a." + w.value(s) + ", b." + w.value(o) +
			" WHERE a." + s.key[0].name + " = " + s.key[0].literal(w.rng) + " AND b." + o.key[0].name + " = " + o.key[0].literal(w.rng)
	}
	return "DELETE a, b FROM " + s.name + " AS a, " + o.name + " AS b WHERE a." + s.key[0].name + " = " + s.key[0].literal(w.rng) +
		" AND b." + o.key[0].name + " = " + o.key[0].literal(w.rng)
}

// loadData sends a file of keys; the other columns get their defaults.
func (w *writer) loadData(s *shape) string {
	if !w.load || !strings.Contains(s.key[0].sql, "INT") || s.shard != nil && !strings.Contains(s.shard.sql, "INT") {
		return "INSERT INTO " + s.name + " SELECT * FROM " + s.name + " WHERE " + s.key[0].name + " < 0"
	}
	columns, line := s.key, ""
	if s.shard != nil {
		columns = append(append([]column{}, columns...), *s.shard)
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	for range 1 + w.rng.IntN(4) {
		var values []string
		for _, c := range columns {
			values = append(values, c.literal(w.rng))
		}
		line += strings.Join(values, "\t") + "\n"
	}
	name := "soak-" + w.xid
	mysql.RegisterReaderHandler(name, readerOf(line))
	return "LOAD DATA LOCAL INFILE 'Reader::" + name + "' IGNORE INTO TABLE " + s.name + " (" + strings.Join(names, ", ") + ")"
}
