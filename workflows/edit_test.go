package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/selection"
	"shardlift/internal/task"
)

// TestEdit_AfterTheStartTakesWhatMayChangeAndRefusesTheRest: tags and name at any
// time (drs.md L-02, L-16); type, objects and places never (W-09, W-11, W-43).
// What cannot be taken over is refused, not passed over.
func TestEdit_AfterTheStartTakesWhatMayChangeAndRefusesTheRest(t *testing.T) {
	fixed := map[string]func(*task.Spec){
		"type":            func(s *task.Spec) { s.Type = task.Full },
		"worker_group":    func(s *task.Spec) { s.WorkerGroup = "elsewhere" },
		"objects":         func(s *task.Spec) { s.Objects = selection.Selection{{Schema: "Other"}} },
		"policy":          func(s *task.Spec) { s.Policy.Truncate = "stop" },
		"kind":            func(s *task.Spec) { s.Destination.Kind = "tidb" },
		"metadata_schema": func(s *task.Spec) { s.Destination.MetadataSchema = "other" },
		"max_connections": func(s *task.Spec) { s.Source.MaxConnections++ },
		"tls.mode":        func(s *task.Spec) { s.Destination.TLSMode = "verify-ca" },
		"data_nodes":      func(s *task.Spec) { s.Destination.DataNodes++ },
	}
	b := newBench(t)
	b.usual()
	for _, change := range fixed {
		edited := spec()
		change(&edited)
		after(b, time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.refused(fault.FixedField))
	}
	edited := spec()
	edited.Name, edited.Description, edited.Tags, edited.ExpiredDays = "another-name", "new", map[string]string{"team": "orders"}, 30
	after(b, 2*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.accepted("edit"))
	edited.Source.MaxConnections++ // with its password
	after(b, 3*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited, Credentials: []task.Side{task.SourceSide}}, b.accepted("edit"))
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, b.accepted("stop"))
	b.run(b.input(planned))
	v := b.ended()
	require.Equal(t, "another-name", v.Spec.Name)
	require.Equal(t, "new", v.Spec.Description)
	require.Equal(t, map[string]string{"team": "orders"}, v.Spec.Tags)
	require.Equal(t, 30, v.Spec.ExpiredDays)
	require.Equal(t, spec().Source.MaxConnections+1, v.Spec.Source.MaxConnections)
}
