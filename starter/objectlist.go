package main

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/fault"
	"shardlift/internal/selection"
	"shardlift/web/api"
)

// narrow makes the rules of a selection select the tables that a list names, and
// nothing else. A schema keeps its destination and renames; one that no rule
// knows goes to its own name.
func narrowTo(rules selection.Selection, list []listed) selection.Selection {
	out := selection.Selection{}
	for _, l := range list {
		i := slices.IndexFunc(out, func(r selection.Rule) bool { return r.Schema == l.schema })
		if i < 0 {
			rule := selection.Rule{Schema: l.schema}
			if j := slices.IndexFunc(rules, func(r selection.Rule) bool { return r.Schema == l.schema }); j >= 0 {
				rule.To, rule.Rename = rules[j].To, rules[j].Rename
			}
			i, out = len(out), append(out, rule)
		}
		if !slices.Contains(out[i].Tables, l.table) {
			out[i].Tables = append(out[i].Tables, l.table)
		}
	}
	return out
}

// listed is one line of an object list.
type listed struct{ schema, table string }

// readObjectList reads one schema.table a line; names with a dot stand in
// backquotes. Empty lines and lines that begin with # are skipped.
func (a *app) readObjectList(path string) ([]listed, error) {
	data, err := a.readInput(path)
	if err != nil {
		return nil, err
	}
	var out []listed
	var wrong []api.FieldError
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		one, ok := parseObject(line)
		if !ok {
			wrong = append(wrong, api.FieldError{Field: fmt.Sprintf("line %d", number), Message: "want schema.table"})
			continue
		}
		out = append(out, one)
	}
	switch {
	case lines.Err() != nil:
		return nil, fault.FileUnusable.Wrap(lines.Err(), path)
	case len(wrong) > 0:
		return nil, fault.InvalidFile.Wrap(&fieldErrors{wrong}, path)
	case len(out) == 0:
		return nil, fault.InvalidFile.New(path, "it names no table")
	}
	return out, nil
}

func parseObject(line string) (listed, bool) {
	schema, rest, ok := cutName(line)
	if !ok || !strings.HasPrefix(rest, ".") {
		return listed{}, false
	}
	table, rest, ok := cutName(rest[1:])
	return listed{schema, table}, ok && rest == ""
}

// cutName takes one name, in backquotes or up to the next dot.
func cutName(text string) (name, rest string, ok bool) {
	if !strings.HasPrefix(text, "`") {
		end := strings.IndexByte(text, '.')
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], end > 0 && !strings.ContainsAny(text[:end], "` \t*?")
	}
	for i := 1; i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		if strings.HasPrefix(text[i+1:], "`") {
			i++
			continue
		}
		name = strings.ReplaceAll(text[1:i], "``", "`")
		return name, text[i+1:], name != "" && !strings.ContainsAny(name, "*?")
	}
	return "", "", false
}
