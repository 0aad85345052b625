package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

var update = flag.Bool("update", false, "write the golden files anew")

// exampleFile is the template of init, in a folder of its own.
func exampleFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "task.yaml")
	require.NoError(t, os.WriteFile(path, template, 0o600))
	return path
}

// line is one command, what it must ask of the server, and its exit status.
type line struct {
	args      []string
	operation string
	body      string // a part of the request
	status    int
	change    func(*fake)
}

func lines(file string) map[string]line {
	return map[string]line{
		"create":                {args: []string{"create", "-f", file}, operation: "CreateTask", body: `"name":"shop-to-ddm"`},
		"create-dry-run":        {args: []string{"create", "-f", file, "--dry-run"}, operation: "CreateTask", body: `"dry_run":true`},
		"edit":                  {args: []string{"edit", "shop-to-ddm", "-f", file}, operation: "EditTask", body: `"If-Match":"\"7\""`},
		"edit-revision":         {args: []string{"edit", "shop-to-ddm", "-f", file, "--revision", "5"}, operation: "EditTask", body: `"If-Match":"\"5\""`},
		"precheck":              {args: []string{"precheck", "shop-to-ddm", "--item", "a", "--item", "b"}, operation: "PrecheckTask", body: `"items":["a","b"]`},
		"precheck-wait":         {args: []string{"precheck", "shop-to-ddm", "--wait"}, operation: "GetPrecheck", status: exitCheck},
		"precheck-samples":      {args: []string{"precheck", "shop-to-ddm", "--samples"}, operation: "GetPrecheckSamples"},
		"precheck-show":         {args: []string{"precheck", "shop-to-ddm", "--show"}, operation: "GetPrecheck", status: exitCheck},
		"confirm":               {args: []string{"confirm", "shop-to-ddm", "--item", "a", "b", "--note", "seen"}, operation: "ConfirmTask", body: `"items":["a","b"],"note":"seen"`},
		"confirm-all":           {args: []string{"confirm", "shop-to-ddm", "--all", "--note", "seen"}, operation: "ConfirmTask", body: `"all":true`},
		"start":                 {args: []string{"start", "shop-to-ddm"}, operation: "StartTask", body: `"Body":{}`},
		"start-at":              {args: []string{"start", "shop-to-ddm", "--at", "2026-12-01T03:00:00+01:00"}, operation: "StartTask", body: `"at":"2026-12-01T02:00:00Z"`},
		"reschedule":            {args: []string{"reschedule", "shop-to-ddm", "--at", "now"}, operation: "RescheduleTask", body: `"Body":{}`},
		"pause":                 {args: []string{"pause", "shop-to-ddm"}, operation: "PauseTask"},
		"resume":                {args: []string{"resume", "shop-to-ddm", "--fence-confirmed"}, operation: "ResumeTask", body: `"fence_confirmed":true`},
		"retry":                 {args: []string{"retry", "shop-to-ddm"}, operation: "RetryTask"},
		"retry-table":           {args: []string{"retry", "shop-to-ddm", "--table", "Shop.orders", "--fence-confirmed"}, operation: "RetryTask", body: `"fence_confirmed":true,"table":"Shop.orders"`},
		"recopy":                {args: []string{"recopy", "shop-to-ddm", "--table", "Shop.orders"}, operation: "ChangeTables", body: `"kind":"recopy","tables":[{"schema":"Shop","table":"orders"}]`},
		"drop":                  {args: []string{"drop", "shop-to-ddm", "--table", "Shop.orders", "--table", "Shop.`a.b`", "--yes"}, operation: "ChangeTables", body: `"kind":"drop","tables":[{"schema":"Shop","table":"orders"},{"schema":"Shop","table":"a.b"}]`},
		"add":                   {args: []string{"add", "shop-to-ddm", "--table", "crm.people", "--to", "shop_ddm.persons"}, operation: "ChangeTables", body: `"kind":"add","tables":[{"schema":"crm","table":"people","to_schema":"shop_ddm","to_table":"persons"}]`},
		"set-credentials":       {args: []string{"set-credentials", "shop-to-ddm", "--side", "source", "--user", "u", "--password-env", "SOURCE_PASSWORD"}, operation: "SetCredentials", body: `"password":"canary-source","side":"source","user":"u"`},
		"limit":                 {args: []string{"limit", "shop-to-ddm", "--mb", "0"}, operation: "LimitTask", body: `"mb_per_second":0,"rows_per_second":5000`},
		"compare":               {args: []string{"compare", "shop-to-ddm", "--type", "rows", "--tables", "Shop.*"}, operation: "CompareTask", body: `"tables":"Shop.*","type":"rows"`},
		"comparisons":           {args: []string{"comparisons", "shop-to-ddm"}, operation: "ListComparisons"},
		"comparison":            {args: []string{"comparisons", "shop-to-ddm", "c2"}, operation: "GetComparison"},
		"comparison-difference": {args: []string{"comparisons", "shop-to-ddm", "c2", "--differences"}, operation: "GetComparison", body: `"differences":true`},
		"stop":                  {args: []string{"stop", "shop-to-ddm", "--yes"}, operation: "StopTask", body: `"Body":{}`},
		"stop-incomplete":       {args: []string{"stop", "shop-to-ddm", "--incomplete", "--yes"}, operation: "StopTask", body: `"incomplete":true`},
		"stop-force":            {args: []string{"stop", "shop-to-ddm", "--force", "-y"}, operation: "StopTask", body: `"force":true`},
		"stop-wait":             {args: []string{"stop", "shop-to-ddm", "--wait", "--yes"}, operation: "GetReport", change: func(f *fake) { f.script = []func(*api.Task){same, toEnded} }},
		"reset":                 {args: []string{"reset", "shop-to-ddm", "--truncate-destination", "--yes"}, operation: "ResetTask", body: `"truncate_destination":true`},
		"delete":                {args: []string{"delete", "shop-to-ddm", "--yes"}, operation: "GetOperation"},
		"list":                  {args: []string{"list", "--status", "paused", "--tag", "a=b", "--attention"}, operation: "ListTasks", body: `"status":"PAUSING","tag":"a=b","attention":true`},
		"show":                  {args: []string{"show", "shop-to-ddm"}, operation: "GetTask"},
		"show-incremental":      {args: []string{"show", "shop-to-ddm"}, operation: "GetTask", change: func(f *fake) { toIncremental(&f.task) }},
		"show-failed":           {args: []string{"show", "shop-to-ddm"}, operation: "GetTask", change: func(f *fake) { toFailed(&f.task) }},
		"show-parked":           {args: []string{"show", "shop-to-ddm"}, operation: "GetTask", change: func(f *fake) { toParked(&f.task) }},
		"tables":                {args: []string{"tables", "shop-to-ddm"}, operation: "ListTables"},
		"tables-page":           {args: []string{"tables", "shop-to-ddm", "--limit", "1"}, operation: "ListTables", body: `"limit":1`},
		"watch":                 {args: []string{"watch", "shop-to-ddm"}, operation: "GetTask", change: func(f *fake) { f.script = []func(*api.Task){toEnded} }},
		"report":                {args: []string{"report", "shop-to-ddm"}, operation: "GetReport"},
		"logs":                  {args: []string{"logs", "shop-to-ddm", "--level", "warn"}, operation: "ListLogs", body: `"level":"warn"`},
		"wait":                  {args: []string{"wait", "shop-to-ddm", "--for", "synced"}, operation: "CreateSyncPoint"},
		"wait-completed":        {args: []string{"wait", "shop-to-ddm", "--for", "completed"}, operation: "GetTask", change: func(f *fake) { f.script = []func(*api.Task){same, toEnded} }},
		"test":                  {args: []string{"test", "shop-to-ddm", "--side", "source"}, operation: "TestTask", body: `"side":"source"`},
		"test-file":             {args: []string{"test", "-f", file}, operation: "TestConnection", body: `"side":"destination"`, status: exitCheck},
		"clone":                 {args: []string{"clone", "shop-to-ddm", "shop-again"}, operation: "CloneTask", body: `"name":"shop-again"`},
		"export":                {args: []string{"export", "shop-to-ddm"}, operation: "GetTaskFile"},
		"objects":               {args: []string{"objects", "shop-to-ddm", "--search", "item"}, operation: "ListObjects", body: `"search":"item"`},
		"history":               {args: []string{"history", "shop-to-ddm"}, operation: "GetHistory"},
		"batch":                 {args: []string{"batch", "stop", "shop-to-ddm", "crm-to-ddm", "--force", "--yes"}, operation: "Batch", body: `"command":"stop","force":true,"tasks":["shop-to-ddm","crm-to-ddm"]`, status: exitRefused},
		"create-draft":          {args: []string{"create", "-f", file, "--draft"}, operation: "CreateTask", body: `"draft":true`},
		"doctor":                {args: []string{"doctor"}, operation: "Doctor"},
		"version":               {args: []string{"version"}, operation: "Version"},
		"grants":                {args: []string{"grants", "-f", file}},
		"init":                  {args: []string{"init", filepath.Join(filepath.Dir(file), "new.yaml")}},
		"init-stdout":           {args: []string{"init", "-"}},
	}
}

func TestCommands_AskTheServerForWhatWasSaid(t *testing.T) {
	for name, l := range lines(exampleFile(t)) {
		f := newFake(t)
		if l.change != nil {
			l.change(f)
		}
		got := f.shardlift(l.args...)
		require.Equal(t, l.status, got.status, "%s: %s%s", name, got.out, got.err)
		if l.operation != "" {
			require.NotZero(t, f.calls[l.operation], name)
			require.Contains(t, f.sent(l.operation), l.body, name)
		}
	}
}

func TestCommands_TextIsGoldenAndFits100Columns(t *testing.T) {
	for name, l := range lines(exampleFile(t)) {
		f := newFake(t)
		if l.change != nil {
			l.change(f)
		}
		if name == "watch" || strings.HasPrefix(name, "init") { // times of now; paths
			continue
		}
		got := f.shardlift(l.args...).out
		golden := filepath.Join("testdata", name+".golden")
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), got, name)
		if strings.HasPrefix(name, "grants") {
			continue // statements stay whole
		}
		for text := range strings.Lines(got) {
			text = strings.TrimRight(text, "\n")
			require.True(t, utf8.RuneCountInString(text) <= lineWidth || !strings.Contains(strings.TrimSpace(text[15:]), " "), "%s: %d columns: %s", name, utf8.RuneCountInString(text), text)
		}
	}
}

func TestJSON_StandardOutputIsJSONOnly(t *testing.T) {
	file := exampleFile(t)
	for name, l := range lines(file) {
		f := newFake(t)
		if l.change != nil {
			l.change(f)
		}
		if name == "init" {
			l.args[1] += ".other"
		}
		got := f.shardlift(append(l.args, "-o", "json")...)
		require.Equal(t, l.status, got.status, "%s: %s", name, got.err)
		decoder := json.NewDecoder(strings.NewReader(got.out))
		documents := 0
		for decoder.More() {
			var any map[string]any
			require.NoError(t, decoder.Decode(&any), "%s: %s", name, got.out)
			documents++
		}
		require.Equal(t, 1, documents, "%s: %s", name, got.out)
	}
}

func TestShow_JSONIsTheTaskAsTheServerSaysIt(t *testing.T) {
	f := newFake(t)
	got := f.shardlift("show", "shop-to-ddm", "-o", "json")
	require.Zero(t, got.status)
	want, err := json.Marshal(f.task)
	require.NoError(t, err)
	require.JSONEq(t, string(want), got.out)
	require.Contains(t, got.out, `"ended_at": null`)
	require.Empty(t, got.err)
}

func TestComparison_JSONHoldsEveryPage(t *testing.T) {
	f := newFake(t)
	var c api.Comparison
	got := f.shardlift("comparisons", "shop-to-ddm", "c2", "--differences", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(got.out), &c))
	require.Len(t, c.Tables, 3)
	require.Len(t, value(c.DifferenceRows), 2)
	require.Contains(t, got.out, `"next": null`)
}

func TestTables_JSONHoldsEveryPageOrTheOneAskedFor(t *testing.T) {
	f := newFake(t)
	var all, one api.TableList
	require.NoError(t, json.Unmarshal([]byte(f.shardlift("tables", "shop-to-ddm", "-o", "json").out), &all))
	require.Len(t, all.Tables, 2)
	require.Nil(t, all.Next)
	require.NoError(t, json.Unmarshal([]byte(f.shardlift("tables", "shop-to-ddm", "--limit", "1", "-o", "json").out), &one))
	require.Len(t, one.Tables, 1)
	require.Equal(t, "1", value(one.Next))
}

func TestPasswords_AreSentAndNeverPrinted(t *testing.T) {
	file := exampleFile(t)
	for _, args := range [][]string{{"create", "-f", file}, {"create", "-f", file, "-o", "json"}, {"test", "-f", file}, {"grants", "-f", file}, {"edit", "shop-to-ddm", "-f", file}} {
		f := newFake(t)
		got := f.shardlift(args...)
		require.NotContains(t, got.out+got.err, "canary")
		if args[0] == "create" {
			require.Contains(t, f.sent("CreateTask"), `"password":"canary-destination"`)
			require.Contains(t, f.sent("CreateTask"), `"password":"canary-source"`)
			require.NotContains(t, f.sent("CreateTask"), "password_env")
		}
	}
}

func TestSetCredentials_AsksATerminalForThePassword(t *testing.T) {
	f := newFake(t)
	got := f.run(func(a *app) { a.asks = true }, "set-credentials", "shop-to-ddm", "--side", "destination")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.err, "New password of the destination:")
	require.Contains(t, f.sent("SetCredentials"), `"password":"typed"`)
	require.Equal(t, exitUsage, f.shardlift("set-credentials", "shop-to-ddm", "--side", "destination").status)
}

func TestDestructive_AsksOnATerminalAndNeedsYesElsewhere(t *testing.T) {
	for command, operation := range map[string]string{"stop": "StopTask", "reset": "ResetTask", "delete": "DeleteTask"} {
		f := newFake(t)
		got := f.shardlift(command, "shop-to-ddm")
		require.Equal(t, exitUsage, got.status, command)
		require.Contains(t, got.err, "--yes", command)

		answer := func(text string) func(*app) {
			return func(a *app) { a.asks, a.in = true, strings.NewReader(text) }
		}
		for _, no := range []string{"n\n", "\n", ""} {
			got = f.run(answer(no), command, "shop-to-ddm")
			require.Equal(t, exitFailed, got.status, command)
		}
		require.Zero(t, f.calls[operation], "nothing was asked of the server")
		got = f.run(answer("y\n"), command, "shop-to-ddm", "-o", "json")
		require.Zero(t, got.status, got.err)
		require.Contains(t, got.err, "[y/N]")
		require.NotContains(t, got.out, "[y/N]")
		require.Equal(t, 1, f.calls[operation])
	}
}

// TestActor_IsSaidOfEveryCommand: who acted stands in the task's history.
func TestActor_IsSaidOfEveryCommand(t *testing.T) {
	f := newFake(t)
	for _, c := range []struct {
		environment []string
		args        []string
		want        string
	}{
		{nil, nil, ""},
		{[]string{"USER", "ann"}, nil, "ann"},
		{[]string{"USERNAME", `CORP\Ann Lee`}, nil, "CORP-Ann-Lee"},
		{[]string{"USER", "ann", "SHARDLIFT_ACTOR", "ann@example.org"}, nil, "ann@example.org"},
		{[]string{"USER", "ann", "SHARDLIFT_ACTOR", "ann@example.org"}, []string{"--actor", "bob"}, "bob"},
	} {
		own := func(a *app) {
			given, more := a.env, environment(c.environment...)
			a.env = func(name string) string { return cmp.Or(more(name), given(name)) }
		}
		got := f.run(own, append([]string{"pause", "shop-to-ddm"}, c.args...)...)
		require.Zero(t, got.status, got.err)
		require.Equal(t, c.want, f.actedAs())
	}
}

func TestList_ShowsDelaysOnRequest(t *testing.T) {
	f := newFake(t)
	got := f.shardlift("list", "--delay")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.out, "DELAY")
	require.Contains(t, f.sent("ListTasks"), `"delay":true`)
	require.Equal(t, "-", delayOf(api.TaskSummary{Status: "PAUSING"}))
	require.Equal(t, "?", delayOf(api.TaskSummary{Status: "INCRE_TRANSFER_STARTED"}))
	require.Equal(t, "140 ms", delayOf(api.TaskSummary{Status: "INCRE_TRANSFER_STARTED", DelayMs: new(int64(140))}))
}
