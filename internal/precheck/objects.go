package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

func objectItems() []item {
	return []item{
		{code: "userSelectObjectsCheck", group: groupSource, title: "Selected objects exist on the source", needs: onSource, run: selectedObjects},
		{code: "dstSchemaExists", group: groupTarget, title: "Destination schemas exist", needs: onDestination, run: destinationSchemasExist},
		{code: "dstTableExists", group: groupTarget, title: "Selected tables exist on the destination", needs: onBoth, run: destinationTables},
		{code: "srcDstTableNameCaseSensitiveCheck", group: groupConflict, title: "Names do not collide on the destination", needs: onBoth, run: nameCollisions},
		{code: "srcDbNameContainsUnsupportedSymbols", group: groupSource, title: "Destination takes the schema names", needs: onBoth, run: schemaNames},
		{code: "srcTableNameContainsNonAscii", group: groupSource, title: "Destination takes table and column names", needs: onBoth, run: tableNames},
		{code: "srcIdentifierWithBreakCheck", group: groupSource, title: "Names have no line breaks", needs: onSource, run: lineBreaks},
		{code: "srcDbExistUnsupportEngineTable", group: groupSource, title: "Storage engines are supported", needs: onSource, run: engines},
	}
}

func selectedObjects(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	found := map[table.Name]bool{}
	for _, p := range pairs {
		found[p.source.Name] = true
	}
	var g graded
	for _, n := range e.config.Spec.Objects.Named() {
		_, _, selected := e.config.Spec.Objects.Match(n)
		if selected && !found[n] {
			kind, err := e.kindOf(ctx, n)
			if err != nil {
				return finding{}, err
			}
			g.fail("%s %s", n, kind)
		}
	}
	for _, r := range e.config.Spec.Objects {
		if !selectsAny(r, pairs) {
			g.fail("nothing in schema %s is selected: no base table matches, or the account sees none", r.Schema)
		}
	}
	return g.finding(fmt.Sprintf("%d tables are selected", len(pairs)), "selected objects do not exist", "",
		"correct the objects of the task file; names are compared with regard to case. A table that exists may be hidden from the account: see srcDbPrivilegesIsEnough"), nil
}

func selectsAny(r selection.Rule, pairs []pair) bool {
	return slices.ContainsFunc(pairs, func(p pair) bool {
		_, _, ok := selection.Selection{r}.Match(p.source.Name)
		return ok
	})
}

// kindOf says why a named table is not among the base tables.
func (e *Env) kindOf(ctx context.Context, n table.Name) (string, error) {
	s, err := e.src(ctx)
	if err != nil {
		return "", err
	}
	found, err := records(ctx, s.db, "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", n.Schema, n.Table)
	if err != nil {
		return "", mysqlconn.Fault(err, n.String())
	}
	for _, r := range found {
		if r["table_name"] == n.Table {
			return "is no base table but a " + strings.ToLower(r["table_type"]), nil
		}
	}
	return "does not exist, or the account does not see it", nil
}

func destinationSchemasExist(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	schemas, err := e.schemas(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, schema := range e.destinationSchemas() {
		if slices.Contains(schemas, schema) {
			continue
		}
		if schema == e.metadataSchema() && !slices.Contains(e.config.Spec.Objects.DestinationSchemas(), schema) && plain(d) {
			continue // the start creates it; dstDbPrivilegesIsEnough sees to the right
		}
		g.fail("schema %s", schema)
	}
	remedy := "CREATE DATABASE `<schema>` CHARACTER SET utf8mb4; or correct objects.to and destination.metadata_schema"
	if isDDM(d) {
		remedy = "create the schema in DDM's console and give the account access to it; or correct objects.to and destination.metadata_schema"
	}
	return g.finding("every schema exists", "schemas do not exist on the destination, or the account does not see them", "", remedy), nil
}

func destinationTables(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.tables(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	others := map[string][]table.Name{}
	var g graded
	for _, p := range pairs {
		if p.destination != nil {
			continue
		}
		like, err := e.spelledOtherwise(ctx, others, p.to)
		if err != nil {
			return finding{}, err
		}
		switch {
		case like != "" && like != p.to.Table:
			g.fail("%s: the destination calls it %s; add rename: {%s: %s}", p.to, like, p.source.Name.Table, like)
		case p.named:
			g.fail("%s does not exist", p.to)
		default:
			g.alarm("not migrated: %s (%s does not exist)", p.source.Name, p.to)
		}
	}
	return g.finding(fmt.Sprintf("all %d tables exist on the destination", len(pairs)), "tables do not exist on the destination",
		"tables without a counterpart on the destination are not migrated",
		fmt.Sprintf("create the tables on the destination (%s) with the source's columns and keys, or exclude them", d.Info().Kind)), nil
}

// spelledOtherwise returns the name of a destination table that differs in case only.
func (e *Env) spelledOtherwise(ctx context.Context, others map[string][]table.Name, n table.Name) (string, error) {
	schemas, err := e.schemas(ctx)
	if err != nil || !slices.Contains(schemas, n.Schema) {
		return "", err
	}
	if _, known := others[n.Schema]; !known {
		d, err := e.dst(ctx)
		if err != nil {
			return "", err
		}
		if others[n.Schema], err = d.Tables(ctx, n.Schema); err != nil {
			return "", err
		}
	}
	for _, o := range others[n.Schema] {
		if strings.EqualFold(o.Table, n.Table) {
			return o.Table, nil
		}
	}
	return "", nil
}

func engines(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		switch engine := p.source.Engine; {
		case p.source.Transactional():
		case strings.EqualFold(engine, "MyISAM"):
			g.alarm("%s is MyISAM: not transactional, so that it stays in safe mode and a crash of the source may lose rows from its binlog", p.source.Name)
		default:
			g.fail("%s has engine %s", p.source.Name, engine)
		}
	}
	return g.finding("all tables are InnoDB", "engines are not supported", "tables are not transactional",
		"ALTER TABLE <schema>.<table> ENGINE = InnoDB; on the source, or exclude the tables"), nil
}
