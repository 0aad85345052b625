package binlog

import "testing"

// BenchmarkStream_Rows reads row events of 100 rows, ten to a transaction.
func BenchmarkStream_Rows(b *testing.B) {
	ids := make([]uint32, 100)
	rows := 0
	for b.Loop() {
		b.StopTimer()
		script := newScript()
		for n := range 100 {
			script.gtid(uint64(n + 1)).query("BEGIN")
			for range 10 {
				script.insert(ids...)
			}
			script.xid()
		}
		s := script.stream(b, true)
		b.StartTimer()
		for {
			e, err := s.Next(b.Context())
			if err != nil {
				break
			}
			rows += len(e.Changes)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkStream_Transactions reads transactions of one row.
func BenchmarkStream_Transactions(b *testing.B) {
	done := 0
	for b.Loop() {
		b.StopTimer()
		script := newScript()
		for n := range 10_000 {
			script.gtid(uint64(n + 1)).query("BEGIN").insert(1).xid()
		}
		s := script.stream(b, true)
		b.StartTimer()
		for {
			e, err := s.Next(b.Context())
			if err != nil {
				break
			}
			done += e.Transactions
		}
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "transactions/s")
}
