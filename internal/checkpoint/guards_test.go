package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/table"
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

// TestMarks_OfAForgottenAttemptVouchForNothing: an attempt that was forgotten
// just before it marked its chunk marks it after the node has lost the rows of
// the attempt that finished it. Another lane's marks of before vouch for nothing
// either.
func TestMarks_OfAForgottenAttemptVouchForNothing(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	require.NoError(t, s.PutTables(t.Context(), []Table{{No: 0, Source: table.Name{Schema: "s", Table: "t"}, Destination: table.Name{Schema: p.schema, Table: "t"}, Definition: &table.Table{}}}))
	require.NoError(t, s.AddChunks(t.Context(), []Chunk{{No: 1, Table: 0}}))
	lost := func(f *Fence) (numbers []int64) {
		found, err := f.LostChunks(t.Context())
		require.NoError(t, err)
		for _, c := range found {
			numbers = append(numbers, c.No)
		}
		return numbers
	}
	finish := func(f *Fence, lane int) Chunk {
		c, err := s.Claim(t.Context(), f, lane, 2, at(1))
		require.NoError(t, err)
		require.NotNil(t, c)
		require.NoError(t, f.UnmarkChunk(t.Context(), p.schema, 1))
		require.NoError(t, f.MarkChunk(t.Context(), p.schema, 1))
		require.NoError(t, f.MarkChunk(t.Context(), p.schema, 1), "again")
		require.NoError(t, s.Finish(t.Context(), f, *c))
		return *c
	}
	old := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	_, err := s.Claim(t.Context(), old, 0, 2, at(1))
	require.NoError(t, err)
	next := acquire(t, s, p, "copy/0", Token{1, 2, 1})
	done := finish(next, 0)
	require.Empty(t, lost(next))
	require.ErrorIs(t, old.MarkChunk(t.Context(), p.schema, 1), fault.Fenced, "the newer mark stays")
	require.Empty(t, lost(next))

	p.exec(t, "DELETE FROM shardlift_mark") // the node comes back from before
	require.NoError(t, old.MarkChunk(t.Context(), p.schema, 1))
	require.Equal(t, []int64{1}, lost(next))

	require.NoError(t, s.Reopen(t.Context(), []Chunk{done}))
	other := acquire(t, s, p, "copy/1", Token{1, 1, 1}) // an equal token, another lane
	finish(other, 1)
	require.Empty(t, lost(other))
	p.exec(t, "UPDATE shardlift_mark SET body = ''") // of an older program
	require.Empty(t, lost(other))
}
