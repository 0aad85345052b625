package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/destination"
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

// TestFence_OvertakenAttemptIsRefusedByTheRow: a session that registered in time
// and was killed by nobody finds the newer token at the beginning of its next
// transaction.
func TestFence_OvertakenAttemptIsRefusedByTheRow(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	p.d.SetEffects(destination.Effects{Lock: destination.LockShare, Kill: destination.KillNone})
	old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	session, err := p.open(t).Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	require.NoError(t, old.Register(t.Context(), session))
	acquire(t, s, p, "apply/0", Token{1, 1, 2})
	require.NoError(t, session.Begin(t.Context()))
	require.ErrorIs(t, old.Guard(t.Context(), session, p.schema, 0), fault.Fenced)
	require.NoError(t, session.Rollback(t.Context()))
}

// TestSave_OfAnOvertakenAttemptIsFenced: an attempt that has saved before does
// not look at the row again; the token in it decides.
func TestSave_OfAnOvertakenAttemptIsFenced(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	require.NoError(t, s.Save(t.Context(), old, Checkpoint{Position: at(100)}))
	next := acquire(t, s, p, "apply/0", Token{1, 1, 2})
	require.ErrorIs(t, s.Save(t.Context(), old, Checkpoint{Position: at(300)}), fault.Fenced)
	require.NoError(t, s.Save(t.Context(), next, Checkpoint{Position: at(200)}))
	c, err := s.Load(t.Context(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 200, c.Position.Offset)
}
