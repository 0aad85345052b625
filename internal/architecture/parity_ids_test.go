package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lines are those of a list in testdata, without remarks.
func lines(t *testing.T, file string) (out []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// parityRows are the rows of both pages by each of the numbers in their first cell.
func parityRows(t *testing.T) (rows map[string]string, count map[string]int) {
	t.Helper()
	rows, count = map[string]string{}, map[string]int{}
	number := regexp.MustCompile(`^(?:[A-Z]+-[A-Z]?\d+|\d\.\d+)$`)
	for _, page := range []string{"../../docs/parity.md", "../../docs/parity/precheck.md"} {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			first, rest, ok := strings.Cut(strings.TrimPrefix(line, "|"), "|")
			if !ok || !strings.HasPrefix(line, "|") {
				continue
			}
			for cell := range strings.SplitSeq(first, ",") {
				if id := strings.TrimSpace(cell); number.MatchString(id) {
					rows[id] = rest
					count[id]++
				}
			}
		}
	}
	return rows, count
}

// TestParity_HasEachNumberOnceAndShowsIt: what is built names the test that shows
// it, or the page, command or field; what has no meaning says why.
func TestParity_HasEachNumberOnceAndShowsIt(t *testing.T) {
	rows, count := parityRows(t)
	shown := regexp.MustCompile("`Test[A-Z]\\w+`|\\]\\([\\w./#-]+\\)")
	known := map[string]bool{}
	for _, line := range lines(t, "drs-ids.txt") {
		id, fit, _ := strings.Cut(line, " ")
		require.False(t, known[id], "%s stands twice in the list", id)
		known[id] = true
		require.Equal(t, 1, count[id], "docs/parity: %s has to stand in one row", id)
		switch row := rows[id]; fit {
		case "Y", "A":
			require.Regexp(t, shown, row, "docs/parity: %s names neither a test nor a page", id)
			require.False(t, fit == "Y" && strings.Contains(row, "no meaning"), "docs/parity: %s has a meaning", id)
		case "N":
			require.Regexp(t, `\w+ \w+ \w+`, row[strings.LastIndex(strings.TrimSuffix(strings.TrimSpace(row), "|"), "|")+1:], "docs/parity: %s does not say why", id)
		default:
			require.Fail(t, "unknown fit", "%s", line)
		}
	}
	for id := range count {
		require.True(t, known[id], "docs/parity: %s is no number of the list", id)
	}
}

// TestParity_HasEachItemOfThePrecheck: an item of DRS is one of ours, with its
// page, or docs/parity/precheck.md names it and says what stands for it.
func TestParity_HasEachItemOfThePrecheck(t *testing.T) {
	page, err := os.ReadFile("../../docs/parity/precheck.md")
	require.NoError(t, err)
	for _, code := range lines(t, "drs-items.txt") {
		_, err := os.Stat(filepath.Join("../../docs/precheck", code+".md"))
		require.True(t, err == nil || strings.Contains(string(page), "`"+code+"`"), "docs/parity/precheck.md says nothing of %s", code)
	}
}
