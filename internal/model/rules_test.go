package model

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestRules_NameTestsThatExist reads docs/rules.md: every rule of the design has
// a section, every clause has tests, and every test is there.
func TestRules_NameTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/rules.md"))
	require.NoError(t, err)
	sections := map[string]int{}
	name := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`")
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section, _, _ = strings.Cut(title, ":")
			continue
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| clause") {
			continue
		}
		named := name.FindAllStringSubmatch(line, -1)
		require.NotEmpty(t, named, "%s: %s", section, line)
		require.Equal(t, strings.Count(line, "`")/2, len(named)+strings.Count(line, "`--"), "%s: a name that cannot be read: %s", section, line)
		sections[section]++
		for _, n := range named {
			if !isDeclared(t, n[1], n[2]) {
				t.Errorf("%s: %s.%s does not exist", section, n[1], n[2])
			}
		}
	}
	want := []string{"The fence", "Servers that fail", "Apply groups ([0011](decisions/0011-apply-groups.md))"}
	for i := range 13 {
		want = append(want, fmt.Sprintf("Rule %d", i+1))
	}
	require.Len(t, sections, len(want))
	for _, s := range want {
		require.Positive(t, sections[s], s)
	}
}

func isDeclared(t *testing.T, pkg, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pkg), "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}

// TestRule3_NothingIsWrittenWithIgnore: INSERT IGNORE hides every error of a row,
// not only a duplicate key. No text of the engine has it.
func TestRule3_NothingIsWrittenWithIgnore(t *testing.T) {
	ignore := regexp.MustCompile(`(?i)\b(insert|update|replace|load data)\b.*\bignore\b`)
	for _, pkg := range []string{"dialect", "destination", "checkpoint", "copier", "applier", "compare", "sequence", "source"} {
		files, err := filepath.Glob(filepath.Join(root, "internal", pkg, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files, pkg)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			ast.Inspect(parsed, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					require.NotRegexp(t, ignore, text.Value, file)
				}
				return true
			})
		}
	}
}
