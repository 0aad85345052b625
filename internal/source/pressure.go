package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"shardlift/internal/mysqlconn"
)

// Pressure is what tells that others need the source; -1 where the server or the
// account's rights do not say.
type Pressure struct {
	ThreadsRunning int
	// HistoryList is the length of InnoDB's history list: old row versions that
	// long reads, ours among them, keep from being purged.
	HistoryList int64
	// ReplicaLag is how many seconds the source is behind, when it is a replica.
	ReplicaLag int64
}

// Pressure reads the figures now, the last two only when they are asked for.
func (s *Source) Pressure(ctx context.Context, history, lag bool) (p Pressure, err error) {
	p = Pressure{ThreadsRunning: -1, HistoryList: -1, ReplicaLag: -1}
	records, err := mysqlconn.Records(ctx, s.db, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', 'Innodb_history_list_length')")
	if err != nil {
		return p, fmt.Errorf("read the source's load: %w", mysqlconn.Fault(err, "source"))
	}
	for _, r := range records {
		n, err := strconv.ParseInt(r["value"], 10, 64)
		switch {
		case err != nil:
		case r["variable_name"] == "Threads_running":
			p.ThreadsRunning = int(n)
		default: // MariaDB and Percona have it here
			p.HistoryList = n
		}
	}
	if history && p.HistoryList < 0 {
		err := s.db.QueryRowContext(ctx, "SELECT count FROM information_schema.INNODB_METRICS WHERE name = 'trx_rseg_history_len' AND status = 'enabled'").Scan(&p.HistoryList)
		if err != nil && mysqlconn.Number(err) == 0 && !errors.Is(err, sql.ErrNoRows) {
			return p, fmt.Errorf("read the source's history list: %w", mysqlconn.Fault(err, "source"))
		}
	}
	if lag {
		p.ReplicaLag, err = s.replicaLag(ctx)
	}
	return p, err
}

// replicaLag asks by the name of the statement that the server knows.
func (s *Source) replicaLag(ctx context.Context) (int64, error) {
	records, err := mysqlconn.Records(ctx, s.db, "SHOW SLAVE STATUS")
	if err != nil && mysqlconn.IsSyntax(err) {
		records, err = mysqlconn.Records(ctx, s.db, "SHOW REPLICA STATUS")
	}
	if mysqlconn.IsAccessDenied(err) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("read the source's replica lag: %w", mysqlconn.Fault(err, "source"))
	}
	longest := int64(-1)
	for _, r := range records {
		for _, column := range []string{"seconds_behind_master", "seconds_behind_source"} {
			if n, err := strconv.ParseInt(r[column], 10, 64); err == nil {
				longest = max(longest, n)
			}
		}
	}
	return longest, nil
}
