package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/table"
)

func keyItems() []item {
	return []item{
		{code: "srcHasNoPkTable", group: groupSource, title: "Tables have a primary key", needs: onSource, run: primaryKeys},
		{code: "dbKeyCollationConsistency", group: groupDependency, title: "Collations of key columns are equal", needs: onBoth, run: keyCollations},
		{code: "dbUniqueKeyConsistency", group: groupDependency, title: "Unique keys are equal", needs: onBoth, run: uniqueKeys},
		{code: "srcTableFloatKey", group: groupSource, title: "No key is a floating-point number", needs: onSource, run: floatKeys},
	}
}

func primaryKeys(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		if p.source.Primary() == nil {
			g.fail("%s", p.source.Name)
		}
	}
	return g.finding("every table has a primary key", "tables without a primary key cannot be migrated", "",
		"ALTER TABLE <schema>.<table> ADD PRIMARY KEY (…); on both sides, or exclude the tables"), nil
}

// keyCollations (rule 7): what one side takes for the same key the other side
// must take for the same.
func keyCollations(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, name := range allKeyColumns(p) {
			from, to := p.source.Column(name), p.destination.Column(name)
			if from < 0 || to < 0 {
				continue
			}
			a, b := p.source.Columns[from].Collation, p.destination.Columns[to].Collation
			if a != b && a != "" && b != "" {
				g.fail("%s.%s: %s on the source, %s on the destination", p.to, name, a, b)
			}
		}
	}
	return g.finding("collations of all key columns are equal", "collations of key columns differ: the sides disagree about which keys are equal", "",
		"ALTER TABLE <schema>.<table> MODIFY <column> <type> COLLATE <the source's collation>; on the destination"), nil
}

// allKeyColumns names the columns in unique keys of either side and the
// columns that route.
func allKeyColumns(p pair) []string {
	var out []string
	add := func(name string) {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, name) }) {
			out = append(out, name)
		}
	}
	for _, c := range keyColumns(p.source) {
		add(p.source.Columns[c].Name)
	}
	for _, c := range keyColumns(p.destination) {
		add(p.destination.Columns[c].Name)
	}
	for _, name := range p.placement.ShardColumns() {
		add(name)
	}
	return out
}

// uniqueKeys: a unique key that only the destination has refuses rows, or lets
// them replace each other; one that only the source has is enforced no more.
func uniqueKeys(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, k := range p.destination.SecondaryUnique() {
			switch {
			case hasExpression(k):
				g.alarm("%s: unique key %s of the destination has an expression; see that the source has it too", p.to, k.Name)
			case !slices.ContainsFunc(p.source.Keys, func(s table.Key) bool { return implies(p, s, k) }):
				g.fail("%s: the source has no unique key like %s (%s) of the destination", p.to, k.Name, columnNames(p.destination, k))
			}
		}
		for _, k := range p.source.SecondaryUnique() {
			if !slices.ContainsFunc(p.destination.Keys, func(d table.Key) bool { return enforces(p, d, k) }) {
				g.alarm("%s: the destination does not enforce unique key %s (%s) of the source", p.to, k.Name, columnNames(p.source, k))
			}
		}
	}
	return g.finding(fmt.Sprintf("unique keys of %d tables are equal", len(pairs)), "unique keys of the destination would make rows replace or refuse each other",
		"unique keys of the source are not enforced on the destination",
		"give the destination's tables the source's unique keys: ALTER TABLE <schema>.<table> DROP KEY <key>; or ADD UNIQUE KEY <key> (…);"), nil
}

func hasExpression(k table.Key) bool {
	return slices.ContainsFunc(k.Parts, func(p table.KeyPart) bool { return p.Column < 0 })
}

// implies says whether rows that differ under the source's key s differ under
// the destination's key d too: d has every part of s, none of them shorter.
func implies(p pair, s, d table.Key) bool {
	if !s.Unique || hasExpression(s) {
		return false
	}
	for _, part := range s.Parts {
		if !covered(p.destination, d, p.source.Columns[part.Column].Name, part.Prefix) {
			return false
		}
	}
	return true
}

// enforces says whether the destination's key d refuses whatever the source's
// key s refuses: every part of d is in s.
func enforces(p pair, d, s table.Key) bool {
	if !d.Unique || hasExpression(d) || hasExpression(s) {
		return hasExpression(s) && d.Unique && hasExpression(d)
	}
	for _, part := range d.Parts {
		if !covered(p.source, s, p.destination.Columns[part.Column].Name, part.Prefix) {
			return false
		}
	}
	return true
}

// covered says whether the key has the column with at least the prefix (0 is
// the whole column).
func covered(t *table.Table, k table.Key, column string, prefix int) bool {
	return slices.ContainsFunc(k.Parts, func(p table.KeyPart) bool {
		return p.Column >= 0 && strings.EqualFold(t.Columns[p.Column].Name, column) &&
			(p.Prefix == 0 || prefix != 0 && p.Prefix >= prefix)
	})
}

func floatKeys(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, c := range keyColumns(p.source) {
			if column := p.source.Columns[c]; column.Type == table.TypeFloat || column.Type == table.TypeDouble {
				g.alarm("%s.%s is %s", p.source.Name, column.Name, column.SQLType)
			}
		}
	}
	return g.finding("no unique key has a floating-point column", "", "unique keys have floating-point columns: a WHERE of the application may miss rows, and routing by them is not exact",
		"make the columns DECIMAL on both sides, or compare by values before the switch"), nil
}
