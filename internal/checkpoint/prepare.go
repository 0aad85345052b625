package checkpoint

import (
	"context"
	"fmt"
)

// PrepareFences makes the fence and mark tables of schemas, before lanes start at the
// same time: a middleware's CREATE TABLE is no single step, and a row inserted
// in the middle of one may end up on another shard.
func (s *Store) PrepareFences(ctx context.Context, schemas []string) error {
	for _, schema := range schemas {
		if _, err := s.ensureFence(ctx, schema); err != nil {
			return fmt.Errorf("fence of schema %s: %w", schema, err)
		}
		if _, err := s.shardsOf(ctx, schema); err != nil {
			return fmt.Errorf("marks of schema %s: %w", schema, err)
		}
	}
	return nil
}
