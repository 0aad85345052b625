package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/table"
)

func vitessItems() []item {
	return []item{{
		code: "dstVitessRouting", group: groupDependency, title: "Vitess routes every table", needs: onBoth, run: vitessRouting,
	}}
}

// vitessText are the character sets of texts that vtgate hashes as the
// application will: it hashes bytes, and gets UTF-8 from both.
var vitessText = []string{"utf8mb4", "utf8", "ascii"}

// vitessRouting refuses what a keyspace's vschema cannot route, and what would
// be routed elsewhere than the application looks for it.
func vitessRouting(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if d.Info().Kind != dialect.Vitess {
		return pass("%s has no vschema", d.Info().Kind), nil
	}
	var g graded
	metadata := e.metadataSchema()
	sharded, err := d.IsSharded(ctx, metadata)
	if err != nil {
		return finding{}, err
	}
	if sharded {
		g.fail("destination.metadata_schema is %s, a sharded keyspace", metadata)
	}
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	for _, p := range pairs {
		if p.placement.Kind != table.Sharded {
			continue
		}
		if p.placement.Database.Algorithm == dialect.VitessUnroutable {
			g.fail("%s has no primary vindex in the vschema of its keyspace, or is a reference table", p.to)
			continue
		}
		for _, trouble := range unroutable(p) {
			g.fail("%s", trouble)
		}
		owned, err := d.OwnedVindexes(ctx, p.to)
		if err != nil {
			return finding{}, err
		}
		if len(owned) > 0 {
			g.fail("%s owns lookup vindexes: %s", p.to, strings.Join(owned, ", "))
		}
	}
	return g.finding("vtgate routes every table", "vtgate cannot write these tables, or would look for their rows on other shards than the task", "",
		"give each table a primary vindex over at most two columns that are NOT NULL, of utf8mb4 where they are text; keep Shardlift's metadata in an unsharded keyspace (destination.metadata_schema); move reference tables to the unsharded keyspace that they are materialized from; take owned lookup vindexes out of the vschema until the task has ended, then create and backfill them with LookupVindex create"), nil
}

// unroutable says what is wrong with the columns that route a table's rows.
func unroutable(p pair) []string {
	var out []string
	for _, name := range p.placement.ShardColumns() {
		at, there := p.source.Column(name), p.destination.Column(name)
		if at < 0 || there < 0 {
			continue // said by dbTableStructureConsistency
		}
		from, to := p.source.Columns[at], p.destination.Columns[there]
		if from.Nullable {
			out = append(out, fmt.Sprintf("%s.%s may be NULL, which no vindex maps", p.to, name))
		}
		for _, c := range []table.Column{from, to} {
			if c.Type == table.TypeText && !slices.Contains(vitessText, c.Charset) {
				out = append(out, fmt.Sprintf("%s.%s is %s: its bytes are not those that vtgate hashes", p.to, name, c.Charset))
				break
			}
		}
	}
	return out
}
