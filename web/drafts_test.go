package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func TestDraft_IsConfiguredStepByStep(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := name()
	bare := r.file(shop, func(f map[string]any) { delete(f, "destination"); delete(f, "objects") })
	require.Contains(t, r.ask(http.MethodPost, tasksPath, bare).fields(), "objects", "only a draft may lack parts")
	require.Contains(t, r.ask(http.MethodPost, tasksPath+"?draft=true", r.file("1")).fields(), "name", "what is given has to be right")
	draft := decoded[api.Task](r.ask(http.MethodPost, tasksPath+"?draft=true", bare), http.StatusCreated)
	p := r.ask(http.MethodPost, tasksPath+"/"+draft.ID+"/precheck", "{}", "Idempotency-Key", uuid.NewString()).problem()
	require.Equal(t, fault.NotConfigured.Code, p.Code)
	require.Equal(t, "destination.host, destination.user, objects", value(p.Object))

	a := r.ask(http.MethodPatch, tasksPath+"/"+draft.ID+"?draft=true", r.file(shop, func(f map[string]any) { delete(f, "objects") }))
	require.Equal(t, http.StatusOK, a.status, a.body)
	p = r.ask(http.MethodPost, tasksPath+"/"+draft.ID+"/precheck", "{}", "Idempotency-Key", uuid.NewString()).problem()
	require.Equal(t, "objects", value(p.Object))
	a = r.ask(http.MethodPatch, tasksPath+"/"+draft.ID, r.file(shop))
	require.Equal(t, http.StatusOK, a.status, a.body)
	a = r.ask(http.MethodPost, tasksPath+"/"+draft.ID+"/precheck", "{}", "Idempotency-Key", uuid.NewString())
	require.Equal(t, http.StatusOK, a.status, a.body)
}

func TestClone_TakesEverythingButSecrets(t *testing.T) {
	r := newRig(t)
	r.work()
	original := r.create(name())
	again := name()
	clone := decoded[api.Task](r.ask(http.MethodPost, tasksPath+"/"+original.Name+"/clone", fmt.Sprintf(`{"name":%q}`, again), "Idempotency-Key", uuid.NewString()), http.StatusCreated)
	require.Equal(t, again, clone.Name)
	require.NotEqual(t, original.ID, clone.ID)
	require.Equal(t, original.Source.Endpoint, clone.Source.Endpoint)
	require.Equal(t, original.Objects, clone.Objects)
	require.Equal(t, original.Tags, clone.Tags)

	for _, side := range []string{"source", "destination"} {
		p := r.ask(http.MethodPost, tasksPath+"/"+again+"/precheck", "{}", "Idempotency-Key", uuid.NewString()).problem()
		require.Equal(t, fault.NotConfigured.Code, p.Code)
		require.Contains(t, value(p.Object), side+".password")
		a := r.ask(http.MethodPost, tasksPath+"/"+again+"/credentials", fmt.Sprintf(`{"side":%q,"password":"canary-password"}`, side), "Idempotency-Key", uuid.NewString())
		require.Equal(t, http.StatusOK, a.status, a.body)
	}
	a := r.ask(http.MethodPost, tasksPath+"/"+again+"/precheck", "{}", "Idempotency-Key", uuid.NewString())
	require.Equal(t, http.StatusOK, a.status, a.body)
	p := r.ask(http.MethodPost, tasksPath+"/"+original.Name+"/clone", fmt.Sprintf(`{"name":%q}`, again), "Idempotency-Key", uuid.NewString()).problem()
	require.Equal(t, fault.NameTaken.Code, p.Code)
}

func TestTaskFile_IsATemplate(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := r.create(name())
	got := decoded[api.TaskTemplate](r.ask(http.MethodGet, tasksPath+"/"+shop.Name+"/file", ""), http.StatusOK)
	require.Equal(t, []string{"source.password", "destination.password"}, got.Missing)
	require.Equal(t, "db.internal", got.File.Source.Host)
	require.Nil(t, got.File.Source.Password)
	// What it lacks is all that it lacks.
	got.File.Name = name()
	data, err := json.Marshal(got.File)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, r.ask(http.MethodPost, tasksPath, string(data)).status)
}

func TestHistory_NamesActors(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := r.create(name())
	got := decoded[api.History](r.ask(http.MethodGet, tasksPath+"/"+shop.Name+"/history", ""), http.StatusOK)
	require.NotEmpty(t, got.Events)
	require.Equal(t, actorAPI, got.Events[0].Actor)

	// A client may say who uses it.
	a := r.ask(http.MethodPost, tasksPath+"/"+shop.Name+"/precheck", "{}", "Idempotency-Key", uuid.NewString(), actorHeader, "ann@example.org")
	require.Equal(t, http.StatusOK, a.status, a.body)
	got = decoded[api.History](r.ask(http.MethodGet, tasksPath+"/"+shop.Name+"/history", ""), http.StatusOK)
	require.True(t, slices.ContainsFunc(got.Events, func(e api.HistoryEvent) bool { return e.Text == "pre-check" && e.Actor == "ann@example.org (api)" }), "%v", got.Events)
	for _, wrong := range []string{"a b", "shard(lift)", strings.Repeat("x", 65)} {
		require.Contains(t, r.ask(http.MethodPost, tasksPath+"/"+shop.Name+"/precheck", "{}", actorHeader, wrong).fields(), actorHeader, wrong)
	}
}

// TestConfirm_SaysWhy: a confirmation without a reason is worth nothing later.
func TestConfirm_SaysWhy(t *testing.T) {
	r := newRig(t)
	for _, note := range []string{"", "  ", strings.Repeat("x", longestNote+1)} {
		a := r.ask(http.MethodPost, tasksPath+"/any-task/confirm", fmt.Sprintf(`{"all":true,"note":%q}`, note))
		require.Contains(t, a.fields(), "note", "%q", note)
	}
}

func TestBatch_EachTaskAnswersForItself(t *testing.T) {
	r := newRig(t)
	r.work()
	first, second := r.create(name()), r.create(name())
	body := fmt.Sprintf(`{"command":"stop","force":true,"tasks":[%q,"nobody-has-it",%q]}`, first.Name, second.ID)
	got := decoded[api.BatchResult](r.ask(http.MethodPost, "/api/v1/batch", body, "Idempotency-Key", uuid.NewString()), http.StatusOK)
	require.Len(t, got.Results, 3)
	require.Equal(t, api.BatchedTaskState("done"), got.Results[0].State)
	require.NotEmpty(t, value(got.Results[0].OperationID))
	require.Equal(t, api.BatchedTaskState("failed"), got.Results[1].State)
	require.Equal(t, fault.UnknownTask.Code, got.Results[1].Problem.Code)
	require.Equal(t, api.BatchedTaskState("done"), got.Results[2].State)

	body = fmt.Sprintf(`{"command":"pause","tasks":[%q]}`, first.Name)
	got = decoded[api.BatchResult](r.ask(http.MethodPost, "/api/v1/batch", body, "Idempotency-Key", uuid.NewString()), http.StatusOK)
	require.Equal(t, fault.RefusedInState.Code, got.Results[0].Problem.Code, "what it refused, with the state")
	require.Contains(t, r.ask(http.MethodPost, "/api/v1/batch", `{"command":"explode","tasks":["a"]}`).fields(), "command")
	require.Contains(t, r.ask(http.MethodPost, "/api/v1/batch", `{"command":"pause","tasks":[]}`).fields(), "tasks")
}

// TestEvents_TellOfATaskUntilItsEnd reads the stream as a browser would.
func TestEvents_TellOfATaskUntilItsEnd(t *testing.T) {
	r := newRig(t)
	r.work()
	shop := r.create(name())
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+tasksPath+"/"+shop.Name+"/events", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))

	var statuses []string
	ended := ""
	event := ""
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, data, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "event":
			event = data
		case name == "data" && event == "task":
			var task api.Task
			require.NoError(t, json.Unmarshal([]byte(data), &task))
			if len(statuses) == 0 {
				a := r.ask(http.MethodPost, tasksPath+"/"+shop.Name+"/stop", `{"force":true}`, "Idempotency-Key", uuid.NewString())
				require.Equal(t, http.StatusOK, a.status, a.body)
			}
			statuses = append(statuses, task.Status)
		case name == "data" && event == "end":
			ended = data
		}
	}
	require.Equal(t, "CONFIGURATION", statuses[0])
	require.Equal(t, `"RELEASE_RESOURCE_COMPLETE"`, ended)
	require.Equal(t, "RELEASE_RESOURCE_COMPLETE", statuses[len(statuses)-1])
	require.Equal(t, http.StatusUnprocessableEntity, r.ask(http.MethodGet, tasksPath+"/"+shop.Name+"/events", "", "Last-Event-ID", "x").status)
}
