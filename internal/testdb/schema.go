package testdb

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"
)

// cleanupTimeout bounds what a test's end waits for, such as the metadata lock
// of a connection that its owner did not close.
const cleanupTimeout = 2 * time.Minute

// Schema creates an empty schema (utf8mb4) and drops it at the end of the test.
func (s *Server) Schema(t testing.TB) string {
	t.Helper()
	name := "t_" + strings.Map(plain, strings.ToLower(t.Name()))
	name = name[:min(len(name), 40)] + "_" + randomHex(4)
	s.exec(t, "CREATE DATABASE `"+name+"` CHARACTER SET utf8mb4")
	s.cleanup(t, "DROP DATABASE IF EXISTS `"+name+"`")
	return name
}

// DB opens a pool of the administrator on schema (empty for none) and closes it
// at the end of the test. One text may hold several statements.
func (s *Server) DB(t testing.TB, schema string) *sql.DB {
	t.Helper()
	db, err := s.pool(schema)
	if err != nil {
		t.Fatalf("open %s: %v", s.Name, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Account creates an account for any host with grants such as "SELECT ON x.*"
// and drops it at the end of the test.
func (s *Server) Account(t testing.TB, grants ...string) (user, password string) {
	t.Helper()
	user, password = "u"+randomHex(6), "Aa1!"+randomHex(10) // at most 16 characters before 5.7
	statements := []string{"CREATE USER '" + user + "'@'%' IDENTIFIED BY '" + password + "'"}
	for _, grant := range grants {
		statements = append(statements, "GRANT "+grant+" TO '"+user+"'@'%'")
	}
	s.exec(t, statements...)
	s.cleanup(t, "DROP USER '"+user+"'@'%'")
	return user, password
}

func (s *Server) exec(t testing.TB, statements ...string) {
	t.Helper()
	db, err := s.pool("")
	if err != nil {
		t.Fatalf("open %s: %v", s.Name, err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("prepare %s: %s: %v", s.Name, strings.Fields(statement)[0], err)
		}
	}
}

// cleanup runs a statement at the end of the test; a server of its own goes as
// a whole.
func (s *Server) cleanup(t testing.TB, statement string) {
	if s.own {
		return
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		db, err := s.pool("")
		if err != nil {
			t.Errorf("clean %s: %v", s.Name, err)
			return
		}
		defer db.Close()
		if _, err := db.ExecContext(ctx, statement); err != nil {
			t.Errorf("clean %s: %s: %v (is a connection still open?)", s.Name, statement, err)
		}
	})
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
