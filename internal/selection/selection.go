package selection

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"shardlift/internal/table"
)

// Rule selects tables of one source schema.
type Rule struct {
	Schema string `json:"schema" yaml:"schema"`
	// To is the destination schema; empty means the same name.
	To string `json:"to,omitempty" yaml:"to,omitempty"`
	// Tables are names or wildcards; empty means every table.
	Tables  []string `json:"tables,omitempty" yaml:"tables,omitempty"`
	Exclude []string `json:"exclude,omitempty" yaml:"exclude,omitempty"`
	// Rename maps a source table's name to its destination name.
	Rename map[string]string `json:"rename,omitempty" yaml:"rename,omitempty"`
}

// Selection is the ordered list of rules; the first rule that matches decides.
type Selection []Rule

// systemSchemas are never selected by anything.
var systemSchemas = []string{"mysql", "information_schema", "performance_schema", "sys", "ndbinfo"}

// MetadataPrefix starts the names of the tables that Shardlift keeps on a
// destination; they are never selected.
const MetadataPrefix = "shardlift_"

// Match says where a source table goes. named is true when a rule names the
// table without a wildcard.
func (s Selection) Match(n table.Name) (to table.Name, named, ok bool) {
	if slices.Contains(systemSchemas, strings.ToLower(n.Schema)) || strings.HasPrefix(strings.ToLower(n.Table), MetadataPrefix) {
		return table.Name{}, false, false
	}
	for _, r := range s {
		if r.Schema != n.Schema {
			continue
		}
		matched, named := r.selects(n.Table)
		if !matched {
			continue
		}
		return r.destination(n.Table), named, true
	}
	return table.Name{}, false, false
}

// SelectsSchema says whether any rule is about the schema: under a wildcard a
// new table there would be selected.
func (s Selection) SelectsSchema(schema string) bool {
	return slices.ContainsFunc(s, func(r Rule) bool { return r.Schema == schema })
}

// Schemas returns the source schemas in order, each once.
func (s Selection) Schemas() []string {
	var out []string
	for _, r := range s {
		if !slices.Contains(out, r.Schema) {
			out = append(out, r.Schema)
		}
	}
	return out
}

// DestinationSchemas returns the destination schemas in order, each once.
func (s Selection) DestinationSchemas() []string {
	var out []string
	for _, r := range s {
		if to := r.destination("").Schema; !slices.Contains(out, to) {
			out = append(out, to)
		}
	}
	return out
}

// Named returns the tables that are selected by name, in order.
func (s Selection) Named() []table.Name {
	var out []table.Name
	for _, r := range s {
		for _, t := range r.Tables {
			if !isPattern(t) {
				out = append(out, table.Name{Schema: r.Schema, Table: t})
			}
		}
	}
	return out
}

// Validate returns one error per faulty field, with the field's path.
func (s Selection) Validate() []error {
	var errs []error
	if len(s) == 0 {
		return []error{fmt.Errorf("objects: at least one schema has to be selected")}
	}
	for i, r := range s {
		at := fmt.Sprintf("objects[%d]", i)
		if r.Schema == "" {
			errs = append(errs, fmt.Errorf("%s.schema: missing", at))
		} else if slices.Contains(systemSchemas, strings.ToLower(r.Schema)) {
			errs = append(errs, fmt.Errorf("%s.schema: %s is a system schema", at, r.Schema))
		}
		for _, p := range slices.Concat(r.Tables, r.Exclude) {
			if p == "" {
				errs = append(errs, fmt.Errorf("%s.tables: an empty name selects nothing", at))
			}
		}
		for old, renamed := range r.Rename {
			if isPattern(old) || renamed == "" || isPattern(renamed) {
				errs = append(errs, fmt.Errorf("%s.rename: %q to %q: both must be plain names", at, old, renamed))
			}
		}
	}
	return errs
}

func (r Rule) selects(name string) (ok, named bool) {
	for _, p := range r.Exclude {
		if matches(p, name) {
			return false, false
		}
	}
	if len(r.Tables) == 0 {
		return true, false
	}
	for _, p := range r.Tables {
		if !isPattern(p) && p == name {
			return true, true
		}
	}
	for _, p := range r.Tables {
		if isPattern(p) && matches(p, name) {
			return true, false
		}
	}
	return false, false
}

func (r Rule) destination(name string) table.Name {
	schema := r.To
	if schema == "" {
		schema = r.Schema
	}
	if renamed, ok := r.Rename[name]; ok {
		name = renamed
	}
	return table.Name{Schema: schema, Table: name}
}

func isPattern(p string) bool { return strings.ContainsAny(p, "*?") }

// matches works on names in which / [ ] and \ are plain characters.
func matches(pattern, name string) bool {
	if !isPattern(pattern) {
		return pattern == name
	}
	plain := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`)
	pattern = strings.ReplaceAll(plain.Replace(pattern), "/", "\x00")
	ok, err := path.Match(pattern, strings.ReplaceAll(name, "/", "\x00"))
	return err == nil && ok
}
