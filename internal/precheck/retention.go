package precheck

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"shardlift/internal/mysqlconn"
)

// retentionWanted is what DRS recommends (drs.md PC-19).
const retentionWanted = 3 * 24 * time.Hour

func binlogRetention(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	kept, known, err := providerRetention(ctx, s)
	if err != nil {
		return finding{}, err
	}
	if known {
		return judgeRetention(kept, "CALL mysql.rds_set_configuration('binlog retention hours', 72);"), nil
	}
	kept, remedy := serverRetention(s)
	if kept == 0 {
		return alarm("the server never purges its binlog by age, or a provider does it", "make sure that the files are kept for at least three days and that the disk has room for them; on a cloud see its own setting (RDS: CALL mysql.rds_set_configuration('binlog retention hours', 72);)"), nil
	}
	return judgeRetention(kept, remedy), nil
}

func judgeRetention(kept time.Duration, remedy string) finding {
	const words = "the binlog is kept for %.4g hours"
	if kept < retentionWanted {
		return alarm(fmt.Sprintf(words+", less than three days: a longer pause, or a copy that takes longer, costs the task", kept.Hours()), remedy)
	}
	return pass(words, kept.Hours())
}

// serverRetention reads the variables; 0 means never. Seconds win over days
// where both exist (MySQL 8.0).
func serverRetention(s *server) (time.Duration, string) {
	c := s.capabilities
	if _, there := c.Variable("binlog_expire_logs_auto_purge"); there && !c.IsOn("binlog_expire_logs_auto_purge") {
		return 0, ""
	}
	seconds, hasSeconds := c.Variable("binlog_expire_logs_seconds")
	if n, err := strconv.ParseInt(seconds, 10, 64); hasSeconds && err == nil && n > 0 {
		return time.Duration(n) * time.Second, "SET GLOBAL binlog_expire_logs_seconds = 259200;"
	}
	days, _ := c.Variable("expire_logs_days")
	if n, err := strconv.ParseFloat(days, 64); err == nil && n > 0 { // MariaDB takes fractions
		return time.Duration(n * 24 * float64(time.Hour)), "SET GLOBAL expire_logs_days = 3;"
	}
	return 0, ""
}

// providerRetention reads Amazon RDS's own setting; known is false where there
// is none. NULL means that files are purged as soon as possible.
func providerRetention(ctx context.Context, s *server) (kept time.Duration, known bool, err error) {
	rows, err := records(ctx, s.db, "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'")
	if refused(err) {
		return 0, false, nil
	}
	if err != nil || len(rows) == 0 {
		return 0, false, mysqlconn.Fault(err, "binlog retention")
	}
	hours, _ := strconv.ParseFloat(rows[0]["value"], 64)
	return time.Duration(hours * float64(time.Hour)), true, nil
}
