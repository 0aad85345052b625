package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "shardlift/"

// graph maps each package of the module to those of ours that it imports
// itself, tests apart. Names are relative to the module.
func graph(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	g := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from, ours := strings.CutPrefix(fields[0], module)
		if !ours {
			continue
		}
		g[from] = []string{}
		for _, imported := range fields[1:] {
			if to, ours := strings.CutPrefix(imported, module); ours {
				g[from] = append(g[from], to)
			}
		}
	}
	require.NotEmpty(t, g)
	return g
}

// within says whether pkg is root or below it.
func within(pkg, root string) bool {
	return pkg == root || strings.HasPrefix(pkg, root+"/")
}

// lineOf returns the longest name of the table that pkg is within.
func lineOf(table map[string][]string, pkg string) (string, bool) {
	best, found := "", false
	for name := range table {
		if within(pkg, name) && len(name) > len(best) {
			best, found = name, true
		}
	}
	return best, found
}

func TestImports_FollowTheTable(t *testing.T) {
	table := allowed()
	for pkg, imports := range graph(t) {
		line, known := lineOf(table, pkg)
		if !known {
			t.Errorf("%s is not in the import table: add its line in internal/architecture/table_test.go", pkg)
			continue
		}
		if table[line] == nil {
			continue
		}
		for _, to := range imports {
			ok := within(to, line) || slices.ContainsFunc(table[line], func(root string) bool { return within(to, root) })
			if !ok {
				t.Errorf("%s imports %s; the table allows %s", pkg, to, strings.Join(table[line], ", "))
			}
		}
	}
}

func TestImports_NeverReach(t *testing.T) {
	g := graph(t)
	for _, rule := range forbiddenReach {
		for pkg := range g {
			if !slices.ContainsFunc(rule.from, func(root string) bool { return within(pkg, root) }) {
				continue
			}
			for reached, path := range reach(g, pkg) {
				if slices.ContainsFunc(rule.to, func(root string) bool { return within(reached, root) }) {
					t.Errorf("%s: %s", strings.Join(path, " -> "), rule.why)
				}
			}
		}
	}
}

// reach returns what pkg imports, directly or not, with a way to it.
func reach(g map[string][]string, pkg string) map[string][]string {
	paths := map[string][]string{}
	queue := [][]string{{pkg}}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		for _, to := range g[path[len(path)-1]] {
			if _, seen := paths[to]; !seen {
				paths[to] = append(slices.Clone(path), to)
				queue = append(queue, paths[to])
			}
		}
	}
	return paths
}
