package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

func TestExit_WrongUsageIs2(t *testing.T) {
	file := exampleFile(t)
	for _, args := range [][]string{
		{"frob"},
		{"show"},
		{"show", "a", "b"},
		{"show", "a", "--nope"},
		{"show", "a", "-o", "xml"},
		{"list", "x"},
		{"list", "--status", "nope"},
		{"list", "--tag", "x"},
		{"create"},
		{"confirm", "a", "--all"},
		{"confirm", "a", "--note", "x"},
		{"confirm", "a", "b", "--all", "--note", "x"},
		{"confirm", "a", "--all", "--item", "b", "--note", "x"},
		{"start", "a", "--at", "tomorrow"},
		{"reschedule", "a"},
		{"limit", "a"},
		{"limit", "a", "--mb", "-1"},
		{"compare", "a"},
		{"compare", "a", "--type", "x"},
		{"stop", "a", "--incomplete", "--force"},
		{"wait", "a"},
		{"wait", "a", "--for", "x"},
		{"test"},
		{"test", "a", "--side", "x"},
		{"test", "a", "-f", file},
		{"set-credentials", "a", "--side", "x", "--password-env", "SOURCE_PASSWORD"},
		{"set-credentials", "a", "--side", "source", "--password-env", "NOT_SET"},
		{"logs", "a", "--level", "x"},
		{"comparisons", "a", "--differences"},
		{"tables", "a", "--limit", "5000"},
		{"keys"},
		{"grants", "-f", file, "--side", "x"},
		{"show", "a", "--server", "nonsense"},
		{"show", "a", "--timeout", "x"},
		{"init", "a", "b"},
	} {
		f := newFake(t)
		got := f.shardlift(args...)
		require.Equal(t, exitUsage, got.status, "%v: %s", args, got.err)
		require.Regexp(t, `^shardlift: SL-\d{4}: `, got.err)
		require.Contains(t, got.err, "remedy:")
		require.Empty(t, f.calls)
	}
}

func TestExit_FollowsWhatTheServerAnswers(t *testing.T) {
	for _, c := range []struct{ http, want int }{
		{http.StatusNotFound, exitFailed},
		{http.StatusUnauthorized, exitFailed},
		{http.StatusInternalServerError, exitFailed},
		{http.StatusBadGateway, exitFailed},
		{http.StatusConflict, exitRefused},
		{http.StatusPreconditionFailed, exitRefused},
		{http.StatusUnprocessableEntity, exitUsage},
		{http.StatusBadRequest, exitUsage},
		{http.StatusServiceUnavailable, exitUnreachable},
	} {
		f := newFake(t)
		f.hooks["PauseTask"] = refuse(api.Problem{Status: c.http, Code: "SL-7001", Title: "x"})
		require.Equal(t, c.want, f.shardlift("pause", "shop-to-ddm").status, c.http)
		require.Equal(t, 1, f.calls["PauseTask"], "an answer is an answer")
	}
}

func TestError_RefusalSaysStateActionsAndRemedy(t *testing.T) {
	f := newFake(t)
	f.hooks["StartTask"] = refuse(api.Problem{
		Status: http.StatusConflict, Title: "conflict", Code: "SL-7001", Object: new("task shop-to-ddm"), Detail: new("not allowed in this state: the task was started already"),
		Remedy: new("see the available actions"), State: new("FULL_TRANSFER_STARTED"), AvailableActions: &[]string{"pause", "stop"},
	})
	got := f.shardlift("start", "shop-to-ddm", "-o", "json")
	require.Equal(t, exitRefused, got.status)
	require.Empty(t, got.out)
	text := strings.Split(strings.TrimSpace(got.err), "\n")
	require.Equal(t, []string{
		"shardlift: SL-7001: task shop-to-ddm: not allowed in this state: the task was started already",
		"  state:     FULL_TRANSFER_STARTED (Full migration)",
		"  possible:  pause, stop",
		"  remedy:    see the available actions",
	}, text[:4])
	var p api.Problem
	require.NoError(t, json.Unmarshal([]byte(text[4]), &p))
	require.Equal(t, "SL-7001", p.Code)
	require.Equal(t, []string{"pause", "stop"}, value(p.AvailableActions))
}

func TestError_UnknownOutcomeNamesTheOperation(t *testing.T) {
	f := newFake(t)
	f.hooks["PauseTask"] = refuse(api.Problem{
		Status: http.StatusServiceUnavailable, Title: "outcome unknown", Code: "SL-8004", Detail: new("no worker answered"), Outcome: new("unknown"), OperationID: new("t1~abc"), Remedy: new("start a worker"),
	})
	got := f.shardlift("pause", "shop-to-ddm")
	require.Equal(t, exitUnreachable, got.status)
	require.Contains(t, got.err, "outcome unknown")
	require.Contains(t, got.err, "t1~abc")
}

func TestError_WrongFieldsAreListed(t *testing.T) {
	f := newFake(t)
	f.hooks["CreateTask"] = refuse(api.Problem{Status: http.StatusUnprocessableEntity, Code: "SL-1001", Title: "x", Fields: &[]api.FieldError{{Field: "name", Message: "4 to 50 characters"}}})
	got := f.shardlift("create", "-f", exampleFile(t))
	require.Equal(t, exitUsage, got.status)
	require.Contains(t, got.err, "field:     name: 4 to 50 characters")
}

func TestExit_SilentServerIs6AndSaysHowToStartIt(t *testing.T) {
	const address = "http://127.0.0.1:1"
	for _, args := range [][]string{{"show", "a"}, {"pause", "a"}, {"wait", "a", "--for", "synced"}, {"watch", "a"}, {"doctor"}} {
		f := newFake(t)
		got := f.shardlift(append(args, "--server", address)...)
		require.Equal(t, exitUnreachable, got.status, "%v: %s", args, got.err)
		require.Contains(t, got.err, address)
		require.Contains(t, got.err, "make up")
	}
}

func TestExit_MissingTokenNamesItsFile(t *testing.T) {
	got := newFake(t).shardlift("show", "a", "--token-file", "/nowhere/token")
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "/nowhere/token")
	require.Contains(t, got.err, "SHARDLIFT_TOKEN_FILE")
}

func TestExit_AnotherKindOfServerIs6(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) }))
	defer other.Close()
	got := newFake(t).shardlift("show", "a", "--server", other.URL)
	require.Equal(t, exitUnreachable, got.status)
	require.Contains(t, got.err, "SL-8206")
}

// lossy drops the connection of the first requests after they were read.
func lossy(t *testing.T, f *fake, drops int64) (address string, seen *atomic.Int64) {
	seen = &atomic.Int64{}
	inner := f.server.Config.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1) <= drops {
			inner.ServeHTTP(httptest.NewRecorder(), r)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

func TestRequest_IsRepeatedWithTheSameIdempotencyKey(t *testing.T) {
	f := newFake(t)
	address, seen := lossy(t, f, 2)
	got := f.shardlift("pause", "shop-to-ddm", "--server", address)
	require.Zero(t, got.status, got.err)
	require.EqualValues(t, 3, seen.Load())
	require.Len(t, f.keys, 3)
	require.Equal(t, f.keys[0], f.keys[1])
	require.Equal(t, f.keys[0], f.keys[2])

	first := f.keys[0]
	require.Zero(t, f.shardlift("pause", "shop-to-ddm").status)
	require.NotEqual(t, first, f.keys[3], "another command is another request")
}

func TestRequest_WithoutKeyIsNotRepeatedAndItsOutcomeIsUnknown(t *testing.T) {
	f := newFake(t)
	address, seen := lossy(t, f, 1)
	got := f.shardlift("delete", "shop-to-ddm", "--yes", "--server", address)
	require.Equal(t, exitUnreachable, got.status)
	require.Contains(t, got.err, "SL-8205")
	require.EqualValues(t, 1, seen.Load())
}

func TestTimeout_Is5AndBoundsTheWholeCommand(t *testing.T) {
	f := newFake(t)
	began := time.Now()
	got := f.shardlift("wait", "shop-to-ddm", "--for", "completed", "--timeout", "100ms")
	require.Equal(t, exitTimeout, got.status, got.err)
	require.Less(t, time.Since(began), time.Minute)
	require.Empty(t, got.out)
}

func TestInterrupt_Is1AndSaysThatTheTaskGoesOn(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.hooks["GetTask"] = func(n int) error {
		if n == 3 {
			cancel()
		}
		return nil
	}
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte(testToken), 0o600))
	got := runApp(ctx, func(a *app) { a.env = environment("SHARDLIFT_SERVER", f.server.URL, "SHARDLIFT_TOKEN_FILE", token) }, "wait", "shop-to-ddm", "--for", "completed")
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "SL-8208")
}
