package model

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModel_Holds: no lost row, no resurrected row, no two owners, no false
// alarm in strict mode, and no state in which the task is stuck.
func TestModel_Holds(t *testing.T) {
	holds(t,
		bounds{lives: []int{1, 3, 4, 5, 6}},
		bounds{takeovers: 1, lives: []int{2, 7}},
		bounds{during: true, lives: []int{2}},
		bounds{during: true, takeovers: 1, lives: []int{8, 9}},
	)
}

func holds(t *testing.T, all ...bounds) {
	t.Helper()
	for _, b := range all {
		b.broken = "none"
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			require.Empty(t, verdict(t, b))
		})
	}
}

// broken are the guards, each with the bounds at which its loss shows.
var broken = []bounds{
	// Rule 1: a position of the binlog, which is ahead of what a SELECT sees.
	{broken: "StartAhead", lives: []int{1}},
	// Rule 2: the end-of-copy position taken before the last read.
	{broken: "CopyEndEarly", during: true, lives: []int{8}},
	// Rule 2, apply during copy: no gate at all; limits read in the wrong order; a
	// limit ahead of what a SELECT sees; rows read before the claim is stored; a
	// half-read transaction counted as none.
	{broken: "NoGate", during: true, lives: []int{8}},
	{broken: "GateReversed", during: true, lives: []int{8}},
	{broken: "GateBeyondVisible", during: true, lives: []int{8}},
	{broken: "ReadBeforeClaim", during: true, lives: []int{8}},
	{broken: "GateInsideTransaction", during: true, lives: []int{7}},
	// Rule 4.
	{broken: "UpsertInSafeMode", lives: []int{4}},
	{broken: "IdentityIsKeyOnly", lives: []int{2}},
	{broken: "StrictAfterRestart", takeovers: 1, lives: []int{8}},
	// Rules 5 and 6.
	{broken: "OnePhase", lives: []int{4}},
	{broken: "LiteralFold", lives: []int{4}},
	{broken: "CheckpointEarly", takeovers: 1, lives: []int{8}},
	// Rule 13.
	{broken: "StopByWhatWasRead", lives: []int{2}},
	// The fence.
	{broken: "NoFence", takeovers: 1, lives: []int{8}},
	{broken: "FenceWithoutLock", takeovers: 1, lives: []int{8}},
}

// TestModel_FailsWithoutEachGuard: a model that holds without a guard would not
// prove that the guard is needed, nor that the invariants see anything.
func TestModel_FailsWithoutEachGuard(t *testing.T) {
	for _, b := range broken {
		t.Run(b.broken, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, []string{"NoLostRow", "NoResurrectedRow", "NoTwoOwners", "NoFalseAlarm", "ExactWhenStrict"}, verdict(t, b))
		})
	}
}

// TestModel_EveryGuardIsLeftOutOnce keeps the list above and the specification together.
func TestModel_EveryGuardIsLeftOutOnce(t *testing.T) {
	text, err := os.ReadFile("../../docs/model/Shardlift.tla")
	require.NoError(t, err)
	var named []string
	for _, m := range regexp.MustCompile(`"([A-Z]\w+)"`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, m[1])
	}
	slices.Sort(named)
	var tested []string
	for _, b := range broken {
		tested = append(tested, b.broken)
	}
	slices.Sort(tested)
	require.Equal(t, slices.Compact(named), tested)
}
