package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
)

// TestFence_AnOlderTokenNeverReturnsToTheRows: an attempt that was overtaken
// between the owner row and the fence rows finds a newer token there, leaves it
// and ends.
func TestFence_AnOlderTokenNeverReturnsToTheRows(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	next := acquire(t, s, p, "apply/0", Token{1, 1, 2})
	require.ErrorIs(t, old.raise(t.Context(), p.schema, 1), fault.Fenced)
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM shardlift_fence WHERE token <> '"+next.Token().String()+"'"))
	p.exec(t, "CREATE TABLE data (id INT PRIMARY KEY, v INT)")
	writes(t, p, next, 1)
}
