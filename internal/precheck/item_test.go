package precheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

func TestItems_CodesAreUniqueAndNeedsStandBefore(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range Items(task.FullIncremental) {
		require.False(t, seen[i.Code], i.Code)
		for _, n := range i.Needs {
			require.True(t, seen[n], "%s needs %s", i.Code, n)
		}
		require.NotEmpty(t, i.Title)
		require.NotEmpty(t, i.Group)
		seen[i.Code] = true
	}
}

// TestItems_EachHasItsPage: docs/precheck has a heading per item, in the page
// of its group.
func TestItems_EachHasItsPage(t *testing.T) {
	pages, err := filepath.Glob("../../docs/precheck/*.md")
	require.NoError(t, err)
	var headings []string
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if code, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
				headings = append(headings, code)
			}
		}
	}
	var codes []string
	for _, i := range all() {
		codes = append(codes, i.code)
	}
	slices.Sort(codes)
	slices.Sort(headings)
	require.Equal(t, codes, headings)
}

func TestRun_UnknownItem(t *testing.T) {
	_, err := Run(t.Context(), NewEnv(Config{}), "nothing")
	require.ErrorIs(t, err, fault.UnknownCheck)
}

func TestJudge_ResultOrError(t *testing.T) {
	f, err := judge(fmt.Errorf("read: %w", fault.AccessDenied.New("t", "")))
	require.NoError(t, err)
	require.Equal(t, contract.Failed, f.verdict)
	require.Contains(t, f.reason, "insufficient user permissions")
	f, err = judge(fault.UnreadableDefinition.New("t", ""))
	require.NoError(t, err)
	require.Equal(t, contract.Failed, f.verdict)
	_, err = judge(fault.ConnectionLost.New("t", ""))
	require.ErrorIs(t, err, fault.ConnectionLost)
	_, err = judge(errors.New("x"))
	require.Error(t, err)
}

func TestClip_KeepsWithinTheLimits(t *testing.T) {
	var lines []string
	for i := range 12 {
		lines = append(lines, fmt.Sprint(i))
	}
	got := clip(lines)
	require.Len(t, got, 10)
	require.Equal(t, "… and 3 more", got[9])
	require.Len(t, clip(lines[:10]), 10)
	require.Equal(t, "9", clip(lines[:10])[9])
	long := clip([]string{strings.Repeat("ü", 300) + "\n"})
	require.Len(t, []rune(long[0]), 200)
	require.Equal(t, []string{"a b"}, clip([]string{"a\nb"}))
}
