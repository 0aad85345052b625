package precheck

import (
	"context"
	"slices"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/table"
)

func shardingItems() []item {
	i := func(code, title string, run func(context.Context, *Env) (finding, error)) item {
		return item{code: code, group: groupDependency, title: title, needs: onBoth, run: run}
	}
	return []item{
		i("dstShardingKeyInPrimaryKey", "Sharding keys are part of the primary key", shardingInPrimary),
		i("dstShardingKeyInUniqueKey", "Sharding keys are part of every unique key", shardingInUnique),
		i(codeShardNull, "Sharding keys are never NULL", shardingNull),
		i("dstShardingKeyDateTime", "Sharding keys have no fraction of a second", shardingFractions),
		i("dstShardingKeyUpdated", "Applications do not update sharding keys", updatesOfShardKeys),
		i("srcPartitionedTables", "No table is partitioned", partitions),
	}
}

// sharded returns the pairs whose destination is sharded.
func (e *Env) sharded(ctx context.Context) ([]pair, error) {
	pairs, err := e.present(ctx)
	return slices.DeleteFunc(pairs, func(p pair) bool { return p.placement.Kind != table.Sharded }), err
}

// missingIn returns the sharding columns that a key of the destination lacks.
func missingIn(p pair, k table.Key) []string {
	return slices.DeleteFunc(p.placement.ShardColumns(), func(name string) bool {
		return slices.ContainsFunc(k.Columns(), func(c int) bool { return strings.EqualFold(p.destination.Columns[c].Name, name) })
	})
}

func shardingInPrimary(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.sharded(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		primary := p.destination.Primary()
		if primary == nil {
			continue
		}
		if missing := missingIn(p, *primary); len(missing) > 0 {
			g.alarm("%s: sharded by %s, primary key (%s)", p.to, strings.Join(missing, ", "), columnNames(p.destination, *primary))
		}
	}
	return g.finding("every sharding key is part of its table's primary key", "",
		"the primary key does not say where a row is: it is unique per shard only, statements by primary key go to all shards, and resharding may refuse the table",
		"nothing is lost by the migration. To change it, make the sharding key part of the destination's primary key, or shard by a column of it"), nil
}

func shardingInUnique(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.sharded(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, k := range p.destination.SecondaryUnique() {
			if len(missingIn(p, k)) > 0 {
				g.alarm("%s: unique key %s (%s)", p.to, k.Name, columnNames(p.destination, k))
			}
		}
	}
	return g.finding("every unique key has its table's sharding key", "",
		"unique keys without the sharding key are enforced within each shard only",
		"nothing is lost by the migration; after it the application may store duplicates. Add the sharding key to the unique key if each of its values belongs to one shard"), nil
}

// shardWithoutValue: DDM puts a row without a sharding value on shard 0 (D-31).
func shardWithoutValue(_ *destination.Destination, p pair, column int, name string) string {
	c := p.source.Columns[column]
	routes := slices.ContainsFunc(p.placement.ShardColumns(), func(s string) bool { return strings.EqualFold(s, c.Name) })
	if p.placement.Kind != table.Sharded || !routes || !c.Nullable {
		return ""
	}
	return name + " IS NULL"
}

func shardingNull(ctx context.Context, e *Env) (finding, error) {
	found, err := e.answersOf(ctx, codeShardNull)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, a := range found {
		switch {
		case a.n > 0:
			g.alarm("%s: %s rows have no value", a, a.amount())
		case !a.whole:
			g.alarm("%s: may be NULL; not all rows were looked at", a)
		default:
			g.alarm("%s: may be NULL; no row has no value now", a)
		}
	}
	f := g.finding("no sharding key may be NULL", "",
		"rows without a sharding value all go to the first shard",
		"make the columns NOT NULL on both sides, or confirm that the first shard may have these rows. "+found.find())
	f.samples = found.samples()
	return f, nil
}

// shardingFractions: DDM stores DATETIME and TIMESTAMP sharding keys without
// fractions (D-39).
func shardingFractions(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.sharded(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, name := range p.placement.ShardColumns() {
			c := p.source.Column(name)
			if c < 0 || !isDDM(d) {
				continue
			}
			column := p.source.Columns[c]
			if (column.Type == table.TypeDateTime || column.Type == table.TypeTimestamp) && column.Fraction > 0 {
				g.alarm("%s.%s is %s", p.source.Name, name, column.SQLType)
			}
		}
	}
	return g.finding("no sharding key has fractions of a second", "",
		"DDM drops the fractions of date-time sharding keys: the destination stores other values than the source",
		"shard by another column, or confirm the loss of the fractions; comparisons then take them as equal"), nil
}
