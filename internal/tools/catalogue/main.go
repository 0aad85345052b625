// Command catalogue prints the error catalogue, one line per code, in order of
// the codes. It reads the definitions in the source of the folder that its
// argument names, so a new catalogue file needs no registration.
//
// It ends with status 1 when a code is used twice or is not SL-NNNN.
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: catalogue FOLDER")
		os.Exit(2)
	}
	entries, err := read(os.Args[1])
	if err == nil {
		print(entries)
		err = check(entries)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "catalogue:", err)
		os.Exit(1)
	}
}

// entry is one Definition{Code, Class, Message, Remedy} with its variable.
type entry struct{ name, code, class, message, remedy string }

func read(dir string) ([]entry, error) {
	files, err := filepath.Glob(filepath.Join(dir, "catalogue_*.go"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no catalogue_*.go in %s", dir)
	}
	var entries []entry
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, value := range spec.Values {
				if e, ok := definition(value); ok {
					e.name = spec.Names[i].Name
					entries = append(entries, e)
				}
			}
			return false
		})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.code, b.code) })
	return entries, nil
}

// definition reads a composite literal of Definition, with or without keys.
func definition(value ast.Expr) (entry, bool) {
	literal, ok := value.(*ast.CompositeLit)
	if !ok {
		return entry{}, false
	}
	if name, ok := literal.Type.(*ast.Ident); !ok || name.Name != "Definition" {
		return entry{}, false
	}
	fields := map[string]string{}
	for i, element := range literal.Elts {
		key := []string{"Code", "Class", "Message", "Remedy"}[min(i, 3)]
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			key, element = pair.Key.(*ast.Ident).Name, pair.Value
		}
		fields[key] = text(element)
	}
	return entry{code: fields["Code"], class: strings.ToLower(fields["Class"]), message: fields["Message"], remedy: fields["Remedy"]}, true
}

// text joins string literals and names.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			return e.Value
		}
		return s
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	case *ast.Ident:
		return e.Name
	default:
		return "?"
	}
}

func print(entries []entry) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CODE\tCLASS\tMESSAGE\tREMEDY")
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.code, e.class, e.message, e.remedy)
	}
	_ = w.Flush()
}

func check(entries []entry) error {
	form := regexp.MustCompile(`^SL-\d{4}$`)
	var faults []error
	for i, e := range entries {
		if !form.MatchString(e.code) {
			faults = append(faults, fmt.Errorf("%s has the code %q: want SL-NNNN", e.name, e.code))
		}
		if e.message == "" || e.remedy == "" {
			faults = append(faults, fmt.Errorf("%s (%s) lacks a message or a remedy", e.name, e.code))
		}
		if i > 0 && entries[i-1].code == e.code {
			faults = append(faults, fmt.Errorf("%s is used by %s and %s", e.code, entries[i-1].name, e.name))
		}
	}
	return errors.Join(faults...)
}
