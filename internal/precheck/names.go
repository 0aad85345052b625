package precheck

import (
	"context"
	"regexp"
	"strings"

	"shardlift/internal/table"
)

// nameCollisions looks for source tables that meet in one destination table:
// exactly, or in lower case where the destination keeps names so (D-06).
func nameCollisions(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	caseless, err := e.caselessNames(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	seen := map[table.Name]pair{}
	for _, p := range pairs {
		n := p.to
		if caseless {
			n.Schema, n.Table = strings.ToLower(n.Schema), strings.ToLower(n.Table)
		}
		if other, there := seen[n]; there {
			g.fail("%s and %s are both %s", other.source.Name, p.source.Name, n)
			continue
		}
		seen[n] = p
	}
	return g.finding("no two tables have one name on the destination", "tables would be merged on the destination", "",
		"give one of each pair another name with rename (or another schema with to), or exclude it"), nil
}

// caselessNames says whether the destination's names have no case.
func (e *Env) caselessNames(ctx context.Context) (bool, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return false, err
	}
	if isDDM(d) {
		return true, nil
	}
	v, err := one(ctx, d.DB(), "SELECT @@lower_case_table_names")
	if refused(err) {
		return true, nil
	}
	return v != "0", err
}

var (
	ddmSchemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,47}$`) // D-53
	ddmTableName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)        // D-53
)

func schemaNames(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, schema := range e.destinationSchemas() {
		if isDDM(d) && !ddmSchemaName.MatchString(schema) {
			g.fail("%s", schema)
		}
	}
	return g.finding("the destination takes every schema name", "schema names are not possible on the destination", "",
		"map the schema with to: DDM takes 2 to 48 lower-case letters, digits and _, a letter first"), nil
}

func tableNames(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		name := p.to.Table
		if isDDM(d) && (!ddmTableName.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "_ddm")) {
			g.fail("table %s", p)
		}
		for _, c := range p.source.Columns {
			if isDDM(d) && !isASCII(c.Name) {
				g.alarm("column %s.%s is not ASCII: DDM may refuse it", p.source.Name, c.Name)
			}
		}
	}
	return g.finding("the destination takes every name", "names are not possible on the destination", "names may not be possible on the destination",
		"rename: DDM takes letters, digits and _ in table names, without the prefix _ddm"), nil
}

// lineBreaks (PC-60): logs, task files and middlewares go by lines.
func lineBreaks(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		if hasBreak(p.source.Name.Schema) || hasBreak(p.source.Name.Table) {
			g.fail("table %q", p.source.Name)
		}
		for _, c := range p.source.Columns {
			if hasBreak(c.Name) {
				g.fail("column %q of %q", c.Name, p.source.Name)
			}
		}
	}
	return g.finding("no name has a line break", "names have line breaks", "", "RENAME TABLE <old> TO <new>; or ALTER TABLE <table> CHANGE <column> <new> <type>; on the source, or exclude the tables"), nil
}

func hasBreak(name string) bool { return strings.ContainsAny(name, "\r\n\x00") }

func isASCII(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return r > 0x7e }) < 0
}
