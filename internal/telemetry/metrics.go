package telemetry

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"
)

// Metrics collects what the Temporal SDK and we measure, for Prometheus. It is
// the client's MetricsHandler of a process; safe for concurrent use. Counters
// get the ending _total, timers _seconds with count and sum.
//
// Tag values must come from a small set (queue, activity type, code): each
// combination is kept for the life of the process, but for series with the tag
// PassingTag, which vanish when they are no longer updated.
type Metrics struct {
	series   *seriesSet
	registry *prometheus.Registry
}

// PassingTag is the tag of series that belong to a task and end with it.
const PassingTag = "task_id"

// stale is after how long without an update a passing series vanishes; a step
// beats every second.
const stale = 2 * time.Minute

// NewMetrics returns empty metrics with those of the Go runtime and the process.
func NewMetrics() *Metrics {
	m := &Metrics{series: &seriesSet{stale: stale, all: map[string]*series{}}, registry: prometheus.NewRegistry()}
	m.registry.MustRegister(m.series, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics as text.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Temporal returns the handler for client.Options.MetricsHandler.
func (m *Metrics) Temporal() client.MetricsHandler {
	return tagged{series: m.series}
}

// tagged is a MetricsHandler with its tags.
type tagged struct {
	series *seriesSet
	tags   map[string]string
}

var _ client.MetricsHandler = tagged{}

// WithTags adds tags; a new value replaces an old one.
func (h tagged) WithTags(tags map[string]string) client.MetricsHandler {
	all := make(map[string]string, len(h.tags)+len(tags))
	maps.Copy(all, h.tags)
	maps.Copy(all, tags)
	return tagged{series: h.series, tags: all}
}

// Counter counts upwards.
func (h tagged) Counter(name string) client.MetricsCounter {
	return counter{h.series.get(name+"_total", prometheus.CounterValue, h.tags)}
}

// Gauge holds the last value.
func (h tagged) Gauge(name string) client.MetricsGauge {
	return gauge{h.series.get(name, prometheus.GaugeValue, h.tags)}
}

// Timer sums up durations.
func (h tagged) Timer(name string) client.MetricsTimer {
	return timer{
		count: h.series.get(name+"_seconds_count", prometheus.CounterValue, h.tags),
		sum:   h.series.get(name+"_seconds_sum", prometheus.CounterValue, h.tags),
	}
}

type (
	counter struct{ s *series }
	gauge   struct{ s *series }
	timer   struct{ count, sum *series }
)

// Inc adds n.
func (c counter) Inc(n int64) { c.s.add(float64(n)) }

// Update replaces the value.
func (g gauge) Update(v float64) { g.s.set(v) }

// Record adds one duration.
func (t timer) Record(d time.Duration) {
	t.count.add(1)
	t.sum.add(d.Seconds())
}

// seriesSet holds one value for each name and combination of tags. It describes
// nothing in advance, because the SDK gives one name different sets of tags.
type seriesSet struct {
	stale time.Duration
	mu    sync.RWMutex
	all   map[string]*series
}

// series is one value.
type series struct {
	description *prometheus.Desc
	kind        prometheus.ValueType
	values      []string
	// passing: it vanishes when nobody has updated it for stale.
	passing bool

	mu    sync.Mutex
	value float64
	at    time.Time // of the last update
}

func (s *series) add(v float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value += v
	s.at = time.Now()
}

func (s *series) set(v float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = v
	s.at = time.Now()
}

func (s *series) get() (value float64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.at
}

func (s *seriesSet) get(name string, kind prometheus.ValueType, tags map[string]string) *series {
	names := slices.Sorted(maps.Keys(tags))
	values := make([]string, len(names))
	var key strings.Builder
	key.WriteString(name)
	for i, n := range names {
		values[i] = tags[n]
		key.WriteString("\x00" + n + "\x00" + tags[n])
		names[i] = metricName(n)
	}
	s.mu.RLock()
	found := s.all[key.String()]
	s.mu.RUnlock()
	if found != nil {
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.all[key.String()]; found != nil {
		return found
	}
	made := &series{description: prometheus.NewDesc(metricName(name), "see the documentation of operations", names, nil), kind: kind, values: values, at: time.Now()}
	_, made.passing = tags[PassingTag]
	s.all[key.String()] = made
	return made
}

// Describe says nothing: the set is not known in advance.
func (s *seriesSet) Describe(chan<- *prometheus.Desc) {}

// Collect sends every value.
func (s *seriesSet) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	maps.DeleteFunc(s.all, func(_ string, one *series) bool {
		_, at := one.get()
		return one.passing && time.Since(at) > s.stale
	})
	all := slices.Collect(maps.Values(s.all))
	s.mu.Unlock()
	for _, one := range all {
		value, _ := one.get()
		out <- prometheus.MustNewConstMetric(one.description, one.kind, value, one.values...)
	}
}

// metricName makes a name that Prometheus takes.
func metricName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}
