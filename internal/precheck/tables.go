package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// pair is a selected source table with its destination.
type pair struct {
	source *table.Table
	to     table.Name
	named  bool // selected by name, not by a wildcard
	// destination is nil when the table is not there.
	destination *table.Table
	placement   table.Placement
}

func (p pair) String() string {
	if p.source.Name == p.to {
		return p.source.Name.String()
	}
	return p.source.Name.String() + " -> " + p.to.String()
}

// tables returns the selected tables, sorted by source name.
func (e *Env) tables(ctx context.Context) ([]pair, error) {
	return e.pairs.get(func() ([]pair, error) {
		found, err := e.selectedOnSource(ctx)
		if err != nil {
			return nil, err
		}
		pairs := slices.Clone(found)
		return pairs, e.addDestinations(ctx, pairs)
	})
}

// present returns the selected tables that exist on both sides.
func (e *Env) present(ctx context.Context) ([]pair, error) {
	pairs, err := e.tables(ctx)
	return slices.DeleteFunc(slices.Clone(pairs), func(p pair) bool { return p.destination == nil }), err
}

// selectedOnSource returns the selected tables without their destinations.
func (e *Env) selectedOnSource(ctx context.Context) ([]pair, error) {
	return e.sourcePairs.get(func() ([]pair, error) { return e.selected(ctx) })
}

func (e *Env) selected(ctx context.Context) ([]pair, error) {
	s, err := e.src(ctx)
	if err != nil {
		return nil, err
	}
	var out []pair
	for _, schema := range e.config.Spec.Objects.Schemas() {
		found, err := mysqlconn.Catalogue(ctx, s.db, schema, nil)
		if err != nil {
			return nil, fmt.Errorf("read source tables: %w", err)
		}
		for _, t := range found {
			if to, named, ok := e.config.Spec.Objects.Match(t.Name); ok {
				out = append(out, pair{source: t, to: to, named: named})
			}
		}
	}
	slices.SortFunc(out, func(a, b pair) int { return a.source.Name.Compare(b.source.Name) })
	return out, nil
}

func (e *Env) addDestinations(ctx context.Context, pairs []pair) error {
	d, err := e.dst(ctx)
	if err != nil {
		return err
	}
	schemas, err := e.schemas(ctx)
	if err != nil {
		return err
	}
	names := map[string][]string{}
	for _, p := range pairs {
		names[p.to.Schema] = append(names[p.to.Schema], p.to.Table)
	}
	found := map[table.Name]*table.Table{}
	placements := map[string]map[string]table.Placement{}
	for schema, wanted := range names {
		if !slices.Contains(schemas, schema) {
			continue
		}
		tables, err := d.Definitions(ctx, schema, wanted)
		if err != nil {
			return fmt.Errorf("read destination tables: %w", err)
		}
		for _, t := range tables {
			found[t.Name] = t
		}
		if placements[schema], err = d.Placements(ctx, schema); err != nil {
			return err
		}
	}
	for i := range pairs {
		p := &pairs[i]
		p.destination = found[p.to]
		p.placement = table.Placement{Kind: table.Single, Shards: 1}
		if placed, ok := placements[p.to.Schema][strings.ToLower(p.to.Table)]; ok {
			p.placement = placed
		}
	}
	return nil
}

// schemas returns the schemas of the destination.
func (e *Env) schemas(ctx context.Context) ([]string, error) {
	return e.foundSchemas.get(func() ([]string, error) {
		d, err := e.dst(ctx)
		if err != nil {
			return nil, err
		}
		return d.Schemas(ctx)
	})
}

// columnNames lists the columns of a key, "a, b(10)"; an expression is "(…)".
func columnNames(t *table.Table, k table.Key) string {
	var out []string
	for _, part := range k.Parts {
		switch {
		case part.Column < 0:
			out = append(out, "(…)")
		case part.Prefix > 0:
			out = append(out, fmt.Sprintf("%s(%d)", t.Columns[part.Column].Name, part.Prefix))
		default:
			out = append(out, t.Columns[part.Column].Name)
		}
	}
	return strings.Join(out, ", ")
}

// keyColumns returns the columns that stand in a unique key of the table.
func keyColumns(t *table.Table) []int {
	var out []int
	for _, k := range t.Keys {
		if !k.Unique {
			continue
		}
		for _, c := range k.Columns() {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}
