package compare

import (
	"context"
	"fmt"

	"shardlift/internal/contract"
	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// shards reads one physical shard (package destination).
type shards interface {
	// ReadShard calls fn with the values of the identity's columns, in its order.
	ReadShard(ctx context.Context, m *dialect.Mapping, shard int, r table.KeyRange, fn func(row.Row) error) error
	Dialect() *dialect.Dialect
}

// places checks that each row of a sharded table is on the physical shard that
// its key says. A row in a wrong place is never on its way: no re-check is
// needed. A nil *places checks nothing.
type places struct {
	shards  shards
	mapping *dialect.Mapping
}

// newPlaces returns nil where rows have no place that could be wrong or where
// the physical shards cannot be read.
func newPlaces(d shards, m *dialect.Mapping) *places {
	schema := m.Destination.Name.Schema
	if m.Placement.Kind != table.Sharded || d.Dialect().ShardHint(schema, 0) == "" && d.Dialect().ShardTarget(&m.Placement, schema, 0) == "" {
		return nil
	}
	return &places{shards: d, mapping: m}
}

// ruleDoubt is how many rows of a chunk must be placed for the chunk to speak
// about the rule itself.
const ruleDoubt = 20

// check reads a range shard by shard. When most rows of it are elsewhere, it is
// our reading of the rule that is wrong, not the rows: placement is then not
// checked any more for this table.
func (p *places) check(ctx context.Context, j *job, span table.KeyRange) error {
	if p == nil || j.state.Unplaced {
		return nil
	}
	known, wrong := 0, []string{}
	full := make(row.Row, len(p.mapping.Source.Columns))
	for shard := range p.mapping.Placement.Shards {
		err := p.shards.ReadShard(ctx, p.mapping, shard, span, func(identity row.Row) error {
			for i, c := range p.mapping.Identity {
				full[c] = identity[i]
			}
			right, ok := p.shards.Dialect().Shard(p.mapping, full)
			if !ok {
				return nil
			}
			known++
			if right != shard && len(wrong) < enough {
				wrong = append(wrong, full.Key(p.mapping.Identity))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("check the placement: %w", err)
		}
	}
	if known >= ruleDoubt && len(wrong) > known/2 {
		j.state.Unplaced = true
		return nil
	}
	var list []contract.Difference
	for _, key := range wrong {
		j.misplaced[key] = true
		list = append(list, j.difference(key, misplaced))
	}
	return j.state.add(list)
}
