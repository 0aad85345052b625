package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

func TestEstimate_GoesOnBetweenReportsAndNeverTo100(t *testing.T) {
	began := time.Now()
	after := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	report := func(percent int, rows int64, speed float64) api.FullProgress {
		return api.FullProgress{Percent: &percent, RowsDone: &rows, RowsEstimated: new(int64(1000)), RowsPerSecond: &speed, RemainingSeconds: new(int64(50))}
	}
	e := &estimate{}
	e.report(report(50, 500, 10), began)
	rows, percent := e.show(after(5))
	require.EqualValues(t, 550, rows)
	require.InDelta(t, 55, percent, 0.01)
	require.EqualValues(t, 45, *e.remaining(after(5)))

	// The same numbers again are the same report.
	e.report(report(50, 500, 10), after(6))
	rows, _ = e.show(after(8))
	require.EqualValues(t, 580, rows)

	// An old report is not carried on for ever.
	rows, _ = e.show(after(500))
	require.EqualValues(t, 620, rows)

	// A report below what was shown does not make the bar go back.
	e.report(report(55, 560, 10), after(501))
	rows, percent = e.show(after(501))
	require.EqualValues(t, 620, rows)
	require.InDelta(t, 62, percent, 0.01)

	// Never beyond the estimate, never 100 % before the server says so.
	e.report(report(99, 995, 1000), after(510))
	rows, percent = e.show(after(520))
	require.EqualValues(t, 1000, rows)
	require.Less(t, percent, 100.0)
	e.report(report(100, 1200, 0), after(521))
	rows, percent = e.show(after(521))
	require.EqualValues(t, 1200, rows)
	require.InDelta(t, 100, percent, 0.01)

	// A reset begins anew.
	e.report(report(0, 0, 0), after(600))
	rows, percent = e.show(after(600))
	require.Zero(t, rows)
	require.Zero(t, percent)
}

func TestWatch_PrintsLinesWhereNoBarCanBe(t *testing.T) {
	f := newFake(t)
	f.script = []func(*api.Task){same, same, toIncremental, same, toEnded}
	got := f.shardlift("watch", "shop-to-ddm")
	require.Zero(t, got.status, got.err)
	text := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, text, 3, got.out)
	require.Regexp(t, `^\d\d:\d\d:\d\d  Full migration  [45]\d\.\d %  [2-4]\d\d,\d\d\d/500,000 rows  8,413 rows/s  3\.4 MB/s  [1-3]\d s left$`, text[0])
	require.Regexp(t, `Incremental migration  delay 140 ms, 812 rows/s, 302 tx/s, at binlog.000004:1200, synced$`, text[1])
	require.Contains(t, text[2], "Completed")
	require.NotContains(t, got.out, "\x1b")
}

func TestWatch_DrawsABarOnATerminal(t *testing.T) {
	f := newFake(t)
	f.script = []func(*api.Task){same, same, toIncremental, toEnded}
	got := f.run(func(a *app) { a.draws = true }, "watch", "shop-to-ddm")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.out, "42%")
	require.Contains(t, got.out, "rows/s")
	require.Contains(t, got.out, "delay 140 ms")
	require.Contains(t, got.out, "Completed")
}

func TestWatch_FailedTaskIs1WithItsRemedy(t *testing.T) {
	f := newFake(t)
	f.script = []func(*api.Task){same, toFailed}
	got := f.shardlift("watch", "shop-to-ddm", "-o", "json")
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "SL-2003: source: access was denied")
	require.Contains(t, got.err, "possible:  resume, retry, stop, reset")
	require.Len(t, strings.Split(strings.TrimSpace(got.out), "\n"), 2, "one line of JSON a change")
}

func TestWatch_EndsWellByCtrlC(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.hooks["GetTask"] = func(n int) error {
		if n == 2 {
			cancel()
		}
		return nil
	}
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte(testToken), 0o600))
	got := runApp(ctx, func(a *app) { a.env = environment("SHARDLIFT_SERVER", f.server.URL, "SHARDLIFT_TOKEN_FILE", token) }, "watch", "shop-to-ddm")
	require.Equal(t, exitOK, got.status, got.err)
}
