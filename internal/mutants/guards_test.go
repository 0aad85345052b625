package mutants

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestGuards_AreStillThere is the cheap half of the mutation run, which belongs
// to every change: a guard whose text is gone would not be taken out any more.
func TestGuards_AreStillThere(t *testing.T) {
	names := map[string]bool{}
	for _, g := range Guards() {
		require.False(t, names[g.Name], "%s is there twice", g.Name)
		names[g.Name] = true
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(g.File)))
		require.NoError(t, err)
		mutant, err := g.Mutate(string(content))
		if err != nil {
			t.Errorf("%v: give it the new text in internal/mutants/guards.go, and run `make mutants ONLY=%s`", err, g.Name)
			continue
		}
		require.NotEqual(t, string(content), mutant, g.Name)
	}
	require.GreaterOrEqual(t, len(names), 30)
}

// TestGuards_NameTestsThatExist: a pattern that matches nothing catches nothing.
func TestGuards_NameTestsThatExist(t *testing.T) {
	declared := map[string][]string{} // by package
	test := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, g := range Guards() {
		if declared[g.Package] == nil {
			files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(g.Package), "*_test.go"))
			require.NoError(t, err)
			for _, file := range files {
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				for _, m := range test.FindAllStringSubmatch(string(content), -1) {
					declared[g.Package] = append(declared[g.Package], m[1])
				}
			}
		}
		all := strings.Join(declared[g.Package], "\n")
		for name := range strings.SplitSeq(g.Run, "|") {
			require.Regexp(t, "(?m)^"+strings.TrimSuffix(name, "$")+"$", all, "%s: %s in %s", g.Name, name, g.Package)
		}
	}
}

func TestRunner_TellsCaughtFromSurvived(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("go.mod", "module tried\n\ngo 1.26\n")
	write("a.go", "package tried\n\nfunc Guarded(n int) bool {\n\treturn n > 0\n}\n")
	write("a_test.go", "package tried\n\nimport \"testing\"\n\nfunc TestGuarded(t *testing.T) {\n\tif Guarded(0) {\n\t\tt.Error(\"0\")\n\t}\n}\n")
	g := Guard{Name: "positive", File: "a.go", Text: "n > 0", Package: ".", Run: "TestGuarded"}
	r := &Runner{Root: dir, Timeout: time.Minute}
	for replacement, want := range map[string]Verdict{"n >= 0": Caught, "n > 1": Survived, "n >": Broken} {
		g.Replacement = replacement
		require.Equal(t, want, r.Run(t.Context(), g).Verdict, replacement)
	}
	g.Run, g.Replacement = "TestOther", "true"
	require.Equal(t, Broken, r.Run(t.Context(), g).Verdict, "no such test")
	g.Text = "n < 0"
	require.Equal(t, Broken, r.Run(t.Context(), g).Verdict, "no such text")
}
