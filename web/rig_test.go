package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/secret"
	"shardlift/internal/temporalconn"
	"shardlift/internal/testtemporal"
	"shardlift/web/api"
	"shardlift/web/auth"
	"shardlift/web/console"
	"shardlift/workflows"
)

// How long a worker is waited for: where there is none, and where there is one on
// a machine that stands still for seconds.
const (
	withoutWorker = time.Second
	withWorker    = 2 * time.Minute
)

const token = "canary-token"

// rig is web as it runs, on a real Temporal server or on none.
type rig struct {
	t       *testing.T
	url     string
	log     *logged
	group   string
	service *control.Service

	mu    sync.Mutex
	calls map[string]int
}

// logged keeps what was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig serves on a Temporal server of the tests.
func newRig(t *testing.T) *rig {
	t.Helper()
	return rigAt(t, testtemporal.Get(t).Address)
}

// newRigWithoutTemporal serves where nothing listens at Temporal's address.
func newRigWithoutTemporal(t *testing.T) *rig {
	t.Helper()
	return rigAt(t, "127.0.0.1:1")
}

func rigAt(t *testing.T, address string) *rig {
	t.Helper()
	r := &rig{t: t, log: &logged{}, group: strings.ReplaceAll(uuid.NewString(), "-", ""), calls: map[string]int{}}
	c, err := temporalconn.Lazy(client.Options{
		HostPort: address, Namespace: contract.Namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(r.count)}},
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	workers, err := secret.NewKeyRing()
	require.NoError(t, err)
	own, err := secret.NewKeyRing()
	require.NoError(t, err)
	r.service = &control.Service{
		Temporal: c, Namespace: contract.Namespace, Own: own, WorkerTime: withoutWorker, HeartbeatTimeout: 15 * time.Second, WebUI: "http://127.0.0.1:8233",
		Workers: func() (secret.PublicKey, error) { return workers.Public(), nil },
	}
	guard, err := auth.New(token)
	require.NoError(t, err)
	pages, err := console.New()
	require.NoError(t, err)
	ready := func(ctx context.Context) error { return temporalconn.Ready(ctx, c, contract.Namespace) }
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metric 1\n") })
	server := httptest.NewServer(newServer(&handlers{service: r.service, version: "v-test"}, guard, pages, ready, metrics, zerolog.New(r.log).Level(zerolog.DebugLevel)))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *rig) count(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	r.mu.Lock()
	r.calls[method[strings.LastIndex(method, "/")+1:]]++
	r.mu.Unlock()
	return invoker(ctx, method, req, reply, cc, opts...)
}

// counted returns the calls to Temporal that f makes.
func (r *rig) counted(f func()) map[string]int {
	r.mu.Lock()
	r.calls = map[string]int{}
	r.mu.Unlock()
	f()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// makes wants f to make these calls to Temporal and no others. What Temporal was
// too busy to answer is asked again, and f is given another chance for it.
func (r *rig) makes(want map[string]int, f func()) {
	r.t.Helper()
	var calls map[string]int
	for range 5 {
		if calls = r.counted(f); maps.Equal(want, calls) {
			return
		}
	}
	require.Equal(r.t, want, calls)
}

// work starts a worker with the real workflows and played activities.
func (r *rig) work() {
	r.t.Helper()
	r.service.WorkerTime, r.service.CommandTime = withWorker, withWorker
	c := testtemporal.Get(r.t).Client(r.t)
	for _, queue := range []string{contract.QueueControl, contract.QueueShort(r.group)} {
		w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: 2 * time.Second})
		workflows.Register(w)
		answer := func(name string, f any) { w.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
		answer(contract.ListPrecheckItems.Name, func(context.Context, contract.TaskRef) ([]contract.PrecheckItemRef, error) {
			return []contract.PrecheckItemRef{{Code: "GRANTS"}}, nil
		})
		answer(contract.RunPrecheckItem.Name, func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
			return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Failed, Remedy: "GRANT SELECT ON *.* TO <source-user>"}, nil
		})
		answer(contract.StoreReport.Name, func(context.Context, contract.ReportIn) (contract.Report, error) {
			return contract.Report{OpenTransactions: -1, PreparedXA: 0}, nil
		})
		answer(contract.Inspect.Name, func(_ context.Context, in contract.InspectIn) (contract.InspectOut, error) {
			sealed, err := in.AnswerKey.SealJSON(contract.InspectUse(in.RequestID, "answer"), map[string]any{"ok": true, "tables": []contract.TableProgress{{Schema: "Shop", Table: "orders"}}})
			return contract.InspectOut{Answer: sealed}, err
		})
		require.NoError(r.t, w.Start())
		r.t.Cleanup(w.Stop)
	}
}

// answer is an HTTP answer.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// ask sends a request with the token; headers come in pairs.
func (r *rig) ask(method, path, body string, headers ...string) answer {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return r.send(request)
}

func (r *rig) send(request *http.Request) answer {
	r.t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := c.Do(request)
	require.NoError(r.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	require.NotContains(r.t, string(data), "canary-password", "an answer repeats a password")
	return answer{r.t, response.StatusCode, response.Header, string(data)}
}

// problem is the answer as problem+json.
func (a answer) problem() api.Problem {
	a.t.Helper()
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"), a.body)
	var p api.Problem
	require.NoError(a.t, json.Unmarshal([]byte(a.body), &p), a.body)
	require.Equal(a.t, a.status, p.Status)
	require.Regexp(a.t, `^SL-\d{4}$`, p.Code)
	require.NotEmpty(a.t, p.Title)
	return p
}

// fields are the wrong fields by name.
func (a answer) fields() map[string]string {
	a.t.Helper()
	require.Equal(a.t, http.StatusUnprocessableEntity, a.status, a.body)
	out := map[string]string{}
	for _, f := range value(a.problem().Fields) {
		out[f.Field] = f.Message
	}
	return out
}

func decoded[T any](a answer, status int) T {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a.body)
	require.Contains(a.t, a.header.Get("Content-Type"), "application/json")
	var out T
	require.NoError(a.t, json.Unmarshal([]byte(a.body), &out), a.body)
	return out
}

func name() string { return "Shop-" + uuid.NewString() }

// file is a valid task file as JSON; edit changes it.
func (r *rig) file(name string, edit ...func(map[string]any)) string {
	r.t.Helper()
	side := func() map[string]any {
		return map[string]any{"host": "db.internal", "port": 3306, "user": "mover", "password": "canary-password"}
	}
	f := map[string]any{
		"version": 1, "name": name, "type": "full+incremental", "worker_group": r.group, "source": side(), "destination": side(),
		"objects": []any{map[string]any{"schema": "Shop", "tables": []string{"*"}}}, "tags": map[string]any{"run": r.group},
	}
	for _, e := range edit {
		e(f)
	}
	data, err := json.Marshal(f)
	require.NoError(r.t, err)
	return string(data)
}

func (r *rig) create(name string) api.Task {
	r.t.Helper()
	return decoded[api.Task](r.ask(http.MethodPost, "/api/v1/tasks", r.file(name)), http.StatusCreated)
}
