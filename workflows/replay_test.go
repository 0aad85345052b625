package workflows

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
)

// TestReplay_RecordedHistories replays what released versions recorded. A
// failure means that tasks which run now would stop at the next worker: give the
// old order of commands back under workflow.GetVersion (see changeRelease), and
// record the new one beside it.
func TestReplay_RecordedHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 7)
	for _, file := range files {
		replayer := worker.NewWorkflowReplayer()
		Register(replayer)
		require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(quiet(), file), file)
	}
}

func list(query string) *workflowservice.ListWorkflowExecutionsRequest {
	return &workflowservice.ListWorkflowExecutionsRequest{Query: query}
}
