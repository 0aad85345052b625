package precheck

import (
	"context"
	"fmt"
	"time"

	"shardlift/internal/source"
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
	r, err := source.ReadRetention(ctx, s.db)
	if err != nil {
		return finding{}, err
	}
	g, err := e.grantsOfSource(ctx)
	if err != nil {
		return finding{}, err
	}
	return judgeRetention(r, g.statement([]string{"SELECT"}, "`mysql`.`rds_configuration`", sourceUser)), nil
}

func judgeRetention(r source.Retention, show string) finding {
	const words = "the binlog is kept for %.4g hours"
	switch {
	case r.Provider && r.For == 0:
		return fail("binlog retention hours is not set: the provider purges files as soon as its own replicas have them", rdsRetention)
	case r.Hidden:
		return alarm("the server is one of Amazon RDS, and the account may not see its binlog retention hours: files may go as soon as its own replicas have them",
			show+"\nthen check again; or CALL mysql.rds_show_configuration; and with less than 72 hours "+rdsRetention)
	case r.For == 0:
		return alarm("the server never purges its binlog by age, or a provider does it", "make sure that the files are kept for at least three days and that the disk has room for them; on a cloud see its own setting (RDS: CALL mysql.rds_set_configuration('binlog retention hours', 72);)")
	case r.For < retentionWanted:
		return alarm(fmt.Sprintf(words+", less than three days: a longer pause, or a copy that takes longer, costs the task", r.For.Hours()), longer(r))
	default:
		return pass(words, r.For.Hours())
	}
}

// longer is the statement that keeps the binlog for three days.
func longer(r source.Retention) string {
	switch {
	case r.Provider:
		return rdsRetention
	case r.By == "expire_logs_days":
		return "SET GLOBAL expire_logs_days = 3;"
	default:
		return "SET GLOBAL binlog_expire_logs_seconds = 259200;"
	}
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
	r, err := source.ReadRetention(ctx, s.db)
	switch {
	case err != nil:
		return finding{}, err
	case r.Bytes > 0:
		return alarm(fmt.Sprintf("%s purges the binlog beyond %d MiB, however young; %s", r.BytesBy, r.Bytes>>20, needed),
			"SET GLOBAL "+r.BytesBy+" = 0; until the task has ended, or make sure that so much is not written meanwhile"), nil
	case r.For == 0 && !r.Provider, r.Hidden:
		return pass("the server does not purge by age; %s (srcDbBinlogExpireLogsDays)", needed), nil
	case r.For < 2*copying:
		return alarm(fmt.Sprintf("%s, the binlog is kept for %s: it may be purged before it was read", needed, lasting(r.For)), longer(r)+
			"\nwith at least twice that time; or raise the limits of the task, or set its policy.apply to during-copy"), nil
	}
	return pass("%s, the binlog is kept for %s", needed, lasting(r.For)), nil
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
