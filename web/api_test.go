package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
	"shardlift/web/api"
)

const tasksPath = "/api/v1/tasks"

func TestCreateTask_IsIdempotentAndShowsEndpointsButNoPassword(t *testing.T) {
	r := newRig(t)
	r.work()
	shop, key := name(), uuid.NewString()
	a := r.ask(http.MethodPost, tasksPath, r.file(shop), "Idempotency-Key", key)
	task := decoded[api.Task](a, http.StatusCreated)
	require.Equal(t, "CONFIGURATION", task.Status)
	require.Equal(t, "db.internal:3306", task.Source.Endpoint)
	require.Equal(t, "mover", task.Destination.User)
	require.Equal(t, map[string]string{"run": r.group}, task.Tags)
	again := decoded[api.Task](r.ask(http.MethodPost, tasksPath, r.file(shop), "Idempotency-Key", key), http.StatusOK)
	require.Equal(t, task.ID, again.ID)
	p := r.ask(http.MethodPost, tasksPath, r.file(name()), "Idempotency-Key", key).problem()
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Equal(t, fault.KeyReused.Code, p.Code)
	p = r.ask(http.MethodPost, tasksPath, r.file(strings.ToUpper(shop))).problem()
	require.Equal(t, http.StatusConflict, p.Status)
	require.Equal(t, fault.NameTaken.Code, p.Code)
	require.NotContains(t, r.log.String(), "canary")
	require.NotContains(t, r.log.String(), "db.internal")
}

func TestCreateTask_DryRunCreatesNothing(t *testing.T) {
	r := newRig(t)
	shop := name()
	preview := func(f map[string]any) { delete(f, "tags") }
	calls := r.counted(func() {
		a := r.ask(http.MethodPost, tasksPath+"?dry_run=true", r.file(shop, preview))
		task := decoded[api.Task](a, http.StatusOK)
		require.Equal(t, shop, task.Name)
		require.Equal(t, "db.internal:3306", task.Source.Endpoint)
		require.Contains(t, a.body, `"tags":{}`)
		require.Contains(t, a.body, `"created_at":null`)
	})
	require.Empty(t, calls)
	require.Contains(t, r.ask(http.MethodPost, tasksPath+"?dry_run=true", r.file("1")).fields(), "name")
}

func TestBody_EveryWrongFieldIsNamed(t *testing.T) {
	r := newRig(t)
	a := r.ask(http.MethodPost, tasksPath, r.file(name(), func(f map[string]any) {
		f["pasword"] = "canary-password"
		f["source"].(map[string]any)["prot"] = 1
	}))
	require.Equal(t, map[string]string{"pasword": "is unknown", "source.prot": "is unknown"}, a.fields())
	require.Equal(t, fault.UnknownField.Code, a.problem().Code)

	a = r.ask(http.MethodPost, tasksPath, r.file(name(), func(f map[string]any) {
		f["name"], f["version"], f["tags"], f["objects"], f["Type"] = 7, "1", []int{}, map[string]any{"schema": "x"}, "full"
		f["source"].(map[string]any)["password"] = 123456
		f["source"].(map[string]any)["port"] = 1.5
		f["destination"] = "db"
	}))
	require.Equal(t, map[string]string{
		"name": "must be a text", "version": "must be a whole number", "tags": "must be an object", "objects": "must be a list",
		"source.password": "must be a text", "source.port": "must be a whole number", "destination": "must be an object", "Type": "is unknown",
	}, a.fields())
	require.NotContains(t, a.body, "123456")

	a = r.ask(http.MethodPost, tasksPath, r.file("1", func(f map[string]any) { f["source"].(map[string]any)["host"] = "" }))
	require.Len(t, a.fields(), 2)
	require.Equal(t, fault.InvalidField.Code, a.problem().Code)
	require.Contains(t, r.ask(http.MethodPost, tasksPath+"/x/start", `{"at":"tomorrow"}`).fields(), "at")
	require.Contains(t, r.ask(http.MethodPost, tasksPath, "[]").fields(), "body")
}

func TestBody_WhatIsNoJSONIsRefused(t *testing.T) {
	r := newRig(t)
	for _, body := range []string{"{", "name: x", `{"version":1} {}`, "\xff"} {
		p := r.ask(http.MethodPost, tasksPath, body).problem()
		require.Equal(t, http.StatusBadRequest, p.Status, body)
		require.Equal(t, fault.Unreadable.Code, p.Code)
	}
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/xml", "text/plain", ""} {
		// A form that Echo bound to nothing would be a stop without its options.
		require.Equal(t, http.StatusUnsupportedMediaType, r.ask(http.MethodPost, tasksPath+"/x/stop", "force=true", "Content-Type", kind).problem().Status, kind)
	}
	large := `{"name":"` + strings.Repeat("x", 5<<20) + `"}`
	require.Equal(t, http.StatusRequestEntityTooLarge, r.ask(http.MethodPost, tasksPath, large).problem().Status)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+tasksPath, struct{ *strings.Reader }{strings.NewReader(large)})
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	require.EqualValues(t, 0, request.ContentLength) // of unknown length: chunked
	require.Equal(t, http.StatusRequestEntityTooLarge, r.send(request).problem().Status)
}

func TestParameters_WrongOnesAreNamed(t *testing.T) {
	r := newRig(t)
	for path, field := range map[string]string{
		"?limit=abc": "limit", "?limit=0": "limit", "?limit=1001": "limit", "?attention=maybe": "attention", "?cursor=x": "cursor",
		"?status=BUSY": "status", "?tag=a'b": "tag", "?name=a'%20OR%20''='": "name", "/x/logs?level=loud": "level", "/x/sync-points/one": "n",
	} {
		a := r.ask(http.MethodGet, tasksPath+path, "")
		if path == "/x/logs?level=loud" && a.status == http.StatusNotFound {
			continue
		}
		require.Contains(t, a.fields(), field, path)
	}
	require.Contains(t, r.ask(http.MethodPost, tasksPath, r.file(name()), "Idempotency-Key", "a b").fields(), "Idempotency-Key")
}

func TestListTasks_IsOneCallForAHundred(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		_, _, err := r.service.Create(t.Context(), fileFor(t, r.file("Shop-"+strconv.Itoa(i)+"-"+r.group)), "test", "")
		require.NoError(t, err)
	}
	path := tasksPath + "?tag=run%3D" + r.group
	var list api.TaskList
	require.Eventually(t, func() bool {
		list = decoded[api.TaskList](r.ask(http.MethodGet, path, ""), http.StatusOK)
		return len(list.Tasks) == 100
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, "db.internal:3306", value(list.Tasks[0].SourceEndpoint))
	began := time.Now()
	r.makes(map[string]int{"ListWorkflowExecutions": 1}, func() { r.ask(http.MethodGet, path, "") })
	t.Logf("a list of 100 tasks took %s", time.Since(began))
	began = time.Now()
	r.makes(map[string]int{"ListWorkflowExecutions": 1}, func() { r.signedIn("/") })
	t.Logf("signing in and the first page took %s", time.Since(began))

	page := decoded[api.TaskList](r.ask(http.MethodGet, path+"&limit=60", ""), http.StatusOK)
	require.Len(t, page.Tasks, 60)
	rest := decoded[api.TaskList](r.ask(http.MethodGet, path+"&limit=60&cursor="+value(page.Next), ""), http.StatusOK)
	require.Len(t, rest.Tasks, 40)
	require.Nil(t, rest.Next)
}

func TestKnown_UnknownCountsAreNull(t *testing.T) {
	require.Nil(t, known(-1))
	require.Equal(t, 0, *known(0))
}

func fileFor(t *testing.T, body string) (f task.File) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &f))
	return f
}

func TestGetTask_UnknownIsNullAndByNameItTakesFourCalls(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := r.create(name())
	var raw map[string]any
	r.ask(http.MethodGet, tasksPath+"/"+shop.ID, "") // the new worker's backlog
	began := time.Now()
	r.makes(map[string]int{"DescribeWorkflowExecution": 3, "QueryWorkflow": 1}, func() {
		raw = decoded[map[string]any](r.ask(http.MethodGet, tasksPath+"/"+strings.ToLower(shop.Name), ""), http.StatusOK)
	})
	t.Logf("show took %s", time.Since(began))
	require.Equal(t, shop.ID, raw["id"])
	require.Equal(t, "shardlift.task/v1", raw["schema"])
	isNull := func(object any, keys ...string) {
		for _, key := range keys {
			value, there := object.(map[string]any)[key]
			require.True(t, there, key)
			require.Nil(t, value, key)
		}
	}
	isNull(raw, "start_at", "started_at", "ended_at", "comparison", "last_error")
	isNull(raw["source"], "kind", "version")
	isNull(raw["full"], "percent", "rows_done", "rows_estimated", "bytes_done", "bytes_estimated", "rows_per_second", "bytes_per_second", "remaining_seconds")
	isNull(raw["tables"], "total", "waiting", "copying", "copied", "applying", "parked")
	isNull(raw["incremental"], "synced", "mode", "delay_ms", "applied", "source_head", "gap_bytes", "purge_at", "divergences", "rows_per_second")
	isNull(raw["precheck"], "expires_at", "passed_rate")
	isNull(raw["throttle"], "reason")
	require.NotEmpty(t, raw["available_actions"])
	require.NotEmpty(t, raw["unavailable_actions"])
	// Every name of the contract's example is there.
	for _, key := range []string{"name", "description", "type", "revision", "status", "status_label", "status_since", "phase", "created_at", "destination", "sequences", "tags", "temporal"} {
		require.Contains(t, raw, key)
	}
}

func TestGetTask_WithoutAWorkerShowsWhatWasKnown(t *testing.T) {
	r := newRig(t)
	shop := r.create(name())
	require.Equal(t, "CONFIGURATION", shop.Status)
	require.Equal(t, "db.internal:3306", shop.Source.Endpoint)
	require.Contains(t, strings.Join(shop.Warnings, " "), "shardlift doctor")
	p := r.ask(http.MethodPost, tasksPath+"/"+shop.ID+"/limit", `{"limits":{"mb_per_second":5}}`, "Idempotency-Key", "k1").problem()
	require.Equal(t, http.StatusServiceUnavailable, p.Status)
	require.Equal(t, "unknown", value(p.Outcome))
	require.NotEmpty(t, value(p.OperationID))
	require.NotEmpty(t, value(p.Remedy))
	r.work()
	require.Eventually(t, func() bool {
		return decoded[api.Operation](r.ask(http.MethodGet, "/api/v1/operations/"+value(p.OperationID), ""), http.StatusOK).State == "done"
	}, time.Minute, 100*time.Millisecond)
	p = r.ask(http.MethodGet, "/api/v1/operations/nothing", "").problem()
	require.Equal(t, http.StatusNotFound, p.Status)
}

func TestCommands_RefusalsAndRevisions(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := r.create(name())
	path := tasksPath + "/" + shop.Name
	p := r.ask(http.MethodPost, path+"/pause", "").problem()
	require.Equal(t, http.StatusConflict, p.Status)
	require.Equal(t, "CONFIGURATION", value(p.State))
	require.Contains(t, value(p.AvailableActions), "precheck")
	require.Equal(t, http.StatusConflict, r.ask(http.MethodDelete, path, "").problem().Status)

	for match, status := range map[string]int{`"9"`: http.StatusPreconditionFailed, "9": http.StatusPreconditionFailed} {
		require.Equal(t, status, r.ask(http.MethodPatch, path, r.file(shop.Name), "If-Match", match).problem().Status)
	}
	require.Contains(t, r.ask(http.MethodPatch, path, r.file(shop.Name), "If-Match", "latest").fields(), "If-Match")
	out := decoded[api.Outcome](r.ask(http.MethodPatch, path, r.file(shop.Name), "If-Match", `"1"`), http.StatusOK)
	require.Equal(t, 2, out.Revision)
	require.NotEmpty(t, out.OperationID)
	p = r.ask(http.MethodPost, path+"/limit", `{"revision":1,"limits":{}}`).problem()
	require.Equal(t, http.StatusPreconditionFailed, p.Status)
	require.Equal(t, fault.LateRevision.Code, p.Code)

	require.Contains(t, r.ask(http.MethodPost, path+"/limit", `{"limits":{"mb_per_second":-1}}`).fields(), "limits.mb_per_second")
	require.Contains(t, r.ask(http.MethodPost, path+"/compare", `{"type":"all"}`).fields(), "type")
	require.Contains(t, r.ask(http.MethodPost, path+"/credentials", `{"side":"middle","password":"canary-password"}`).fields(), "side")
	require.Contains(t, r.ask(http.MethodPost, path+"/test", `{"side":"middle"}`).fields(), "side")
	a := r.ask(http.MethodPost, path+"/credentials", `{"side":"source","user":"second","password":"canary-password"}`)
	require.Equal(t, 3, decoded[api.Outcome](a, http.StatusOK).Revision)
	require.Equal(t, "second", decoded[api.Task](r.ask(http.MethodGet, path, ""), http.StatusOK).Source.User)
	require.NotContains(t, r.log.String(), "canary")
}

func TestReads_PrecheckTablesReportAndDelete(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := r.create(name())
	path := tasksPath + "/" + shop.ID
	require.Equal(t, http.StatusNotFound, r.ask(http.MethodGet, path+"/report", "").problem().Status)
	require.Equal(t, http.StatusOK, r.ask(http.MethodPost, path+"/precheck", "").status)
	var report api.PrecheckReport
	require.Eventually(t, func() bool {
		report = decoded[api.PrecheckReport](r.ask(http.MethodGet, path+"/precheck", ""), http.StatusOK)
		return report.Summary.State == "done"
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, "GRANT SELECT ON *.* TO mover", value(report.Items[0].Remedy), "web fills the user in")

	require.Len(t, decoded[api.TableList](r.ask(http.MethodGet, path+"/tables", ""), http.StatusOK).Tables, 1)
	require.True(t, decoded[api.TestResult](r.ask(http.MethodPost, path+"/test", `{"side":"source"}`), http.StatusOK).Ok)
	test := `{"side":"source","worker_group":"` + r.group + `","endpoint":{"host":"db.internal","port":3306,"user":"mover","password":"canary-password"}}`
	require.True(t, decoded[api.TestResult](r.ask(http.MethodPost, "/api/v1/connections/test", test), http.StatusOK).Ok)
	require.JSONEq(t, `{"comparisons":[]}`, r.ask(http.MethodGet, path+"/comparisons", "").body)

	require.Equal(t, http.StatusOK, r.ask(http.MethodPost, path+"/stop", `{"incomplete":true}`).status)
	require.Eventually(t, func() bool {
		return decoded[api.Task](r.ask(http.MethodGet, path, ""), http.StatusOK).Status == "RELEASE_RESOURCE_COMPLETE"
	}, time.Minute, 50*time.Millisecond)
	p := r.ask(http.MethodPost, path+"/pause", "").problem()
	require.Equal(t, http.StatusConflict, p.Status)
	require.Equal(t, []string{"delete"}, value(p.AvailableActions))

	// The activities that delete are played by nobody here: it goes on in the background.
	operation := decoded[api.Operation](r.ask(http.MethodDelete, path, ""), http.StatusAccepted)
	require.Equal(t, api.OperationState("running"), operation.State)
	require.Equal(t, operation, decoded[api.Operation](r.ask(http.MethodGet, "/api/v1/operations/"+operation.ID, ""), http.StatusOK))
}

func TestRenderTask_TerminatedInTemporalIsFailedAndCanOnlyBeDeleted(t *testing.T) {
	now := time.Now()
	for status, want := range map[lifecycle.Status]string{
		lifecycle.FullStarted: "FULL_TRANSFER_FAILED", lifecycle.IncreStarted: "INCRE_TRANSFER_FAILED", lifecycle.ReleaseDone: "RELEASE_RESOURCE_COMPLETE",
	} {
		phase := map[lifecycle.Status]lifecycle.Phase{lifecycle.FullStarted: lifecycle.PhaseFull, lifecycle.IncreStarted: lifecycle.PhaseIncremental, lifecycle.ReleaseDone: lifecycle.PhaseDone}[status]
		task := renderTask(newRigWithoutTemporal(t).service, control.Details{TaskID: "t", Ended: true, Memory: contract.MemoryView{Status: status, Phase: phase}}, now)
		require.Equal(t, want, task.Status)
		require.Equal(t, []string{"delete"}, task.AvailableActions)
		require.Equal(t, status != lifecycle.ReleaseDone, task.LastError != nil)
	}
}

func TestRenderTask_WaitingForAWorkerIsFaultRectification(t *testing.T) {
	now := time.Now()
	service := newRigWithoutTemporal(t).service
	for waited, want := range map[time.Duration]string{30 * time.Second: "FULL_TRANSFER_STARTED", 61 * time.Second: "REBUILD_NODE_STARTED"} {
		since := now.Add(-waited)
		task := renderTask(service, control.Details{
			TaskID: "t", Memory: contract.MemoryView{Status: lifecycle.FullStarted, Phase: lifecycle.PhaseFull},
			Pending: &control.PendingStep{Activity: "CopyLane", WaitingSince: &since},
		}, now)
		require.Equal(t, want, task.Status)
	}
}
