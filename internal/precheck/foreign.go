package precheck

import (
	"context"
	"slices"

	"shardlift/internal/position"
	"shardlift/internal/table"
)

func foreignItems() []item {
	return []item{
		{
			code: "MysqlForeignKeyReferentialActionCheck", group: groupDependency, title: "Foreign keys change no rows behind the binlog",
			needs: onSource, incremental: true, run: referentialActions,
		},
		{code: "hasForeignKeyOnUnselectedTable", group: groupDependency, title: "Tables that foreign keys refer to are selected", needs: onSource, run: unselectedParents},
	}
}

// nativeForeignKeys: from 9.6 the server itself carries out referential actions
// and logs the rows they change, unless innodb_native_foreign_keys is on.
const nativeForeignKeys = 90600

// referentialActions: what InnoDB changes in child tables is not in the binlog.
func referentialActions(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	acts := []string{"CASCADE", "SET NULL", "SET DEFAULT"}
	var g graded
	for _, p := range pairs {
		for _, k := range p.source.ForeignKeys {
			for _, rule := range []struct{ event, action string }{{"ON DELETE", k.OnDelete}, {"ON UPDATE", k.OnUpdate}} {
				if slices.Contains(acts, rule.action) {
					g.fail("%s: %s %s %s", p.source.Name, k.Name, rule.event, rule.action)
				}
			}
		}
	}
	c := s.capabilities
	if len(g.fails) > 0 && c.Flavor == position.MySQL && c.Number >= nativeForeignKeys && !c.IsOn("innodb_native_foreign_keys") {
		return pass("MySQL %s writes the rows that %d referential actions change to its binlog", c.Version, len(g.fails)), nil
	}
	return g.finding("no foreign key of a selected table has a referential action", "foreign keys change rows of selected tables without a trace in the binlog", "",
		"on the source replace them: ALTER TABLE <schema>.<table> DROP FOREIGN KEY <key>, ADD CONSTRAINT <key> FOREIGN KEY (…) REFERENCES … ON DELETE RESTRICT ON UPDATE RESTRICT; and let the application do what they did. Or migrate while nobody writes, with a full-only task"), nil
}

func unselectedParents(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	selected := map[table.Name]bool{}
	for _, p := range pairs {
		selected[p.source.Name] = true
	}
	var g graded
	for _, p := range pairs {
		for _, k := range p.source.ForeignKeys {
			if !selected[k.Referenced] {
				g.alarm("%s refers to %s, which is not selected", p.source.Name, k.Referenced)
			}
		}
	}
	return g.finding("every table that a foreign key refers to is selected", "", "tables that foreign keys refer to are not selected",
		"select the tables too, or confirm that the destination has their rows or needs none"), nil
}
