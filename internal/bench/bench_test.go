package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// copiedRows are as many rows of about 130 bytes as the judged run's tables have.
	copiedRows = 200_000
	// appliedTransactions have rowsEach rows, changed, new and deleted ones.
	appliedTransactions = 10_000
	rowsEach            = 4
)

// both runs f into a plain server and into the simulator.
func both(b *testing.B, f func(b *testing.B, sharded bool)) {
	b.Run("mysql", func(b *testing.B) { f(b, false) })
	b.Run("simulator", func(b *testing.B) { f(b, true) })
}

// BenchmarkCopy_AgainstMysqldump: above 1 the copy is the faster one. mysqldump
// reads with one thread and one snapshot and keeps nothing with which it could go
// on after a crash.
func BenchmarkCopy_AgainstMysqldump(b *testing.B) {
	both(b, func(b *testing.B, sharded bool) {
		r := newRig(b, sharded)
		r.fill(copiedRows)
		var ours, theirs time.Duration
		for b.Loop() {
			r.empty()
			theirs += timed(func() { r.dump(r.to) })
			r.requireEqual(r.to)
			r.empty()
			ours += timed(r.copy)
			r.requireEqual(r.to)
		}
		report(b, ours, theirs, copiedRows, "rows/s")
	})
}

// BenchmarkApply_AgainstMysqlbinlog: the same transactions, replayed by mysqlbinlog
// as the server wrote them (into MySQL only: a middleware takes no BINLOG
// statement) and by the apply with its checkpoints.
func BenchmarkApply_AgainstMysqlbinlog(b *testing.B) {
	r := newRig(b, false)
	r.fill(copiedRows)
	r.dump(r.other)
	r.copy()
	var ours, theirs time.Duration
	for b.Loop() {
		file, offset := r.place()
		r.change(appliedTransactions, rowsEach)
		theirs += timed(func() {
			pipe(b,
				r.source.Client(b, "mysqlbinlog", "--read-from-remote-server", "--to-last-log", "--skip-gtids",
					fmt.Sprintf("--rewrite-db=%s->%s", r.schema, r.other), "--database="+r.other, "--start-position="+offset, file),
				r.destination.Client(b, "mysql", "--binary-mode"))
		})
		ours += timed(r.apply)
		r.requireEqual(r.to)
		r.requireEqual(r.other)
	}
	report(b, ours, theirs, appliedTransactions, "transactions/s")
}

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func report(b *testing.B, ours, theirs time.Duration, n int, unit string) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(theirs)/float64(ours), "times_as_fast")
	b.ReportMetric(float64(n*b.N)/ours.Seconds(), "ours_"+unit)
	b.ReportMetric(float64(n*b.N)/theirs.Seconds(), "theirs_"+unit)
}

// pipe runs from | to.
func pipe(b *testing.B, from, to *exec.Cmd) {
	b.Helper()
	var said bytes.Buffer
	out, err := from.StdoutPipe()
	require.NoError(b, err)
	from.Stderr, to.Stdin, to.Stderr = &said, out, &said
	require.NoError(b, from.Start())
	require.NoError(b, to.Run(), said.String())
	require.NoError(b, from.Wait(), said.String())
}
