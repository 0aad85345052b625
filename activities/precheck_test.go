package activities

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/precheck"
	"shardlift/internal/task"
)

// TestPrecheck_KeysOfRowsReachAPageSealed: they are in no result, but in the
// metadata, where an inspection finds them before any start; they go with the
// task.
func TestPrecheck_KeysOfRowsReachAPageSealed(t *testing.T) {
	r := newRig(t)
	defer func() { require.NoError(t, r.prechecks.Close()) }()
	r.exec("CREATE TABLE a (who VARCHAR(20) PRIMARY KEY, e ENUM('x'))", "CREATE TABLE `"+r.to+"`.a LIKE a")
	db := r.server.DB(t, r.source)
	db.SetMaxOpenConns(1)
	for _, s := range []string{"SET SESSION sql_mode = ''", "INSERT INTO a VALUES ('secret-name', 'y')"} {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	require.Empty(t, inspectAs[contract.SamplesAnswer](r, contract.InspectIn{Kind: contract.InspectSamples}).Samples)
	result := must(r, r.RunPrecheckItem, contract.PrecheckItemIn{TaskRef: r.ref, Code: "srcEnumErrorValue"})
	require.Equal(t, contract.Failed, result.Verdict)
	require.True(t, result.Skippable)
	require.Equal(t, "docs/precheck/srcEnumErrorValue.md", result.Page)
	text, err := json.Marshal(result)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret-name")
	want := []contract.RowSample{{Item: "srcEnumErrorValue", Object: r.source + ".a.e", Keys: []string{"who=secret-name"}}}
	require.Equal(t, want, inspectAs[contract.SamplesAnswer](r, contract.InspectIn{Kind: contract.InspectSamples}).Samples)
	require.NoError(t, r.dropMetadata(t.Context(), r.ref))
	require.Empty(t, inspectAs[contract.SamplesAnswer](r, contract.InspectIn{Kind: contract.InspectSamples}).Samples)
}

func TestPrecheck_ItemsOfATaskAndItsDataNodes(t *testing.T) {
	r := newRig(t, func(f *task.File) { f.Type = task.Full })
	refs := must(r, r.ListPrecheckItems, r.ref)
	require.Equal(t, precheck.Items(task.Full), refs)
	nodes := dataNodes(task.Endpoint{DataNodes: []task.NodeRef{{Host: "a", Port: 1, User: "u", Password: "p"}}})
	require.Len(t, nodes, 1)
	require.Equal(t, "a:1", nodes[0].Address())
	require.Equal(t, "p", nodes[0].Password.Reveal())
}
