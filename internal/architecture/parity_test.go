package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs_NamedTestsExist keeps the pages honest that name the test of each
// claim.
func TestDocs_NamedTestsExist(t *testing.T) {
	known := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	require.NoError(t, filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || len(path) < 8 || path[len(path)-8:] != "_test.go" {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(data, -1) {
			known[string(m[1])] = true
		}
		return err
	}))
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	more, err := filepath.Glob("../../docs/parity/*.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)")
	count := 0
	for _, page := range append(pages, more...) {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range named.FindAllSubmatch(data, -1) {
			count++
			require.True(t, known[string(m[1])], "%s names %s, which does not exist", filepath.Base(page), m[1])
		}
	}
	require.Greater(t, count, 50)
}
