package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
)

// TestList_DelaysAreThoseOfTasksThatApply: one call for each of them, none for the others.
func TestList_DelaysAreThoseOfTasksThatApply(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.running()
	lines := []Line{{TaskID: id, Status: lifecycle.IncreStarted}, {TaskID: "other", Status: lifecycle.Paused}, {TaskID: "gone", Status: lifecycle.IncreStarted}}
	require.Eventually(t, func() bool { return len(r.Delays(t.Context(), lines)) == 1 }, time.Minute, 100*time.Millisecond)
	r.makes(map[string]int{"DescribeWorkflowExecution": 2}, func() {
		require.Contains(t, r.Delays(t.Context(), lines), id)
	})
	_, err := Send(t.Context(), r.Service, id, contract.UpdateStop, contract.StopRequest{Force: true}, "")
	require.NoError(t, err)
}
