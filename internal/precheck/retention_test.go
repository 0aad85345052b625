package precheck

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// TestEstimatedCopy_FollowsLimitsAndWindows: what a copy takes that begins at a
// time of day.
func TestEstimatedCopy_FollowsLimitsAndWindows(t *testing.T) {
	const gib = 1 << 30
	night := []task.LimitWindow{{From: "22:00", To: "06:00", MBPerSecond: 10}}
	morning := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		rows, bytes int64
		limits      task.Limits
		want        time.Duration
	}{
		"nothing":                         {0, 0, task.Limits{}, time.Minute},
		"the usual rate":                  {1, 36 * gib, task.Limits{}, 3686 * time.Second},
		"bytes":                           {1, 36 * gib, task.Limits{MBPerSecond: 1}, 36864 * time.Second},
		"rows":                            {36_000, gib, task.Limits{RowsPerSecond: 10}, time.Hour},
		"by day slowly, by night quickly": {1, 92 * gib, task.Limits{MBPerSecond: 1, Windows: night}, 17 * time.Hour},
		"never":                           {1 << 40, gib, task.Limits{RowsPerSecond: 1}, longestCopy},
	} {
		pairs := []pair{{source: &table.Table{Rows: c.rows, Bytes: c.bytes}}}
		require.InEpsilon(t, c.want, estimatedCopy(pairs, c.limits, morning), 0.02, name)
	}
}

// TestRetention_OfAmazonThatTheAccountDoesNotSee: an account with the least
// rights may not read RDS's setting, and the server's own variable says nothing.
func TestRetention_OfAmazonThatTheAccountDoesNotSee(t *testing.T) {
	f := judgeRetention(source.Retention{For: 30 * 24 * time.Hour, By: "binlog_expire_logs_seconds", Hidden: true}, "GRANT SELECT …;")
	require.Equal(t, contract.Alarm, f.verdict)
	require.Contains(t, f.remedy, "GRANT SELECT …;")
	require.Contains(t, f.remedy, "CALL mysql.rds_set_configuration")
}
