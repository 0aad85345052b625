package precheck

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/task"
)

const rdsRetention = "CALL mysql.rds_set_configuration('binlog retention hours', 72);"

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
	if known && kept == 0 {
		return fail("binlog retention hours is not set: the provider purges files as soon as its own replicas have them", rdsRetention), nil
	}
	if known {
		return judgeRetention(kept, rdsRetention), nil
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

// copyRate is what a copy is taken to move in a second when nothing limits it:
// far less than it does, since a middleware and a busy source may slow it down.
const copyRate = 10 << 20

// behindBesideCopy is how far an apply beside the copy is taken to be behind: it
// waits for the chunks that are being copied, and for the start of its own.
const behindBesideCopy = time.Hour

// purgeHorizon (PC-D26): the binlog since the start is needed until the full
// copy has ended, unless it is applied beside the copy.
func purgeHorizon(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	copying := estimatedCopy(pairs, e.config.Spec.Limits, time.Now())
	needed := "the copy takes about " + lasting(copying)
	if e.config.Spec.Policy.Apply == task.DuringCopy {
		copying = min(copying, behindBesideCopy)
		needed = "the apply beside the copy is behind by up to about " + lasting(copying)
	}
	for _, name := range []string{"binlog_space_limit", "max_binlog_total_size"} {
		if n, _ := strconv.ParseInt(s.capabilities.VariableOr(name, "0"), 10, 64); n > 0 {
			return alarm(fmt.Sprintf("%s purges the binlog beyond %d MiB, however young; %s", name, n>>20, needed),
				"SET GLOBAL "+name+" = 0; until the task has ended, or make sure that so much is not written meanwhile"), nil
		}
	}
	kept, known, err := providerRetention(ctx, s)
	if err != nil {
		return finding{}, err
	}
	remedy := rdsRetention
	if !known {
		if kept, remedy = serverRetention(s); kept == 0 {
			return pass("the server does not purge by age; %s (srcDbBinlogExpireLogsDays)", needed), nil
		}
	}
	if kept < 2*copying {
		return alarm(fmt.Sprintf("%s, the binlog is kept for %s: it may be purged before it was read", needed, lasting(kept)), remedy+
			"\nwith at least twice that time; or raise the limits of the task, or set its policy.apply to during-copy"), nil
	}
	return pass("%s, the binlog is kept for %s", needed, lasting(kept)), nil
}

// longestCopy bounds the estimate: by then something has changed.
const longestCopy = 366 * 24 * time.Hour

// estimatedCopy is how long the copy may take that begins now under the task's
// limits, by the minute where windows change them.
func estimatedCopy(pairs []pair, l task.Limits, now time.Time) time.Duration {
	var rows, bytes int64
	for _, p := range pairs {
		rows += max(p.source.Rows, 0)
		bytes += max(p.source.Bytes, 0)
	}
	const day = 24 * 60
	var done [day]float64 // part of the copy that each minute from now on does
	for i := range done {
		mb, perSecond, _ := l.At(now.Add(time.Duration(i) * time.Minute))
		rate := float64(copyRate)
		if mb > 0 {
			rate = min(rate, float64(mb)*(1<<20))
		}
		done[i] = 60 * rate / float64(max(bytes, 1))
		if perSecond > 0 {
			done[i] = min(done[i], 60*float64(perSecond)/float64(max(rows, 1)))
		}
		if len(l.Windows) == 0 { // every minute is alike
			return time.Duration(min(max(1/done[i], 1), longestCopy.Minutes()) * float64(time.Minute))
		}
	}
	minutes, part := 0, 0.0
	for ; part < 1 && minutes < int(longestCopy.Minutes()); minutes++ {
		part += done[minutes%day]
	}
	return time.Duration(max(minutes, 1)) * time.Minute
}

// lasting writes a duration for people.
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "no time"
	case d == time.Minute:
		return "a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	default:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
}
