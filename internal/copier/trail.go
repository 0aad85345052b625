package copier

import (
	"context"
	"fmt"

	"shardlift/internal/checkpoint"
	"shardlift/internal/destination"
)

// A chunk's mark vouches for its rows if nothing was lost between them and the
// mark. So each transaction counts a step on the shards that it writes, and the
// steps are compared once the mark is there (docs/decisions/0007).

// beginTrail reads the steps before a chunk's first row, where they are not
// known, and takes marks of an earlier try back.
func (l *lane) beginTrail(ctx context.Context, schema string, c checkpoint.Chunk) error {
	if c.Attempted {
		if err := l.Fence.UnmarkChunk(ctx, schema, c.No); err != nil {
			return err
		}
	}
	if l.trails[schema] != nil {
		return nil
	}
	steps, err := l.Fence.Trail(ctx, schema, l.Writers)
	if err == nil {
		l.trails[schema] = steps
	}
	return err
}

// step counts an open transaction on the places that it writes; below 0 stands
// for all shards.
func (l *lane) step(ctx context.Context, s *destination.Session, writer int, schema string, shard int) error {
	for _, p := range l.places(schema, shard) {
		if err := l.Fence.Step(ctx, s, p, writer); err != nil {
			return err
		}
	}
	return nil
}

// stepped notes a transaction that is committed.
func (l *lane) stepped(writer int, schema string, shard int) {
	for _, p := range l.places(schema, shard) {
		l.trails[schema][p][writer]++
	}
}

func (l *lane) places(schema string, shard int) []checkpoint.Place {
	if shard >= 0 {
		return []checkpoint.Place{{Schema: schema, Shard: shard}}
	}
	out := make([]checkpoint.Place, 0, len(l.trails[schema]))
	for i := range len(l.trails[schema]) {
		out = append(out, checkpoint.Place{Schema: schema, Shard: i})
	}
	return out
}

// checkTrail compares the steps with what the shards have now.
func (l *lane) checkTrail(ctx context.Context, schema string) error {
	now, err := l.Fence.Trail(ctx, schema, l.Writers)
	if err != nil {
		return err
	}
	if err := now.Cover(l.trails[schema]); err != nil {
		return fmt.Errorf("rows of the chunk: %w", err)
	}
	return nil
}
