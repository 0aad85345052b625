package lifecycle

import (
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
