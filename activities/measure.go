package activities

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"shardlift/internal/contract"
)

// Tags of a task's series. The series of a task id vanish soon after its last
// step has ended (telemetry).
const (
	tagTaskID = "task_id"
	tagTask   = "task"
)

// measure makes every beat of a step visible in the metrics of the worker.
func (s *step) measure(t *resolved) {
	meter := activity.GetMetricsHandler(s.parent).WithTags(map[string]string{tagTaskID: t.TaskID, tagTask: t.Spec.Name})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter = meter
}

// record puts the numbers of one beat into gauges; docs/operations.md maps them
// to the metrics of DRS.
func record(m client.MetricsHandler, details any) {
	set := func(name string, v float64) { m.Gauge("shardlift_" + name).Update(v) }
	switch b := details.(type) {
	case contract.ApplyBeat:
		set("delay_seconds", float64(b.DelayMillis)/1000)
		set("capture_delay_seconds", float64(b.CaptureDelay)/1000)
		set("apply_delay_seconds", float64(b.ApplyDelay)/1000)
		set("apply_rows_per_second", b.RowsRate)
		set("apply_transactions_per_second", b.TxRate)
		set("applied_rows", float64(b.Rows))
		set("applied_transactions", float64(b.Transactions))
		set("divergences", float64(b.Divergences))
		set("caught_up", truth(b.CaughtUp))
		set("apply_throttled", truth(b.Throttle != ""))
	case contract.CopyBeat:
		set("copy_throttled", truth(b.Throttle != ""))
	case contract.WatchBeat:
		p := b.Progress
		set("copied_rows", float64(p.RowsDone))
		set("copied_bytes", float64(p.BytesDone))
		set("copy_rows_estimated", float64(p.RowsEstimated))
		set("copy_rows_per_second", p.RowsRate)
		set("copy_bytes_per_second", p.BytesRate)
		if b.GapBytes >= 0 {
			set("binlog_gap_bytes", float64(b.GapBytes))
		}
		if b.PurgeAt != nil {
			set("binlog_purge_timestamp_seconds", float64(b.PurgeAt.Unix()))
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
