package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// objects compares definitions: table, columns, indexes, collations.
func (r *run) objects(ctx context.Context, t Table, s *state) error {
	source, destination, err := r.definitions(ctx, t)
	if errors.Is(err, fault.DestinationTable) {
		s.Result = checkpoint.ResultMissing
		return s.add([]contract.Difference{{Table: t.Source, Key: "table", Kind: onlySource}})
	}
	if err != nil {
		return err
	}
	s.Result = checkpoint.ResultConsistent
	if list := differingObjects(source, destination); len(list) > 0 {
		s.Result = checkpoint.ResultInconsistent
		return s.add(list)
	}
	return nil
}

func differingObjects(source, destination *table.Table) []contract.Difference {
	var list []contract.Difference
	add := func(kind, format string, args ...any) {
		list = append(list, contract.Difference{Table: source.Name, Key: fmt.Sprintf(format, args...), Kind: kind})
	}
	if a, b := source.Collation, destination.Collation; a != "" && b != "" && a != b {
		add(different, "table collation: source %s, destination %s", a, b)
	}
	for i := range source.Columns {
		a := &source.Columns[i]
		at := destination.Column(a.Name)
		if at < 0 {
			add(onlySource, "column %s", a.Name)
			continue
		}
		if x, y := describe(a), describe(&destination.Columns[at]); x != y {
			add(different, "column %s: source %s, destination %s", a.Name, x, y)
		}
	}
	for i := range destination.Columns {
		if source.Column(destination.Columns[i].Name) < 0 {
			add(onlyDestination, "column %s", destination.Columns[i].Name)
		}
	}
	for _, a := range source.Keys {
		b, ok := keyNamed(destination, a.Name)
		switch x, y := parts(source, a), parts(destination, b); {
		case !ok:
			add(onlySource, "index %s", a.Name)
		case x != y:
			add(different, "index %s: source %s, destination %s", a.Name, x, y)
		}
	}
	for _, b := range destination.Keys {
		if _, ok := keyNamed(source, b.Name); !ok {
			add(onlyDestination, "index %s", b.Name)
		}
	}
	return list
}

// describe prints what decides a column's values, the same for every server:
// "int(11)" of 5.7 and "int" of 8.0 are one type. Whether a value is computed or
// has a default is the destination's own matter.
func describe(c *table.Column) string {
	out := strings.ToLower(c.SQLType)
	if end := strings.IndexAny(out, "( "); end >= 0 {
		out = out[:end]
	}
	switch c.Type {
	case table.TypeDecimal:
		out += fmt.Sprintf("(%d,%d)", c.Precision, c.Scale)
	case table.TypeBit:
		out += fmt.Sprintf("(%d)", c.Bits)
	case table.TypeTime, table.TypeDateTime, table.TypeTimestamp:
		out += fmt.Sprintf("(%d)", c.Fraction)
	case table.TypeText, table.TypeFixedBinary, table.TypeBinary, table.TypeVector:
		out += fmt.Sprintf("(%d)", c.Length)
	case table.TypeEnum, table.TypeSet:
		out += "('" + strings.Join(c.Labels, "','") + "')"
	default:
	}
	if c.Unsigned {
		out += " unsigned"
	}
	if c.Collation != "" {
		out += " collate " + c.Collation
	}
	if !c.Nullable {
		out += " not null"
	}
	return out
}

func keyNamed(t *table.Table, name string) (table.Key, bool) {
	at := slices.IndexFunc(t.Keys, func(k table.Key) bool { return strings.EqualFold(k.Name, name) })
	if at < 0 {
		return table.Key{}, false
	}
	return t.Keys[at], true
}

// parts prints an index by its columns' names.
func parts(t *table.Table, k table.Key) string {
	list := make([]string, len(k.Parts))
	for i, p := range k.Parts {
		switch {
		case p.Column < 0:
			list[i] = "(expression)"
		case p.Prefix > 0:
			list[i] = fmt.Sprintf("%s(%d)", strings.ToLower(t.Columns[p.Column].Name), p.Prefix)
		default:
			list[i] = strings.ToLower(t.Columns[p.Column].Name)
		}
	}
	out := "(" + strings.Join(list, ",") + ")"
	if k.Unique {
		out = "unique " + out
	}
	return out
}
