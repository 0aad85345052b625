package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/precheck"
	"shardlift/web/api"
)

// provokes says that the test itself brings an error about after the start.
func (m *move) provokes(d fault.Definition) { m.provoked = append(m.provoked, d.Code) }

// explained wants of an error that somebody has to end that the pre-check had
// found it, or that it comes about after the start only, or that the test
// provoked it: no run fails on something that the pre-check had passed.
func (m *move) explained(e *api.TaskError) {
	m.t.Helper()
	if e == nil || slices.Contains(m.provoked, e.Code) || slices.Contains(m.looked, e.Code) {
		return
	}
	verdicts := map[string]string{}
	if f, ok := precheck.Lookup(e.Code); ok && len(f.Items) > 0 {
		answer, err := m.api.GetPrecheckWithResponse(m.t.Context(), m.id)
		if err != nil || answer.StatusCode() == http.StatusServiceUnavailable {
			return // no worker answers now; the error is still there when one does
		}
		require.NotNil(m.t, answer.JSON200, "%s", answer.Body)
		for _, item := range answer.JSON200.Items {
			verdicts[item.Code] = string(item.Verdict)
		}
	}
	require.Empty(m.t, unforeseen(e.Code, verdicts), "%s %s", e.Code, e.Message)
	m.looked = append(m.looked, e.Code)
}

// unforeseen says what speaks against an error by the verdicts of the pre-check;
// empty when nothing does.
func unforeseen(code string, verdicts map[string]string) string {
	f, ok := precheck.Lookup(code)
	switch {
	case !ok: // it is repeated by itself
		return ""
	case f.Elsewhere != "":
		return "it should stop no task: " + f.Elsewhere
	case len(f.Items) == 0:
		return ""
	}
	for _, item := range f.Items {
		if v, ran := verdicts[item]; ran && v != "PASSED" {
			return ""
		}
	}
	return fmt.Sprintf("the pre-check had passed it (%s), and the test did not provoke it", strings.Join(f.Items, ", "))
}

// TestForeseen_AnErrorThatThePrecheckHadPassedIsNamed: the check itself.
func TestForeseen_AnErrorThatThePrecheckHadPassedIsNamed(t *testing.T) {
	passed := map[string]string{"dstDbDiskSize": "PASSED", "dstStatusCheck": "PASSED"}
	require.Contains(t, unforeseen(fault.ServerFull.Code, passed), "had passed it (dstDbDiskSize)")
	require.Contains(t, unforeseen(fault.ServerFull.Code, nil), "had passed it", "an item that did not run found nothing")
	require.Empty(t, unforeseen(fault.ServerFull.Code, map[string]string{"dstDbDiskSize": "ALARM"}))
	require.Empty(t, unforeseen(fault.DDLStopped.Code, passed), "only after the start")
	require.Empty(t, unforeseen(fault.ConnectionLost.Code, passed), "repeated by itself")
	require.Contains(t, unforeseen(fault.NotSynced.Code, passed), "should stop no task")
}
