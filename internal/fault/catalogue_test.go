package fault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCatalogue_CodesAreUniqueAndHaveRemedies reads the sources of the
// catalogue: a code that two faults share would name neither.
func TestCatalogue_CodesAreUniqueAndHaveRemedies(t *testing.T) {
	files, err := filepath.Glob("catalogue_*.go")
	require.NoError(t, err)
	owner := map[string]string{}
	for _, file := range files {
		if filepath.Base(file) == "catalogue_test.go" {
			continue
		}
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
				name := spec.Names[i].Name
				code, message, remedy := text(t, literal.Elts[0]), text(t, literal.Elts[2]), text(t, literal.Elts[3])
				require.Regexp(t, `^SL-[1-9]\d{3}$`, code, name)
				require.Empty(t, owner[code], "%s and %s share %s", name, owner[code], code)
				require.NotEmpty(t, message, name)
				require.NotEmpty(t, remedy, name)
				owner[code] = name
			}
			return true
		})
	}
	require.Greater(t, len(owner), 100)
}

func text(t *testing.T, e ast.Expr) string {
	t.Helper()
	literal, ok := e.(*ast.BasicLit)
	require.True(t, ok, "a literal")
	out, err := strconv.Unquote(literal.Value)
	require.NoError(t, err)
	return out
}
