package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/web/api"
	"shardlift/web/console"
)

func TestTask_ShowsTablesThatStandApart(t *testing.T) {
	orders, people, old := table.Name{Schema: "Shop", Table: "orders"}, table.Name{Schema: "crm", Table: "people"}, table.Name{Schema: "Shop", Table: "old"}
	v := &contract.View{
		Phase: lifecycle.PhaseIncremental, Plan: &contract.PlanCopyOut{Tables: 6, Chunks: 20}, Copy: contract.CopyTotals{Done: true},
		Groups: []contract.Group{
			{No: 1, Tables: []table.Name{orders}, State: contract.GroupParked, Since: time.Unix(1, 0), Position: &position.Position{File: "f", Offset: 9}, Error: &contract.ErrorInfo{Code: "SL-3004", Message: "refused"}},
			{No: 2, Tables: []table.Name{people}, State: contract.GroupCopying, Added: true},
			{No: 3, Tables: []table.Name{old}, State: contract.GroupDropped},
		},
	}
	var out api.Task
	renderView(&out, v)
	countGroups(&out, v)
	require.Len(t, *out.Groups, 3)
	require.Equal(t, "SL-3004", (*out.Groups)[0].Error.Code)
	require.Equal(t, int64(9), (*out.Groups)[0].Position.Position)
	c := out.Tables
	require.Equal(t, []int{6, 0, 1, 0, 4, 1}, []int{*c.Total, *c.Waiting, *c.Copying, *c.Copied, *c.Applying, *c.Parked})

	lines := []api.TableProgress{{Schema: "Shop", Table: "orders", State: "applying"}, {Schema: "Shop", Table: "other", State: "applying"}}
	showGroups(lines, v.Groups)
	require.Equal(t, "parked", lines[0].State)
	require.Equal(t, "SL-3004: refused", *lines[0].Error)
	require.Equal(t, "applying", lines[1].State)
}

// TestTask_IsNotSyncedWhileTablesStandApart: whoever cuts over on it would lose
// their rows.
func TestTask_IsNotSyncedWhileTablesStandApart(t *testing.T) {
	caught := &contract.ApplyBeat{CaughtUp: true}
	require.True(t, *synced(caught, &contract.View{}))
	require.False(t, *synced(&contract.ApplyBeat{}, &contract.View{}))
	require.Nil(t, synced(caught, nil), "nobody knows of the groups")
	for _, state := range []contract.GroupState{
		contract.GroupParked, contract.GroupPlanning, contract.GroupCopying, contract.GroupApplying, contract.GroupMerging,
	} {
		require.False(t, *synced(caught, &contract.View{Groups: []contract.Group{{No: 1, State: state}}}), state)
	}
	require.True(t, *synced(caught, &contract.View{Groups: []contract.Group{{No: 1, State: contract.GroupDropped}}}))
}

func TestTables_CommandsAreRefusedBeforeTheStart(t *testing.T) {
	r := newRig(t)
	r.work()
	id := decoded[api.Task](r.ask(http.MethodPost, tasksPath, r.file(name())), http.StatusCreated).ID
	for _, kind := range []string{"retry", "recopy", "drop", "add"} {
		p := r.ask(http.MethodPost, tasksPath+"/"+id+"/tables", `{"kind":"`+kind+`","tables":[{"schema":"Shop","table":"orders"}]}`).problem()
		require.Equal(t, http.StatusConflict, p.Status, kind)
		require.Contains(t, *p.AvailableActions, "edit")
	}
	require.Equal(t, http.StatusConflict, r.ask(http.MethodPost, tasksPath+"/"+id+"/retry", `{"table":"Shop.orders"}`).problem().Status)
	require.Contains(t, r.ask(http.MethodPost, tasksPath+"/"+id+"/tables", `{"kind":"x","tables":[{"schema":"Shop","table":"orders"}]}`).fields(), "kind")
}

func TestTaskPage_ShowsGroupsWithButtons(t *testing.T) {
	pages, err := console.New()
	require.NoError(t, err)
	const evil = `<script>alert("x")</script>'"&`
	var out bytes.Buffer
	require.NoError(t, pages.Task(&out, console.TaskPage{
		ID: "t1", Name: evil, Status: evil, LastError: evil, URL: "javascript:alert(1)", Error: evil, Version: evil,
		Groups: []console.Group{{No: 3, Tables: []string{evil}, State: "parked", Since: "now", Error: "SL-3004: " + evil, Remedy: evil, Actions: groupActions(lifecycle.IncreStarted)}},
	}))
	require.NotContains(t, out.String(), "<script")
	require.NotContains(t, out.String(), "javascript:")
	for _, kind := range []string{"retry", "recopy", "drop"} {
		require.Contains(t, out.String(), `name="kind" value="`+kind+`"`)
	}
	require.Equal(t, []string{"retry", "drop"}, groupActions(lifecycle.FullStarted))
	require.Empty(t, groupActions(lifecycle.Releasing))

	r := newRig(t)
	r.work()
	task := r.create(name())
	page := r.signedIn("/tasks/" + task.ID)
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, "No table stands apart")
	require.Equal(t, http.StatusSeeOther, r.ask(http.MethodGet, "/tasks/"+task.ID, "", "Authorization", "").status)
	cookie, _, _ := strings.Cut(r.signIn(token).header.Get("Set-Cookie"), ";")
	press := func(headers ...string) answer {
		return r.ask(http.MethodPost, "/tasks/"+task.ID+"/tables", "group=1&kind=retry", append(headers, "Authorization", "", "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded")...)
	}
	require.Contains(t, press().body, "SL-7013")
	require.Equal(t, http.StatusForbidden, press("Sec-Fetch-Site", "cross-site").status)
}
