package checkpoint

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// TestTurn_AnOlderPlannerChangesNothing: a worker that is frozen while it plans or
// resets, and continued when another one has planned, neither empties the plan nor
// adds to it: chunks would be missing, and rows with them.
func TestTurn_AnOlderPlannerChangesNothing(t *testing.T) {
	p := newPlace(t, "mysql97")
	p.exec(t, "CREATE TABLE a (id INT PRIMARY KEY)")
	p.exec(t, "INSERT INTO a VALUES (1)")
	ctx := t.Context()
	s := p.store(t, "turns")
	older, _, err := s.Turn(ctx, Token{0, 1, 1})
	require.NoError(t, err)
	require.NoError(t, older.PutTables(ctx, planOf(2)))
	epoch, err := older.NewEpoch(ctx)
	require.NoError(t, err)

	newer, end, err := p.store(t, "turns").Turn(ctx, Token{0, 1, 2})
	require.NoError(t, err)
	require.NoError(t, newer.Reset(ctx))
	require.NoError(t, newer.PutTables(ctx, planOf(1)))
	require.NoError(t, newer.AddChunks(ctx, chunksOf(1, 1, 2)))

	changes := map[string]func() error{
		"reset":      func() error { return older.Reset(ctx) },
		"tables":     func() error { return older.PutTables(ctx, planOf(2)) },
		"chunks":     func() error { return older.AddChunks(ctx, chunksOf(1, 11, 5)) },
		"planned":    func() error { return older.SetPlanned(ctx, 1) },
		"definition": func() error { return older.AddDefinition(ctx, Definition{Name: planOf(1)[0].Source, From: at(4)}) },
		"epoch":      func() error { _, err := older.NewEpoch(ctx); return err },
		"truncate":   func() error { return older.Truncate(ctx, table.Name{Schema: p.schema, Table: "a"}) },
	}
	for name, change := range changes {
		require.Error(t, change(), name) // its connection is gone
	}
	_ = older.turn.conn.Close()
	older.turn.conn, err = p.d.DB().Conn(ctx) // where nothing ends it
	require.NoError(t, err)
	for name, change := range changes {
		require.ErrorIs(t, change(), fault.Fenced, name)
	}
	require.NoError(t, older.turn.conn.Close())

	require.EqualValues(t, 2, p.count(t, "SELECT COUNT(*) FROM shardlift_chunk WHERE task = 'turns'"))
	require.EqualValues(t, 1, p.count(t, "SELECT COUNT(*) FROM shardlift_table WHERE task = 'turns' AND planned = 0"))
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM shardlift_definition WHERE task = 'turns'"))
	require.EqualValues(t, 1, p.count(t, "SELECT COUNT(*) FROM a"))
	now, err := s.Epoch(ctx)
	require.NoError(t, err)
	require.Equal(t, epoch, now)

	require.NoError(t, newer.Truncate(ctx, table.Name{Schema: p.schema, Table: "a"}))
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM a"))
	require.NoError(t, newer.SetPlanned(ctx, 1))
	require.NoError(t, end(ctx))
	_, _, err = s.Turn(ctx, Token{0, 1, 1})
	require.ErrorIs(t, err, fault.Fenced, "it does not get the turn again")
}

// TestTurn_EndsAnOlderOnesTransaction: one that is frozen inside a change does not
// keep the next from planning.
func TestTurn_EndsAnOlderOnesTransaction(t *testing.T) {
	p := newPlace(t, "mysql97")
	ctx := t.Context()
	s := p.store(t, "frozen")
	older, _, err := s.Turn(ctx, Token{0, 1, 1})
	require.NoError(t, err)
	require.NoError(t, older.PutTables(ctx, planOf(1)))
	frozen, err := older.begin(ctx)
	require.NoError(t, err)
	_, err = run(ctx, frozen, "UPDATE "+s.t(tableTable)+" SET planned = 1")
	require.NoError(t, err)

	newer, end, err := p.store(t, "frozen").Turn(ctx, Token{0, 2, 1})
	require.NoError(t, err)
	require.Error(t, frozen.Commit())
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM shardlift_table WHERE planned = 1"))
	require.NoError(t, newer.SetPlanned(ctx, 1))
	require.NoError(t, end(ctx))
	_ = older.turn.conn.Close()
}

// TestTurn_OneThatIsFrozenKeepsNobodyFromOpening: whoever takes the next turn opens
// the metadata first, while the task's row is locked by an epoch that is being taken.
func TestTurn_OneThatIsFrozenKeepsNobodyFromOpening(t *testing.T) {
	p := newPlace(t, "mysql97")
	ctx := t.Context()
	older, _, err := p.store(t, "opening").Turn(ctx, Token{0, 1, 1})
	require.NoError(t, err)
	frozen, err := older.begin(ctx)
	require.NoError(t, err)
	_, err = run(ctx, frozen, "UPDATE "+older.t(tableTask)+" SET epoch = epoch + 1")
	require.NoError(t, err)

	patience, cancel := context.WithTimeout(ctx, 40*time.Second) // the server waits 50 s for a lock
	defer cancel()
	s, err := Open(patience, p.d, p.schema, "opening")
	require.NoError(t, err)
	newer, end, err := s.Turn(ctx, Token{0, 1, 2})
	require.NoError(t, err)
	require.Error(t, frozen.Commit())
	epoch, err := newer.NewEpoch(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, epoch)
	require.NoError(t, end(ctx))
	_ = older.turn.conn.Close()
}

// TestCheckPlan_SeesAPlanThatIsNotWhole: the node of the metadata may come back
// from before the plan was complete; "no chunk is left" is then no end.
func TestCheckPlan_SeesAPlanThatIsNotWhole(t *testing.T) {
	p := newPlace(t, "mysql97")
	ctx := t.Context()
	s := p.store(t, "whole")
	require.ErrorIs(t, s.CheckPlan(ctx, 0, 0), fault.LostCopy, "no table")
	require.NoError(t, s.PutTables(ctx, planOf(2)))
	epoch, err := s.NewEpoch(ctx)
	require.NoError(t, err)
	require.NoError(t, s.SetPlanned(ctx, 1))
	require.ErrorIs(t, s.CheckPlan(ctx, 0, epoch), fault.LostCopy, "a table without its chunks")
	require.NoError(t, s.SetPlanned(ctx, 2))
	require.NoError(t, s.CheckPlan(ctx, 0, epoch))
	require.ErrorIs(t, s.CheckPlan(ctx, 0, epoch+1), fault.LostCopy, "an older plan")
}
