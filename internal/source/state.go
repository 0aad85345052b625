package source

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// OpenTransactions counts the transactions that have changed rows and are not
// committed yet; -1 when the account may not know (PROCESS is missing).
func (s *Source) OpenTransactions(ctx context.Context) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_rows_modified > 0").Scan(&n)
	if mysqlconn.IsAccessDenied(err) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count the source's open transactions: %w", mysqlconn.Fault(err, "source"))
	}
	return n, nil
}

// PreparedXA counts the XA transactions that wait for their verdict; -1 when
// the account may not know (XA_RECOVER_ADMIN is missing, from MySQL 8.0).
func (s *Source) PreparedXA(ctx context.Context) (int, error) {
	ids, known, err := s.prepared(ctx)
	if err == nil && !known {
		return -1, nil
	}
	return len(ids), err
}

// prepared names them; known is false when the account may not know.
func (s *Source) prepared(ctx context.Context) (ids []string, known bool, err error) {
	records, err := mysqlconn.Records(ctx, s.db, "XA RECOVER")
	if mysqlconn.IsAccessDenied(err) || mysqlconn.Number(err) == errXARecover {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("list the source's prepared XA transactions: %w", mysqlconn.Fault(err, "source"))
	}
	for _, r := range records {
		ids = append(ids, strings.Join([]string{r["formatid"], r["gtrid_length"], r["data"]}, "/"))
	}
	return ids, true, nil
}

// errXARecover is how MySQL 8 refuses XA RECOVER: ER_XAER_RMERR.
const errXARecover = 1401

// AutoIncrement returns the next value of a table's AUTO_INCREMENT column; ok is
// false when it has none.
func (s *Source) AutoIncrement(ctx context.Context, n table.Name) (next uint64, ok bool, err error) {
	var text sql.NullString
	query := "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
	err = s.db.QueryRowContext(ctx, query, n.Schema, n.Table).Scan(&text)
	if err == nil && !text.Valid {
		return 0, false, nil
	}
	if err == nil {
		next, err = strconv.ParseUint(text.String, 10, 64)
	}
	if err != nil {
		return 0, false, fmt.Errorf("read AUTO_INCREMENT of %s: %w", n, mysqlconn.Fault(err, n.String()))
	}
	return next, true, nil
}

// Load is how busy the source is.
type Load struct {
	ThreadsRunning   int
	ThreadsConnected int
	MaxConnections   int // of the server
}

// Load reads the figures now.
func (s *Source) Load(ctx context.Context) (Load, error) {
	records, err := mysqlconn.Records(ctx, s.db, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', 'Threads_connected')")
	if err != nil {
		return Load{}, fmt.Errorf("read the source's load: %w", mysqlconn.Fault(err, "source"))
	}
	var l Load
	l.MaxConnections, _ = strconv.Atoi(s.capabilities.VariableOr("max_connections", "0"))
	for _, r := range records {
		n, _ := strconv.Atoi(r["value"])
		switch r["variable_name"] {
		case "Threads_running":
			l.ThreadsRunning = n
		case "Threads_connected":
			l.ThreadsConnected = n
		}
	}
	return l, nil
}
