package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"shardlift/internal/fault"
	"shardlift/internal/testdb"
	"shardlift/web/api"
)

// operation is one of the document's.
type operation struct{ method, path string }

func operations(t *testing.T) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(api.Document, &document))
	var out []operation
	for path, methods := range document.Paths {
		for method := range methods {
			if method != "parameters" {
				out = append(out, operation{strings.ToUpper(method), strings.NewReplacer("{id}", "nobody", "{n}", "1").Replace(path)})
			}
		}
	}
	require.Greater(t, len(out), 25)
	return out
}

func TestServer_EveryOperationIsRoutedAndNeedsTheToken(t *testing.T) {
	r := newRig(t)
	for _, o := range operations(t) {
		for _, given := range []string{"", "Bearer wrong", "Basic " + token, token} {
			a := r.ask(o.method, o.path, "", "Authorization", given)
			require.Equal(t, http.StatusUnauthorized, a.status, "%s %s with %q", o.method, o.path, given)
			require.Equal(t, fault.Unauthorized.Code, a.problem().Code)
			require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		}
		if o.path == "/api/v1/doctor" {
			continue // waits for Temporal's answers
		}
		a := r.ask(o.method, o.path, "{}")
		if a.status >= http.StatusBadRequest {
			require.NotEqual(t, fault.NoSuchPath.Code, a.problem().Code, "%s %s is not routed: %s", o.method, o.path, a.body)
			require.Less(t, a.status, http.StatusInternalServerError, "%s %s: %s", o.method, o.path, a.body)
		}
	}
}

func TestServer_ServesTheDocument(t *testing.T) {
	r := newRig(t)
	a := r.ask(http.MethodGet, "/openapi.yaml", "", "Authorization", "")
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, string(api.Document), a.body)
}

func TestServer_ProblemsForPathsAndMethods(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/nothing", "/api/v1/nothing", "/api/v2/tasks", "/api/v1/tasks/x/explode"} {
		p := r.ask(http.MethodGet, path, "").problem()
		require.Equal(t, http.StatusNotFound, p.Status, path)
		require.Equal(t, fault.NoSuchPath.Code, p.Code)
	}
	for path, method := range map[string]string{"/api/v1/tasks": http.MethodPut, "/api/v1/doctor": http.MethodDelete, "/healthz": http.MethodPost} {
		a := r.ask(method, path, "")
		require.Equal(t, http.StatusMethodNotAllowed, a.problem().Status, path)
		require.NotEmpty(t, a.header.Get("Allow"))
	}
	p := r.ask(http.MethodGet, "/api/v1/tasks/nobody", "").problem()
	require.Equal(t, http.StatusNotFound, p.Status)
	require.Equal(t, fault.UnknownTask.Code, p.Code)
}

func TestServer_HealthIsForLoopbackWithoutProxy(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		require.Eventually(t, func() bool { return r.ask(http.MethodGet, path, "", "Authorization", "").status == http.StatusOK }, time.Minute, 50*time.Millisecond, path)
		for _, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"} {
			require.Equal(t, http.StatusNotFound, r.ask(http.MethodGet, path, "", header, "10.0.0.1").status, path)
		}
	}
}

func TestServer_HeadersKeepPagesAndAnswersPrivate(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/sign-in", "/api/v1/version", "/nothing", "/static/style.css"} {
		h := r.ask(http.MethodGet, path, "").header
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"), path)
		require.Equal(t, "no-store", h.Get("Cache-Control"), path)
	}
}

func TestServer_WithoutTemporalItStartsAndSaysWhyItIsNotReady(t *testing.T) {
	r := newRigWithoutTemporal(t)
	require.Equal(t, http.StatusOK, r.ask(http.MethodGet, "/healthz", "").status)
	began := time.Now()
	a := r.ask(http.MethodGet, "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Contains(t, a.body, fault.TemporalUnavailable.Code)
	require.Less(t, time.Since(began), readyTime+time.Minute)

	for _, o := range []operation{{http.MethodGet, "/api/v1/tasks"}, {http.MethodGet, "/api/v1/tasks/shop"}, {http.MethodPost, "/api/v1/tasks/shop/pause"}} {
		began := time.Now()
		p := r.ask(o.method, o.path, "").problem()
		require.Equal(t, http.StatusServiceUnavailable, p.Status, o.path)
		require.Equal(t, fault.TemporalUnavailable.Code, p.Code)
		require.NotEmpty(t, value(p.Remedy))
		require.Less(t, time.Since(began), time.Minute, o.path)
	}
	doctor := decoded[api.Doctor](r.ask(http.MethodGet, "/api/v1/doctor", ""), http.StatusOK)
	require.False(t, doctor.Ok)
	page := r.signedIn("/")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, fault.TemporalUnavailable.Code)
}

func TestServer_APanicIsAnInternalErrorWithoutItsText(t *testing.T) {
	r := newRig(t)
	r.service.Temporal = nil // the first call panics
	p := r.ask(http.MethodGet, "/api/v1/tasks", "").problem()
	require.Equal(t, http.StatusInternalServerError, p.Status)
	require.Equal(t, fault.Internal.Code, p.Code)
	require.Contains(t, r.log.String(), "ListTasks")
}

// The program as main runs it, with Temporal away.
func TestRun_ServesUntilItIsToldToEnd(t *testing.T) {
	port, err := testdb.FreePort()
	require.NoError(t, err)
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	data := filepath.Join(t.TempDir(), "data")
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"--listen", listen, "--data", data, "--log-level", "error"}) }()
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/healthz", listen), http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond)
	for _, file := range []string{"token", "web-key.json"} {
		info, err := os.Stat(filepath.Join(data, file))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	require.ErrorContains(t, run(t.Context(), []string{"--listen", listen, "--data", data}), "choose another with --listen")
	end()
	require.NoError(t, <-ended)
}
