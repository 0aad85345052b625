package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/web/api"
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
