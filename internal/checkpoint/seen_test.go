package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/position"
)

// A chunk whose end was stored and not answered is read again by its attempt:
// what the rows show is noted, not taken for another owner's (soak, SEED=31).
func TestNoteSeen_OfAChunkWhoseEndWasNotAnswered(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	require.NoError(t, s.PutTables(t.Context(), planOf(1)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 1)))
	f := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	c, err := s.Claim(t.Context(), f, 0, 1, position.Position{})
	require.NoError(t, err)
	require.NoError(t, s.Finish(t.Context(), f, *c))
	require.NoError(t, s.NoteSeen(t.Context(), f, *c, position.Position{}))
}
