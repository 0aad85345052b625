package source

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/mysqlconn"
)

// Retention is what a server purges its binlog by. Somebody may change it at any
// time, so that it is read anew wherever it matters.
type Retention struct {
	// For is how long files are kept; 0 is for ever, until a provider purges them, or not known (Hidden).
	For time.Duration
	// By is the variable that For is of, "" where there is none.
	By string
	// Provider: Amazon RDS purges by a setting of its own, which For is then; 0
	// there is as soon as its own replicas have the files.
	Provider bool
	// Hidden: the server is one of Amazon's, and the account may not read that setting.
	Hidden bool
	// Bytes is the size beyond which files go, however young; 0 is none. BytesBy is its variable.
	Bytes   int64
	BytesBy string
}

// Retention reads what the source purges its binlog by.
func (s *Source) Retention(ctx context.Context) (Retention, error) {
	return ReadRetention(ctx, s.db)
}

// ReadRetention reads what a server purges its binlog by.
func ReadRetention(ctx context.Context, q mysqlconn.Querier) (r Retention, err error) {
	records, err := mysqlconn.Records(ctx, q, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+
		"'binlog_expire_logs_seconds', 'expire_logs_days', 'binlog_expire_logs_auto_purge', 'binlog_space_limit', 'max_binlog_total_size', 'datadir')")
	if err != nil {
		return r, fmt.Errorf("read the binlog's retention: %w", mysqlconn.Fault(err, "source"))
	}
	variables := map[string]string{}
	for _, v := range records {
		variables[strings.ToLower(v["variable_name"])] = v["value"]
	}
	r.For, r.By = byAge(variables)
	for _, name := range []string{"binlog_space_limit", "max_binlog_total_size"} { // Percona and MySQL, MariaDB
		if n, err := strconv.ParseInt(variables[name], 10, 64); err == nil && n > 0 {
			r.Bytes, r.BytesBy = n, name
		}
	}
	records, err = mysqlconn.Records(ctx, q, "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'")
	switch {
	case mysqlconn.IsConnectionLost(err), err != nil && mysqlconn.Number(err) == 0:
		return r, fmt.Errorf("read the binlog's retention: %w", mysqlconn.Fault(err, "source"))
	case err != nil: // no such table, or not for this account
		if r.Hidden = amazons(variables["datadir"]) && mysqlconn.IsAccessDenied(err); r.Hidden {
			r.For, r.By = 0, "" // the server's own variable says nothing there
		}
	case len(records) > 0:
		hours, _ := strconv.ParseFloat(records[0]["value"], 64) // NULL is as soon as possible
		r.For, r.By, r.Provider = time.Duration(hours*float64(time.Hour)), "", true
	}
	return r, nil
}

// byAge reads the variables; 0 means never. Seconds win over days where both
// exist (MySQL 8.0).
func byAge(variables map[string]string) (time.Duration, string) {
	if strings.EqualFold(variables["binlog_expire_logs_auto_purge"], "OFF") || variables["binlog_expire_logs_auto_purge"] == "0" {
		return 0, ""
	}
	if n, err := strconv.ParseInt(variables["binlog_expire_logs_seconds"], 10, 64); err == nil && n > 0 {
		return time.Duration(n) * time.Second, "binlog_expire_logs_seconds"
	}
	if n, err := strconv.ParseFloat(variables["expire_logs_days"], 64); err == nil && n > 0 { // MariaDB takes fractions
		return time.Duration(n * 24 * float64(time.Hour)), "expire_logs_days"
	}
	return 0, ""
}

// amazons says whether a data directory is one of Amazon RDS or Aurora.
func amazons(datadir string) bool { return strings.HasPrefix(datadir, "/rdsdbdata/") }
