package precheck

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/task"
)

var update = flag.Bool("update", false, "write docs/failures.md anew")

const failuresPage = "../../docs/failures.md"

// TestForeseen_EveryFaultThatStopsIsAssigned: each fault of the catalogue that
// somebody has to end is one that items look for, one that comes later and says
// how, or one that stops no task; and nothing else is listed.
func TestForeseen_EveryFaultThatStopsIsAssigned(t *testing.T) {
	items := map[string]bool{}
	for _, i := range Items(task.FullIncremental) {
		items[i.Code] = true
	}
	listed := foreseen()
	for code, d := range catalogue(t) {
		f, ok := listed[code]
		if d.class == "Retry" {
			require.False(t, ok, "%s (%s) is repeated by itself and stops nothing", code, d.name)
			continue
		}
		require.True(t, ok, "%s (%s): say in internal/precheck/foreseen.go which items of the pre-check look for it, or how it comes about after the start; then go test ./internal/precheck -run TestForeseen -update", code, d.name)
		if f.Elsewhere != "" {
			require.Empty(t, f.Items, code)
			require.Empty(t, f.Later, code)
			continue
		}
		require.True(t, len(f.Items) > 0 || f.Later != "", code)
		for _, item := range f.Items {
			require.True(t, items[item], "%s: no item %s", code, item)
		}
		delete(listed, code)
	}
	for code, f := range listed {
		require.NotEmpty(t, f.Elsewhere, "%s is not in the catalogue", code)
	}
}

// TestForeseen_PageShowsTheTable keeps docs/failures.md.
func TestForeseen_PageShowsTheTable(t *testing.T) {
	text := failures(t)
	if *update {
		require.NoError(t, os.WriteFile(failuresPage, []byte(text), 0o644))
	}
	got, err := os.ReadFile(failuresPage)
	require.NoError(t, err)
	require.Equal(t, text, string(got), "go test ./internal/precheck -run TestForeseen -update")
}

func failures(t *testing.T) string {
	t.Helper()
	known, listed := catalogue(t), foreseen()
	var out strings.Builder
	out.WriteString(`# What can stop a task

Every error that does not end by itself, with the items of the pre-check that look for it before the start, and how it comes about although they passed. No end-to-end test fails on an error that an item looks for and had passed, unless the test itself brought it about after the start (` + "`internal/e2e`" + `). This page is written by ` + "`go test ./internal/precheck -run TestForeseen -update`" + `; its source is ` + "`internal/precheck/foreseen.go`" + `.

| code | what | looked for by | after the start |
|---|---|---|---|
`)
	var elsewhere []string
	for _, code := range slices.Sorted(maps.Keys(listed)) {
		f := listed[code]
		if f.Elsewhere != "" {
			elsewhere = append(elsewhere, fmt.Sprintf("| %s | %s | %s |\n", code, known[code].message, f.Elsewhere))
			continue
		}
		var links []string
		for _, item := range f.Items {
			links = append(links, fmt.Sprintf("[%s](precheck/%s.md)", item, item))
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", code, known[code].message, orDash(strings.Join(links, ", ")), orDash(f.Later))
	}
	out.WriteString("\n## Errors that stop no task\n\n| code | what | where it is answered |\n|---|---|---|\n" + strings.Join(elsewhere, ""))
	return out.String()
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

type defined struct{ name, class, message string }

// catalogue reads the definitions from the sources of internal/fault, by code.
func catalogue(t *testing.T) map[string]defined {
	t.Helper()
	files, err := filepath.Glob("../fault/catalogue_*.go")
	require.NoError(t, err)
	out := map[string]defined{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, value := range spec.Values {
				literal, ok := value.(*ast.CompositeLit)
				if !ok || len(literal.Elts) != 4 {
					continue
				}
				class, ok := literal.Elts[1].(*ast.Ident)
				require.True(t, ok, spec.Names[i].Name)
				out[unquoted(t, literal.Elts[0])] = defined{spec.Names[i].Name, class.Name, unquoted(t, literal.Elts[2])}
			}
			return true
		})
	}
	require.Greater(t, len(out), 100)
	return out
}

func unquoted(t *testing.T, e ast.Expr) string {
	t.Helper()
	literal, ok := e.(*ast.BasicLit)
	require.True(t, ok, "a literal")
	out, err := strconv.Unquote(literal.Value)
	require.NoError(t, err)
	return out
}
