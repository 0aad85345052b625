package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

const testToken = "a-token-for-tests-only"

// fake is a strict server of the HTTP API: it refuses requests without the
// token, bodies with unknown fields, and commands without an idempotency key.
type fake struct {
	t      testing.TB
	server *httptest.Server

	mu     sync.Mutex
	task   api.Task
	script []func(*api.Task) // one is applied before each answer of getTask
	// hooks may answer in the place of an operation: an error, or nil to go on.
	hooks   map[string]func(n int) error
	calls   map[string]int
	actor   string            // who the last request says that acts
	bodies  map[string]string // last request of each operation, as JSON
	keys    []string
	report  api.Report
	compare api.Comparison
	items   api.PrecheckReport
	running bool     // pause and compare go on after their answer
	left    []string // warnings of a deletion
	reached int      // how often a sync point is asked for before it is reached
}

// refuse makes an operation answer with a problem.
func refuse(p api.Problem) func(int) error { return func(int) error { return &refusal{p} } }

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, task: exampleTask(), hooks: map[string]func(int) error{}, calls: map[string]int{}, bodies: map[string]string{}}
	f.report = exampleReport()
	f.compare = exampleComparison()
	f.items = examplePrecheck()
	e := echo.New()
	e.JSONSerializer = strictJSON{}
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		var p api.Problem
		if r, ok := err.(*refusal); ok { //nolint:errorlint // the fake itself returns it
			p = r.Problem
		} else {
			p = api.Problem{Type: "about:blank", Title: "bad request", Status: http.StatusBadRequest, Code: "SL-1001", Detail: new(err.Error())}
		}
		c.Response().Header().Set("Content-Type", "application/problem+json")
		c.Response().WriteHeader(p.Status)
		_ = json.NewEncoder(c.Response()).Encode(p)
	}
	api.RegisterHandlers(e, api.NewStrictHandler(f, []api.StrictMiddlewareFunc{f.guard}))
	f.server = httptest.NewServer(e)
	t.Cleanup(f.server.Close)
	return f
}

type strictJSON struct{ echo.DefaultJSONSerializer }

func (strictJSON) Deserialize(c echo.Context, into any) error {
	decoder := json.NewDecoder(c.Request().Body)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// keyed are the operations that need an idempotency key.
var keyed = "ChangeTables CreateTask EditTask PrecheckTask ConfirmTask StartTask RescheduleTask PauseTask ResumeTask RetryTask StopTask ResetTask LimitTask SetCredentials CompareTask CloneTask Batch"

func (f *fake) guard(next api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		if c.Request().Header.Get("Authorization") != "Bearer "+testToken {
			return nil, &refusal{api.Problem{Status: http.StatusUnauthorized, Code: "SL-8006", Title: "unauthorized"}}
		}
		key := c.Request().Header.Get("Idempotency-Key")
		if strings.Contains(keyed, operation) && key == "" {
			return nil, &refusal{api.Problem{Status: http.StatusBadRequest, Code: "SL-1001", Title: "no idempotency key"}}
		}
		body, err := json.Marshal(request)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.calls[operation]++
		f.actor = c.Request().Header.Get("Shardlift-Actor")
		n := f.calls[operation]
		f.bodies[operation] = string(body)
		if key != "" {
			f.keys = append(f.keys, key)
		}
		hook := f.hooks[operation]
		f.mu.Unlock()
		if hook != nil {
			if err := hook(n); err != nil {
				return nil, err
			}
		}
		return next(c, request)
	}
}

// actedAs is who the last request says that acts.
func (f *fake) actedAs() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.actor
}

// sent is the body of the last request of an operation.
func (f *fake) sent(operation string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[operation]
}

// ran is what one run of the command line did.
type ran struct {
	status   int
	out, err string
}

// shardlift runs the command line against the fake.
func (f *fake) shardlift(args ...string) ran { return f.run(func(*app) {}, args...) }

func (f *fake) run(change func(*app), args ...string) ran {
	f.t.Helper()
	token := filepath.Join(f.t.TempDir(), "token")
	require.NoError(f.t, os.WriteFile(token, []byte(testToken+"\n"), 0o600))
	return runApp(f.t.Context(), func(a *app) {
		a.env = environment("SHARDLIFT_SERVER", f.server.URL, "SHARDLIFT_TOKEN_FILE", token, "SOURCE_PASSWORD", "canary-source", "DESTINATION_PASSWORD", "canary-destination")
		change(a)
	}, args...)
}

func runApp(ctx context.Context, change func(*app), args ...string) ran {
	var out, errOut bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &out, errOut: &errOut, env: environment(), version: "v1.2.3", width: lineWidth, poll: time.Millisecond, patience: 50 * time.Millisecond,
		readPassword: func() (string, error) { return "typed", nil },
	}
	change(a)
	status := a.run(ctx, args)
	return ran{status, out.String(), errOut.String()}
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func (f *fake) outcome() api.OutcomeJSONResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	return api.OutcomeJSONResponse{Status: f.task.Status, Phase: f.task.Phase, Revision: f.task.Revision, OperationID: "t1~k"}
}

func (f *fake) CreateTask(_ context.Context, r api.CreateTaskRequestObject) (api.CreateTaskResponseObject, error) {
	if value(r.Params.DryRun) {
		return api.CreateTask200JSONResponse(f.task), nil
	}
	return api.CreateTask201JSONResponse(f.task), nil
}

func (f *fake) GetTask(_ context.Context, r api.GetTaskRequestObject) (api.GetTaskResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.ID != f.task.Name && r.ID != f.task.ID {
		return nil, &refusal{api.Problem{Status: http.StatusNotFound, Title: "not found", Code: "SL-7002", Detail: new("no such task"), Object: new("task " + r.ID), Remedy: new("`shardlift list` shows every task")}}
	}
	if len(f.script) > 0 {
		f.script[0](&f.task)
		f.script = f.script[1:]
	}
	return api.GetTask200JSONResponse(f.task), nil
}

func (f *fake) ListTasks(_ context.Context, r api.ListTasksRequestObject) (api.ListTasksResponseObject, error) {
	if r.Params.Cursor == nil {
		return api.ListTasks200JSONResponse{Tasks: exampleList()[:1], Next: new("second")}, nil
	}
	return api.ListTasks200JSONResponse{Tasks: exampleList()[1:]}, nil
}

func (f *fake) DeleteTask(context.Context, api.DeleteTaskRequestObject) (api.DeleteTaskResponseObject, error) {
	return api.DeleteTask202JSONResponse{ID: "t1~delete", State: "running"}, nil
}

func (f *fake) GetOperation(_ context.Context, r api.GetOperationRequestObject) (api.GetOperationResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls["GetOperation"] < 3 {
		return api.GetOperation200JSONResponse{ID: r.ID, State: "running"}, nil
	}
	done := api.GetOperation200JSONResponse{ID: r.ID, State: "done"}
	if f.running {
		done.Result = &api.Outcome{Status: f.task.Status, Phase: f.task.Phase, Revision: f.task.Revision, OperationID: r.ID}
	}
	if f.left != nil {
		done.Warnings = &f.left
	}
	return done, nil
}

func (f *fake) EditTask(context.Context, api.EditTaskRequestObject) (api.EditTaskResponseObject, error) {
	return api.EditTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) CompareTask(context.Context, api.CompareTaskRequestObject) (api.CompareTaskResponseObject, error) {
	o := f.outcome()
	o.Comparison = &f.compare.ID
	return api.CompareTask200JSONResponse{OutcomeJSONResponse: o}, nil
}

func (f *fake) ListComparisons(context.Context, api.ListComparisonsRequestObject) (api.ListComparisonsResponseObject, error) {
	return api.ListComparisons200JSONResponse{Comparisons: []string{"c2", "c1"}, Last: f.task.Comparison}, nil
}

// GetComparison gives two pages: tables, then differing rows.
func (f *fake) GetComparison(_ context.Context, r api.GetComparisonRequestObject) (api.GetComparisonResponseObject, error) {
	page := f.compare
	if r.N != page.ID {
		return nil, &refusal{api.Problem{Status: http.StatusNotFound, Title: "not found", Code: "SL-8009"}}
	}
	rows := page.DifferenceRows
	page.DifferenceRows = nil
	if r.Params.Cursor == nil {
		page.Next = new("1.0")
		return api.GetComparison200JSONResponse(page), nil
	}
	page.Tables = []api.ComparedTable{}
	if value(r.Params.Differences) {
		page.DifferenceRows = rows
	}
	return api.GetComparison200JSONResponse(page), nil
}

func (f *fake) ConfirmTask(context.Context, api.ConfirmTaskRequestObject) (api.ConfirmTaskResponseObject, error) {
	return api.ConfirmTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) SetCredentials(context.Context, api.SetCredentialsRequestObject) (api.SetCredentialsResponseObject, error) {
	return api.SetCredentials200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) LimitTask(context.Context, api.LimitTaskRequestObject) (api.LimitTaskResponseObject, error) {
	return api.LimitTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) ListLogs(_ context.Context, r api.ListLogsRequestObject) (api.ListLogsResponseObject, error) {
	at := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	switch value(r.Params.Cursor) {
	case "":
		return api.ListLogs200JSONResponse{Lines: []api.LogLine{{Number: 1, At: at, Level: "info", Message: "the copy begins"}}, Next: new("1")}, nil
	case "1":
		return api.ListLogs200JSONResponse{Lines: []api.LogLine{{Number: 2, At: at, Level: "warn", Message: "the source is busy"}}}, nil
	default:
		return api.ListLogs200JSONResponse{Lines: []api.LogLine{}}, nil
	}
}

func (f *fake) PauseTask(context.Context, api.PauseTaskRequestObject) (api.PauseTaskResponseObject, error) {
	if f.running {
		return api.PauseTask202JSONResponse{RunningJSONResponse: api.RunningJSONResponse{ID: "t1~pause~k", State: "running"}}, nil
	}
	return api.PauseTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) GetPrecheck(context.Context, api.GetPrecheckRequestObject) (api.GetPrecheckResponseObject, error) {
	return api.GetPrecheck200JSONResponse(f.items), nil
}

func (f *fake) GetPrecheckSamples(context.Context, api.GetPrecheckSamplesRequestObject) (api.GetPrecheckSamplesResponseObject, error) {
	return api.GetPrecheckSamples200JSONResponse{Samples: []api.PrecheckSample{{Item: "srcDateRange", Object: "shop.orders.at", Keys: []string{"id=7", "id=9"}}}}, nil
}

func (f *fake) PrecheckTask(context.Context, api.PrecheckTaskRequestObject) (api.PrecheckTaskResponseObject, error) {
	return api.PrecheckTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) GetReport(context.Context, api.GetReportRequestObject) (api.GetReportResponseObject, error) {
	return api.GetReport200JSONResponse(f.report), nil
}

func (f *fake) RescheduleTask(context.Context, api.RescheduleTaskRequestObject) (api.RescheduleTaskResponseObject, error) {
	return api.RescheduleTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) ResetTask(context.Context, api.ResetTaskRequestObject) (api.ResetTaskResponseObject, error) {
	return api.ResetTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) ResumeTask(context.Context, api.ResumeTaskRequestObject) (api.ResumeTaskResponseObject, error) {
	return api.ResumeTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) ChangeTables(context.Context, api.ChangeTablesRequestObject) (api.ChangeTablesResponseObject, error) {
	return api.ChangeTables200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) RetryTask(context.Context, api.RetryTaskRequestObject) (api.RetryTaskResponseObject, error) {
	return api.RetryTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) StartTask(context.Context, api.StartTaskRequestObject) (api.StartTaskResponseObject, error) {
	return api.StartTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) StopTask(context.Context, api.StopTaskRequestObject) (api.StopTaskResponseObject, error) {
	return api.StopTask200JSONResponse{OutcomeJSONResponse: f.outcome()}, nil
}

func (f *fake) CreateSyncPoint(context.Context, api.CreateSyncPointRequestObject) (api.CreateSyncPointResponseObject, error) {
	return api.CreateSyncPoint201JSONResponse(f.syncPoint(f.reached == 0)), nil
}

func (f *fake) GetSyncPoint(context.Context, api.GetSyncPointRequestObject) (api.GetSyncPointResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return api.GetSyncPoint200JSONResponse(f.syncPoint(f.calls["GetSyncPoint"] >= f.reached)), nil
}

func (f *fake) syncPoint(reached bool) api.SyncPoint {
	return api.SyncPoint{Number: 3, Reached: reached, Position: api.Position{File: "binlog.000004", Position: 1234}, At: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)}
}

func (f *fake) ListTables(_ context.Context, r api.ListTablesRequestObject) (api.ListTablesResponseObject, error) {
	all := exampleTables()
	if r.Params.Cursor == nil {
		return api.ListTables200JSONResponse{Tables: all[:1], Next: new("1")}, nil
	}
	return api.ListTables200JSONResponse{Tables: all[1:]}, nil
}

func (f *fake) TestTask(context.Context, api.TestTaskRequestObject) (api.TestTaskResponseObject, error) {
	return api.TestTask200JSONResponse{Ok: true, Sides: []api.TestedSide{tested("source", true), tested("destination", true)}}, nil
}

func (f *fake) TestConnection(_ context.Context, r api.TestConnectionRequestObject) (api.TestConnectionResponseObject, error) {
	ok := r.Body.Side == "source"
	return api.TestConnection200JSONResponse{Ok: ok, Sides: []api.TestedSide{tested(string(r.Body.Side), ok)}}, nil
}

func (f *fake) Doctor(context.Context, api.DoctorRequestObject) (api.DoctorResponseObject, error) {
	return api.Doctor200JSONResponse{Ok: true, Checks: []api.DoctorCheck{{Name: "web", Ok: true, Detail: "answers"}, {Name: "Temporal", Ok: true, Detail: "healthy, namespace shardlift"}}}, nil
}

func (f *fake) Version(context.Context, api.VersionRequestObject) (api.VersionResponseObject, error) {
	return api.Version200JSONResponse{Version: "v9"}, nil
}

func (f *fake) CloneTask(context.Context, api.CloneTaskRequestObject) (api.CloneTaskResponseObject, error) {
	return api.CloneTask201JSONResponse(f.task), nil
}

func (f *fake) GetTaskFile(context.Context, api.GetTaskFileRequestObject) (api.GetTaskFileResponseObject, error) {
	return api.GetTaskFile200JSONResponse{
		File: api.TaskFile{
			Version: 1, Name: "shop-to-ddm", Type: "full+incremental", Source: api.EndpointFile{Host: "10.0.0.5", Port: new(3306), User: "shardlift"},
			Destination: api.EndpointFile{Host: "ddm.internal", Port: new(5066), User: "shardlift"}, Objects: []api.ObjectRule{{Schema: "Shop", Tables: &[]string{"*"}}},
		},
		Missing: []string{"source.password", "destination.password"},
	}, nil
}

func (f *fake) ListObjects(_ context.Context, r api.ListObjectsRequestObject) (api.ListObjectsResponseObject, error) {
	if r.Params.Cursor == nil {
		return api.ListObjects200JSONResponse{Objects: []api.SourceObject{{Schema: "Shop", Table: "items", Selected: true, ToSchema: new("shop_ddm"), ToTable: new("items"), Engine: new("InnoDB"), RowsEstimated: new(int64(1200))}}, Next: new("c")}, nil
	}
	return api.ListObjects200JSONResponse{Objects: []api.SourceObject{{Schema: "Shop", Table: "tmp_a"}}}, nil
}

func (f *fake) GetHistory(context.Context, api.GetHistoryRequestObject) (api.GetHistoryResponseObject, error) {
	at := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	return api.GetHistory200JSONResponse{Events: []api.HistoryEvent{{At: at, Actor: "api", Text: "created"}, {At: at, Actor: "system", Text: "full copy began"}}}, nil
}

func (f *fake) StreamEvents(context.Context, api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	return api.StreamEvents200TextEventStreamResponse{Body: strings.NewReader("")}, nil
}

func (f *fake) Batch(_ context.Context, r api.BatchRequestObject) (api.BatchResponseObject, error) {
	out := api.Batch200JSONResponse{}
	for i, name := range r.Body.Tasks {
		one := api.BatchedTask{Task: name, State: "done"}
		if i == 1 {
			one.State, one.Problem = "failed", &api.Problem{Type: "about:blank", Title: "conflict", Status: http.StatusConflict, Code: "SL-7001", Detail: new("pause: the task is paused")}
		}
		out.Results = append(out.Results, one)
	}
	return out, nil
}

var _ api.StrictServerInterface = (*fake)(nil)
