package telemetry

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	require.Equal(t, 200, answer.Code, answer.Body.String())
	return answer.Body.String()
}

func TestMetrics_CountsPerTags(t *testing.T) {
	m := NewMetrics()
	h := m.Temporal()
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			h.WithTags(map[string]string{"task-queue": "copy", "code": "SL-1"}).Counter("shardlift_activity_errors").Inc(2)
		})
	}
	group.Wait()
	// The SDK gives one name different sets of tags.
	h.Counter("shardlift_activity_errors").Inc(1)
	h.WithTags(map[string]string{"x": "1"}).WithTags(map[string]string{"x": "2"}).Gauge("temporal_slots").Update(7)
	h.Timer("temporal_latency").Record(1500 * time.Millisecond)
	h.Timer("temporal_latency").Record(500 * time.Millisecond)

	text := scrape(t, m)
	require.Contains(t, text, `shardlift_activity_errors_total{code="SL-1",task_queue="copy"} 20`)
	require.Contains(t, text, "shardlift_activity_errors_total 1\n")
	require.Contains(t, text, `temporal_slots{x="2"} 7`)
	require.Contains(t, text, "temporal_latency_seconds_count 2\n")
	require.Contains(t, text, "temporal_latency_seconds_sum 2\n")
	require.Contains(t, text, "go_goroutines")
}

func TestMetrics_SeriesOfATaskEndWithIt(t *testing.T) {
	m := NewMetrics()
	m.series.stale = time.Millisecond
	m.Temporal().WithTags(map[string]string{PassingTag: "t1", "task": "shop"}).Gauge("shardlift_delay_seconds").Update(2)
	m.Temporal().Gauge("shardlift_workers").Update(1)
	require.Eventually(t, func() bool { return !strings.Contains(scrape(t, m), "shardlift_delay_seconds") }, time.Minute, 10*time.Millisecond)
	require.Contains(t, scrape(t, m), "shardlift_workers 1")
	m.series.stale = time.Hour
	m.Temporal().WithTags(map[string]string{PassingTag: "t1", "task": "shop"}).Gauge("shardlift_delay_seconds").Update(3)
	require.Contains(t, scrape(t, m), `shardlift_delay_seconds{task="shop",task_id="t1"} 3`)
}
