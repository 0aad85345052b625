package ddmsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
)

// BenchmarkInsert sends 256 KiB multi-row statements whose rows spread over 8
// shards, or go to one.
func BenchmarkInsert(b *testing.B) {
	s := simtest.Start(b, 8)
	db := s.DB(b)
	_, err := db.Exec("CREATE TABLE o (id BIGINT PRIMARY KEY, k BIGINT, a VARCHAR(200), c VARBINARY(200), d DATETIME(3)) DBPARTITION BY MOD_HASH(k)")
	require.NoError(b, err)
	id := 0
	statement := func(spread int) string {
		var q strings.Builder
		q.WriteString("INSERT INTO o VALUES ")
		for i := 0; q.Len() < 256<<10; i++ {
			if i > 0 {
				q.WriteByte(',')
			}
			id++
			fmt.Fprintf(&q, "(%d,%d,'%s',x'%s','2024-01-01 00:00:00.123')", id, id%spread, strings.Repeat("text ", 20), strings.Repeat("ab", 50))
		}
		return q.String()
	}
	for _, spread := range []int{1, 8} {
		b.Run(fmt.Sprintf("shards=%d", spread), func(b *testing.B) {
			var bytes int64
			for b.Loop() {
				b.StopTimer()
				q := statement(spread)
				bytes += int64(len(q))
				b.StartTimer()
				_, err := db.Exec(q)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
		})
	}
}
