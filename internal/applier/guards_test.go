package applier

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// TestRule4_SafeModeLastsUntilEveryPositionHasPassed: the source's position at
// the start of the run and the end-of-copy position both have to pass.
func TestRule4_SafeModeLastsUntilEveryPositionHasPassed(t *testing.T) {
	at := func(offset uint64) position.Position {
		return position.Position{Flavor: position.MySQL, Server: "s", File: "bin.000001", Offset: offset}
	}
	a := &applier{safeUntil: []position.Position{at(500), at(900)}}
	for _, step := range []struct {
		offset uint64
		strict bool
	}{{100, false}, {499, false}, {500, false}, {899, false}, {900, true}, {901, true}} {
		a.applied.Position = at(step.offset)
		require.Equal(t, step.strict, a.strict(), "at %d", step.offset)
	}
	a = &applier{safeUntil: []position.Position{at(500)}, applied: checkpoint.Checkpoint{Position: position.Position{Server: "other", File: "bin.000009", Offset: 9}}}
	require.False(t, a.strict(), "places that cannot be compared")
}

// TestRule5_WindowIsReadyAtTransactionEndsOnly: what is cut inside a transaction
// waits for its end, unless it is full.
func TestRule5_WindowIsReadyAtTransactionEndsOnly(t *testing.T) {
	m := modelMapping(0)
	m.Source.Name = table.Name{Schema: "s", Table: "t"}
	w := newWindow()
	w.addRows(binlog.Event{Kind: binlog.Rows, Table: m.Source, Changes: []row.Change{{Op: row.Insert, After: row.Row{num(1), num(1), num(1), num(1), num(1)}}}}, m)
	require.False(t, w.ready(), "inside a transaction")
	w.addEnd(binlog.Event{Kind: binlog.Commit, Position: position.Position{File: "bin.000001", Offset: 900}})
	require.True(t, w.ready())
}

// TestRule6_NonTransactionalTablesAreNeverStrict: a crash of the source may
// write their rows twice.
func TestRule6_NonTransactionalTablesAreNeverStrict(t *testing.T) {
	for engine, strict := range map[string]bool{"InnoDB": true, "MyISAM": false, "Aria": false} {
		m := modelMapping(0)
		m.Source.Engine = engine
		w := newWindow()
		w.order = append(w.order, newFold(m))
		require.Equal(t, strict, w.strictable(), engine)
	}
}

// TestRule10_FoldTakesShardKeysAsTheDestinationStoresThem: DDM drops the
// fraction of a shard key, so that two images with different fractions are one
// identity there, and a deletion must name what is stored.
func TestRule10_FoldTakesShardKeysAsTheDestinationStoresThem(t *testing.T) {
	name := table.Name{Schema: "s", Table: "t"}
	source := &table.Table{Name: name, Engine: "InnoDB", Columns: []table.Column{
		{Name: "id", Type: table.TypeInt, Bits: 64},
		{Name: "at", Type: table.TypeDateTime, Fraction: 3},
	}, Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}}}
	m, err := dialect.NewMapping(source, source, table.Placement{
		Kind: table.Sharded, Shards: 4, Database: table.Rule{Algorithm: "YYYYMM", Column: "at", Count: 4},
	})
	require.NoError(t, err)
	image := func(at string) row.Row { return row.Row{num(1), row.Value(at)} }
	f := newFold(m)
	f.add(row.Change{Op: row.Update, Before: image("2026-11-24 10:00:00.123"), After: image("2026-11-24 10:00:00.456")})
	f.add(row.Change{Op: row.Delete, Before: image("2026-11-24 10:00:00.456")})
	p := f.safe()
	require.Empty(t, p.replaces)
	require.Len(t, p.deletes, 1)
	require.Equal(t, "2026-11-24 10:00:00.000", string(p.deletes[0][1]))
}

// TestRule5_LanesAndPhases splits windows of a real destination's dialect: all
// deletions stand in phase 1, and a table with a second unique key has one lane
// on each shard, where parallel REPLACE statements would deadlock.
func TestRule5_LanesAndPhases(t *testing.T) {
	r := newRig(t, "mysql97", false, map[string]string{
		"plain": "(id BIGINT PRIMARY KEY, v BIGINT)", "twice": "(id BIGINT PRIMARY KEY, v BIGINT UNIQUE)",
	}, nil)
	a := &applier{Config: Config{Destination: r.dst, Lanes: 8}}
	for name, lanes := range map[string]int{"plain": 8, "twice": 1} {
		m, err := r.mapping(t.Context(), r.tables[table.Name{Schema: r.schema, Table: name}])
		require.NoError(t, err)
		f := newFold(m)
		for id := range 4000 {
			image := row.Row{num(id), num(id)}
			if id%2 == 0 {
				f.add(row.Change{Op: row.Delete, Before: image})
			} else {
				f.add(row.Change{Op: row.Insert, After: image})
			}
		}
		w := newWindow()
		w.order = append(w.order, f)
		for write, strict := range map[changeKind]bool{kindReplace: false, kindInsert: true} {
			phases := a.phases(w, strict)
			kinds := [2]map[changeKind]bool{{}, {}}
			for i, phase := range phases {
				parts := map[place]bool{}
				for _, it := range phase {
					parts[it.place] = true
					for _, s := range it.statements {
						kinds[i][s.kind] = true
					}
				}
				require.Len(t, parts, lanes, "table %s, phase %d", name, i+1)
			}
			require.Equal(t, map[changeKind]bool{kindDelete: true}, kinds[0])
			require.Equal(t, map[changeKind]bool{write: true}, kinds[1])
		}
	}
}

// TestFence_EveryItemHoldsTheFence: where nobody can kill the old attempt's
// connections, each of its transactions is refused by the fence row.
func TestFence_EveryItemHoldsTheFence(t *testing.T) {
	r := newRig(t, "mysql97", false, map[string]string{"t": "(id BIGINT PRIMARY KEY, v BIGINT)"}, nil)
	_, err := r.store.Acquire(t.Context(), "apply/9", checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}, []string{r.to}, false) // makes the tables
	require.NoError(t, err)
	r.dst.SetEffects(destination.Effects{Lock: destination.LockShare, Kill: destination.KillNone})
	token := checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}
	old, err := r.store.Acquire(t.Context(), "apply/0", token, []string{r.to}, false)
	require.NoError(t, err)
	a := &applier{Config: Config{Destination: r.dst, Store: r.store, Fence: old, Lanes: 1}, sessions: make([]session, 1)}
	defer a.closeSessions()
	m, err := r.mapping(t.Context(), r.tables[table.Name{Schema: r.schema, Table: "t"}])
	require.NoError(t, err)
	write := func(id int) error {
		f := newFold(m)
		f.add(row.Change{Op: row.Insert, After: row.Row{num(id), num(id)}})
		w := newWindow()
		w.order = append(w.order, f)
		for _, it := range a.phases(w, false)[1] {
			if err := a.writeItem(t.Context(), 0, it); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, write(1))
	token.Attempt = 2
	_, err = r.store.Acquire(t.Context(), "apply/0", token, []string{r.to}, false)
	require.NoError(t, err)
	require.ErrorIs(t, write(2), fault.Fenced)
	require.Len(t, rows(t, r.dstDB, "t"), 1)
}
