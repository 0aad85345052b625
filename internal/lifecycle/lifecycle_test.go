package lifecycle

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAction_EachIsAllowedOrSaysWhyNot(t *testing.T) {
	for _, a := range Actions() {
		require.NotEmpty(t, a.allowed(), a)
		for _, s := range All() {
			require.Equal(t, a.Allowed(s), a.Reason(s) == "", "%s in %s", a, s)
		}
	}
}

func TestStatus_ALiveTaskCanAlwaysBeStopped(t *testing.T) {
	for _, s := range All() {
		if s.Ended() {
			require.NotContains(t, Available(s), ForceStop)
			continue
		}
		require.Contains(t, Available(s), ForceStop, s)
	}
	require.Equal(t, []Action{Delete}, Available(ReleaseDone))
}

func TestStatus_LabelsAreTheConsolesWords(t *testing.T) {
	seen := map[string]Status{}
	for _, s := range All() {
		require.NotEqual(t, string(s), s.Label())
		require.NotContains(t, seen, s.Label())
		seen[s.Label()] = s
	}
	require.Equal(t, "Fault rectification", Rebuild.Label())
	require.Equal(t, FullFailed, PhaseFull.FailedStatus())
	require.Equal(t, IncreStarted, PhaseIncremental.Running())
}

// TestAction_AllowedExactlyWhereTheTableSays is the table of drs.md 3.2 as it
// fits one flow, written a second time: a change of action.go has to be meant.
// Columns are the statuses in the order of All.
func TestAction_AllowedExactlyWhereTheTableSays(t *testing.T) {
	table := map[Action]string{
		//                cfg wait start sfail full ffail fdone incr ifail rebu pause rel rfail done del
		Edit:           "   x    x     x     x    x     x     x    x     x    x     x   x     x    -   - ", // L-01, L-02
		TestConnection: "   x    x     -     x    -     x     -    -     x    -     x   -     -    -   - ", // L-05
		Precheck:       "   x    x     -     -    -     -     -    -     -    -     -   -     -    -   - ", // L-06
		Confirm:        "   x    x     -     x    -     -     -    -     -    -     -   -     -    -   - ", // L-06; beyond: a scheduled start may meet a new alarm
		Start:          "   x    -     -     -    -     -     -    -     -    -     -   -     -    -   - ", // L-04
		Reschedule:     "   -    x     -     -    -     -     -    -     -    -     -   -     -    -   - ", // L-03
		Pause:          "   -    -     x     -    x     x     x    x     x    x     -   -     -    -   - ", // L-07
		Resume:         "   -    -     -     x    -     x     -    -     x    -     x   -     x    -   - ", // L-08
		Retry:          "   -    -     -     x    -     x     -    -     x    -     -   -     x    -   - ", // L-08
		RetryTable:     "   -    -     -     -    x     x     x    x     x    x     x   -     -    -   - ", // beyond DRS: a parked table goes on
		RecopyTable:    "   -    -     -     -    -     -     x    x     x    x     x   -     -    -   - ", // beyond DRS: it is copied anew
		DropTable:      "   -    -     -     -    x     x     x    x     x    x     x   -     -    -   - ", // beyond DRS: it leaves the task
		AddTables:      "   -    -     -     -    -     -     -    x     -    x     -   -     -    -   - ", // beyond DRS: tables join the running task
		SetCredentials: "   x    x     x     x    x     x     x    x     x    x     x   -     x    -   - ", // L-14
		Limit:          "   x    x     x     -    x     x     x    x     x    x     x   -     -    -   - ", // L-15
		Compare:        "   -    -     -     -    -     -     x    x     x    -     x   -     -    -   - ", // L-21
		Stop:           "   x    x     x     x    x     x     x    x     x    -     x   -     x    -   - ", // L-11
		ForceStop:      "   x    x     x     x    x     x     x    x     x    x     x   x     x    -   - ", // L-12
		Reset:          "   -    -     -     x    -     x     -    -     x    -     x   -     -    -   - ", // L-10
		Delete:         "   -    -     -     -    -     -     -    -     -    -     -   -     -    x   - ", // L-13
	}
	require.Len(t, table, len(Actions()))
	for action, line := range table {
		cells := strings.Fields(line)
		require.Len(t, cells, len(All()), action)
		for i, s := range All() {
			require.Equal(t, cells[i] == "x", action.Allowed(s), "%s in %s", action, s)
			if !action.Allowed(s) {
				require.NotEmpty(t, action.Reason(s))
			}
		}
	}
}
