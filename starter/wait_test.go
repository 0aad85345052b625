package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

func TestWait_EndsAtTheStateItWaitsFor(t *testing.T) {
	paused := func(t *api.Task) { t.Status, t.StatusLabel = "PAUSING", "Paused" }
	resumed := func(t *api.Task) { t.Status = "FULL_TRANSFER_STARTED" }
	cutShort := func(t *api.Task) { percent := t.Full.Percent; toEnded(t); t.Full.Percent = percent }
	for name, c := range map[string]struct {
		what   string
		script []func(*api.Task)
		want   int
	}{
		"full-complete":                     {forFullComplete, []func(*api.Task){same, same, toIncremental}, exitOK},
		"full-complete of a full-only task": {forFullComplete, []func(*api.Task){same, toEnded}, exitOK},
		"full-complete over a pause":        {forFullComplete, []func(*api.Task){same, paused, paused, resumed, toIncremental}, exitOK},
		"full-complete, stopped before":     {forFullComplete, []func(*api.Task){same, cutShort}, exitFailed},
		"full-complete, failed":             {forFullComplete, []func(*api.Task){same, toFailed}, exitFailed},
		"completed":                         {forCompleted, []func(*api.Task){same, toIncremental, toEnded}, exitOK},
		"completed, failed":                 {forCompleted, []func(*api.Task){same, toFailed}, exitFailed},
		"failed":                            {forFailed, []func(*api.Task){same, toFailed}, exitOK},
		"failed, ended":                     {forFailed, []func(*api.Task){same, toEnded}, exitFailed},
	} {
		f := newFake(t)
		f.script = c.script
		got := f.shardlift("wait", "shop-to-ddm", "--for", c.what)
		require.Equal(t, c.want, got.status, "%s: %s%s", name, got.out, got.err)
		require.Empty(t, f.script, name)
		if strings.HasSuffix(name, ", failed") {
			require.Contains(t, got.err, "SL-2003: source: access was denied", name)
			require.Contains(t, got.err, "check user, password and the privileges", name)
		}
	}
}

func TestWait_FullCopyAt100PercentIsNotYetComplete(t *testing.T) {
	task := exampleTask()
	task.Full.Percent = new(100)
	require.False(t, fullComplete(&task))
}

func TestWaitSynced_AsksUntilThePointIsReached(t *testing.T) {
	f := newFake(t)
	toIncremental(&f.task)
	f.reached = 4
	got := f.shardlift("wait", "shop-to-ddm", "--for", "synced", "-o", "json")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.out, `"reached": true`)
	require.Equal(t, 1, f.calls["CreateSyncPoint"])
	require.Equal(t, 4, f.calls["GetSyncPoint"])
}

func TestWaitSynced_BearsAWorkerThatIsAwayAndNotAFailedTask(t *testing.T) {
	away := func(until int) func(int) error {
		return func(n int) error {
			if n <= until {
				return &refusal{api.Problem{Status: http.StatusServiceUnavailable, Title: "outcome unknown", Code: "SL-8004", Outcome: new("unknown")}}
			}
			return nil
		}
	}
	f := newFake(t)
	toIncremental(&f.task)
	f.reached = 3
	f.hooks["CreateSyncPoint"], f.hooks["GetSyncPoint"] = away(3), away(2)
	got := f.shardlift("wait", "shop-to-ddm", "--for", "synced")
	require.Zero(t, got.status, got.err)
	require.Equal(t, 4, f.calls["CreateSyncPoint"])

	f = newFake(t)
	f.reached = 1000
	f.script = []func(*api.Task){same, toFailed}
	got = f.shardlift("wait", "shop-to-ddm", "--for", "synced")
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "SL-2003")

	f = newFake(t)
	f.hooks["CreateSyncPoint"] = refuse(api.Problem{Status: http.StatusConflict, Code: "SL-7017"})
	require.Equal(t, exitRefused, f.shardlift("wait", "shop-to-ddm", "--for", "synced").status)
}

// TestWaitSynced_ATableThatStandsApart: what brings it on is waited for; a parked
// one needs somebody.
func TestWaitSynced_ATableThatStandsApart(t *testing.T) {
	apart := func(state api.TableGroupState) func(*api.Task) {
		return func(t *api.Task) { toParked(t); (*t.Groups)[0].State = state }
	}
	f := newFake(t)
	f.reached = 3
	f.script = []func(*api.Task){apart(api.Applying), apart(api.Merging), apart(api.Dropped)}
	require.Zero(t, f.shardlift("wait", "shop-to-ddm", "--for", "synced").status)

	f = newFake(t)
	f.reached = 1000
	f.script = []func(*api.Task){apart(api.Applying), apart(api.Parked)}
	got := f.shardlift("wait", "shop-to-ddm", "--for", "synced")
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "SL-7029")
	require.Contains(t, got.err, "Shop.orders")
}

func TestWait_PatienceHasAnEnd(t *testing.T) {
	f := newFake(t)
	f.hooks["GetTask"] = func(n int) error {
		if n == 1 {
			return nil
		}
		return &refusal{api.Problem{Status: http.StatusServiceUnavailable, Code: "SL-8001", Title: "x"}}
	}
	got := f.shardlift("wait", "shop-to-ddm", "--for", "completed")
	require.Equal(t, exitUnreachable, got.status)
	require.Greater(t, f.calls["GetTask"], 2)
	require.Equal(t, 1, strings.Count(got.err, "waiting: "), "trouble is told once")
}

func TestPrecheckWait_IsZeroOnlyAt100Percent(t *testing.T) {
	whole := func(f *fake) {
		f.items.Summary.PassedRate, f.items.Summary.Failed = new(100), 0
	}
	running := func(t *api.Task) { t.Precheck.State = "running" }
	done := func(t *api.Task) { t.Precheck.State = "done" }
	f := newFake(t)
	whole(f)
	f.script = []func(*api.Task){running, same, done}
	require.Zero(t, f.shardlift("precheck", "shop-to-ddm", "--wait").status)
	require.Equal(t, 3, f.calls["GetTask"])

	f = newFake(t)
	whole(f)
	f.items.Summary.State = "expired"
	require.Equal(t, exitCheck, f.shardlift("precheck", "shop-to-ddm", "--show").status)

	f = newFake(t)
	whole(f)
	f.hooks["PrecheckTask"] = refuse(api.Problem{Status: http.StatusConflict, Code: "SL-7007"})
	require.Zero(t, f.shardlift("precheck", "shop-to-ddm", "--wait").status, "the running one is waited for")
	require.Equal(t, exitRefused, f.shardlift("precheck", "shop-to-ddm").status)

	f = newFake(t)
	f.task.Precheck.State = "none"
	toFailed(&f.task)
	got := f.shardlift("precheck", "shop-to-ddm", "--wait")
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "SL-2003", "what kept it from running is said")
}

func TestCompareWait_IsZeroOnlyWhenConsistent(t *testing.T) {
	result := func(r string) func(*api.Task) {
		return func(t *api.Task) { t.Comparison = &api.ComparisonSummary{ID: "c2", Type: "rows", Result: r} }
	}
	for answer, want := range map[string]int{"CONSISTENT": exitOK, "INCONSISTENT": exitCheck, "FAILED_TO_COMPARE": exitCheck} {
		f := newFake(t)
		f.compare.Result = answer
		f.script = []func(*api.Task){result("COMPARING"), result("COMPARING"), result(answer)}
		got := f.shardlift("compare", "shop-to-ddm", "--type", "rows", "--wait", "-o", "json")
		require.Equal(t, want, got.status, got.err)
		require.Empty(t, f.script)
		require.Contains(t, got.out, `"result": "`+answer+`"`)
	}
	f := newFake(t)
	f.script = []func(*api.Task){result("COMPARING"), toEnded, func(t *api.Task) { t.Comparison = nil }}
	require.Equal(t, exitFailed, f.shardlift("compare", "shop-to-ddm", "--type", "rows", "--wait").status)
}

func TestStopWait_SaysWhatTheReportSays(t *testing.T) {
	f := newFake(t)
	f.report.Incomplete = true
	f.script = []func(*api.Task){same, toEnded}
	got := f.shardlift("stop", "shop-to-ddm", "--incomplete", "--wait", "--yes")
	require.Equal(t, exitCheck, got.status)
	require.Contains(t, got.out, "INCOMPLETE")

	f = newFake(t)
	f.script = []func(*api.Task){same, func(t *api.Task) { toFailed(t); t.Status = "RELEASE_RESOURCE_FAILED" }}
	require.Equal(t, exitFailed, f.shardlift("stop", "shop-to-ddm", "--wait", "--yes").status)

	f = newFake(t)
	f.script = []func(*api.Task){toEnded}
	f.hooks["GetReport"] = refuse(api.Problem{Status: http.StatusNotFound, Code: "SL-8008"})
	require.Zero(t, f.shardlift("stop", "shop-to-ddm", "--force", "--wait", "--yes").status)
}

func TestDelete_WaitsForItsEnd(t *testing.T) {
	f := newFake(t)
	got := f.shardlift("delete", "shop-to-ddm", "--yes", "-o", "json")
	require.Zero(t, got.status)
	require.Equal(t, 3, f.calls["GetOperation"])
	require.Contains(t, got.out, `"state": "done"`)
	f.calls["GetOperation"] = 0
	f.hooks["GetOperation"] = func(int) error { return errors.New("broken") }
	require.NotZero(t, f.shardlift("delete", "shop-to-ddm", "--yes").status)
}

func TestLogs_FollowEndsWithTheTask(t *testing.T) {
	f := newFake(t)
	f.script = []func(*api.Task){same, same, same, toEnded}
	got := f.shardlift("logs", "shop-to-ddm", "-f")
	require.Zero(t, got.status, got.err)
	require.Equal(t, 1, strings.Count(got.out, "the copy begins"))
	require.Equal(t, 1, strings.Count(got.out, "the source is busy"))
	require.GreaterOrEqual(t, f.calls["ListLogs"], 4)
}

func TestLimit_KeepsTheOneThatIsNotNamed(t *testing.T) {
	f := newFake(t)
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--rows", "7").status)
	require.Contains(t, f.sent("LimitTask"), `"mb_per_second":20,"rows_per_second":7`)
	f.task.Limits = nil // no worker answers: the present limits are unknown
	require.Equal(t, exitFailed, f.shardlift("limit", "shop-to-ddm", "--rows", "7").status)
}

func TestLimit_KeepsWindowsAndSetsThem(t *testing.T) {
	f := newFake(t)
	f.task.Limits.Windows = &[]api.LimitWindow{{From: "22:00", To: "06:00", MbPerSecond: new(0)}}
	f.task.Limits.TimeZone = new("Europe/Berlin")
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--mb", "7").status)
	require.Contains(t, f.sent("LimitTask"), `"time_zone":"Europe/Berlin","windows":[{"from":"22:00","mb_per_second":0,"to":"06:00"}]`)
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--window", "01:00-02:00,mb=5,rows=9", "--apply").status)
	require.Contains(t, f.sent("LimitTask"), `"apply":true,"mb_per_second":20`)
	require.Contains(t, f.sent("LimitTask"), `"windows":[{"from":"01:00","mb_per_second":5,"rows_per_second":9,"to":"02:00"}]`)
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--window", "none").status)
	require.Contains(t, f.sent("LimitTask"), `"windows":[]`)
	for _, wrong := range []string{"22:00", "22:00-06:00,mb", "22:00-06:00,gb=1", "-06:00", "22:00-06:00,mb=-1"} {
		require.Equal(t, exitUsage, f.shardlift("limit", "shop-to-ddm", "--window", wrong).status, wrong)
	}
	require.Equal(t, exitUsage, f.shardlift("limit", "shop-to-ddm").status)
	require.Contains(t, f.shardlift("show", "shop-to-ddm").out, "22:00 to 06:00 Europe/Berlin")
}

func TestLimit_KeepsLoadAndSetsIt(t *testing.T) {
	f := newFake(t)
	f.task.Limits.Load = &api.LoadLimits{ThreadsRunning: new(32)}
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--mb", "7").status)
	require.Contains(t, f.sent("LimitTask"), `"load":{"threads_running":32}`)
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--load", "destination_ms=500,history_list=0").status)
	require.Contains(t, f.sent("LimitTask"), `"load":{"destination_ms":500,"history_list":0,"threads_running":32}`)
	require.Zero(t, f.shardlift("limit", "shop-to-ddm", "--load", "none").status)
	require.NotContains(t, f.sent("LimitTask"), `"load"`)
	for _, wrong := range []string{"", "threads", "threads_running=-1", "threads_running=x", "cpu=5", "threads_running=1,"} {
		require.Equal(t, exitUsage, f.shardlift("limit", "shop-to-ddm", "--load", wrong).status, wrong)
	}
}

func TestDoctor_BadPartIs4(t *testing.T) {
	f := newFake(t)
	f.hooks["Doctor"] = refuse(api.Problem{Status: http.StatusServiceUnavailable, Code: "SL-8001", Title: "x", Remedy: new("start it")})
	got := f.shardlift("doctor", "-o", "json")
	require.Equal(t, exitUnreachable, got.status)
	require.Contains(t, got.out, `"ok": false`)
	require.Equal(t, exitUsage, f.shardlift("retry", "shop-to-ddm", "--fence-confirmed").status)
	require.Equal(t, exitUsage, f.shardlift("add", "shop-to-ddm", "--table", "nodot").status)
	require.Equal(t, exitUsage, f.shardlift("drop", "shop-to-ddm", "--yes").status)
}

func TestWaitSynced_WaitsThroughTheStart(t *testing.T) {
	f := newFake(t)
	f.task.Status = "STARTJOBING"
	f.reached = 1
	planned := false
	f.script = []func(*api.Task){same, func(task *api.Task) { toIncremental(task); planned = true }}
	f.hooks["CreateSyncPoint"] = func(int) error {
		require.True(t, planned, "no point before the plan is made")
		return nil
	}
	got := f.shardlift("wait", "shop-to-ddm", "--for", "synced")
	require.Zero(t, got.status, got.err)
}
