package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// TestOpen_BringsOldTablesHere: metadata of version 1 gets what it lacks, however
// it is opened.
func TestOpen_BringsOldTablesHere(t *testing.T) {
	p := newPlace(t, "mysql97")
	p.store(t, "t1")
	old := func() {
		p.exec(t, "DROP TABLE shardlift_group")
		p.exec(t, "UPDATE shardlift_meta SET body = '1' WHERE name = 'version'")
	}
	old()
	groups, err := p.store(t, "t1").Groups(t.Context())
	require.NoError(t, err)
	require.Empty(t, groups)
	old()
	s, ok, err := Existing(t.Context(), p.d, p.schema, "t1")
	require.NoError(t, err)
	require.True(t, ok)
	_, err = s.Progress(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, p.count(t, "SELECT COUNT(*) FROM shardlift_meta WHERE name = 'version' AND body = '2'"))
}

// parkable is a plan of three tables, copied, with group 0 at a position.
func parkable(t *testing.T, p place) (*Store, TableGroup) {
	t.Helper()
	s := p.store(t, "t1")
	plan := planOf(3)
	for i := range plan {
		plan[i].Destination.Schema, plan[i].Planned = p.schema, true
	}
	require.NoError(t, s.PutTables(t.Context(), plan))
	f := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	require.NoError(t, s.Save(t.Context(), f, Checkpoint{Position: at(100), Rows: 5}))
	return s, TableGroup{No: 1, From: at(10), Tables: []GroupTable{{plan[1].Source, 2}}}
}

// TestPark_OfAnOvertakenAttemptIsFenced: an attempt that was frozen between its
// fences and its transaction changes nothing.
func TestPark_OfAnOvertakenAttemptIsFenced(t *testing.T) {
	p := newPlace(t, "mysql97")
	s, g := parkable(t, p)
	own, of := acquire(t, s, p, "apply/0", Token{1, 2, 1}), acquire(t, s, p, "apply/1", Token{1, 2, 1})
	next := acquire(t, s, p, "apply/0", Token{1, 3, 1})
	_, err := s.Park(t.Context(), own, of, g)
	require.ErrorIs(t, err, fault.Fenced)
	there, err := s.Group(t.Context(), 1)
	require.NoError(t, err)
	require.Nil(t, there)

	c, err := s.Park(t.Context(), next, of, g)
	require.NoError(t, err)
	require.Equal(t, at(100), c.Position)
	require.NoError(t, s.Save(t.Context(), of, Checkpoint{Group: 1, Position: at(150)}))
	acquire(t, s, p, "apply/1", Token{1, 4, 1})
	_, err = s.Merge(t.Context(), next, of, g)
	require.ErrorIs(t, err, fault.Fenced)
	require.ErrorIs(t, s.DropGroup(t.Context(), of, g), fault.Fenced)
	require.ErrorIs(t, s.Replan(t.Context(), of, g, nil), fault.Fenced)
	c, err = s.Load(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, at(150), c.Position)
}

// TestMerge_MarksSpeakForBoth: the merged checkpoint is the older one, knows its
// new marks, and goes back behind what a place of the group has lost.
func TestMerge_MarksSpeakForBoth(t *testing.T) {
	for _, lost := range []string{"", "older", "gone"} {
		t.Run(lost, func(t *testing.T) {
			p := newPlace(t, "mysql97")
			s, g := parkable(t, p)
			own, of := acquire(t, s, p, "apply/0", Token{1, 2, 1}), acquire(t, s, p, "apply/1", Token{1, 2, 1})
			parked, err := s.Park(t.Context(), own, of, g)
			require.NoError(t, err)
			place := Place{Schema: p.schema}
			require.Equal(t, map[string]int64{place.String(): 0}, parked.Marks, "one that is missing later is a loss")
			require.NoError(t, s.Save(t.Context(), of, Checkpoint{Group: 1, Position: at(90 + 60), Marks: map[string]int64{place.String(): 0}}))
			want := at(100)
			switch lost {
			case "older":
				require.NoError(t, s.Rewind(t.Context(), of, Checkpoint{Group: 1, Position: at(150), Marks: map[string]int64{place.String(): 3}}))
			case "gone":
				p.exec(t, "DELETE FROM shardlift_mark WHERE unit LIKE 'apply/1%'")
				want = at(10)
			}
			merged, err := s.Merge(t.Context(), own, of, g)
			require.NoError(t, err)
			require.Equal(t, want, merged.Position, lost)
			require.Equal(t, map[string]int64{place.String(): 1}, merged.Base)
			stored, err := s.Load(t.Context(), 0)
			require.NoError(t, err)
			require.Equal(t, merged, stored)
			require.NoError(t, s.ForgetUnits(t.Context(), 1, []string{p.schema}))
			require.Zero(t, p.count(t, "SELECT COUNT(*) FROM shardlift_owner WHERE unit = 'apply/1'"))
		})
	}
}

// TestMergeable_WaitsForStatementsThatBothHavePassed: before one of them rows
// have columns that the destination has no more.
func TestMergeable_WaitsForStatementsThatBothHavePassed(t *testing.T) {
	p := newPlace(t, "mysql97")
	s, g := parkable(t, p)
	own, of := acquire(t, s, p, "apply/0", Token{1, 2, 1}), acquire(t, s, p, "apply/1", Token{1, 2, 1})
	_, err := s.Park(t.Context(), own, of, g)
	require.NoError(t, err)
	ready := func(g TableGroup) bool {
		why, err := s.Mergeable(t.Context(), g)
		require.NoError(t, err)
		return why == ""
	}
	require.True(t, ready(g))
	planned := g
	planned.Planned, planned.From = true, at(120)
	require.False(t, ready(planned), "group 0 is behind the start of the copy")
	require.NoError(t, s.AddDefinition(t.Context(), Definition{Name: g.Tables[0].Name, Group: 1, From: at(130)}))
	require.False(t, ready(g))
	require.NoError(t, s.Save(t.Context(), of, Checkpoint{Group: 1, Position: at(200)}))
	require.False(t, ready(g))
	require.NoError(t, s.Save(t.Context(), own, Checkpoint{Position: at(130)}))
	require.False(t, ready(g), "the statement itself is still to come")
	require.NoError(t, s.Save(t.Context(), own, Checkpoint{Position: at(140)}))
	require.True(t, ready(g))
	require.True(t, ready(planned))
}

func TestOlderOf(t *testing.T) {
	for _, pair := range [][2]position.Position{{at(5), at(9)}, {at(9), at(5)}} {
		older, err := olderOf(pair[0], pair[1])
		require.NoError(t, err)
		require.Equal(t, at(5), older)
	}
	_, err := olderOf(gtid("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"), gtid("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3:7"))
	require.Error(t, err)
}

func TestGroupOf_Units(t *testing.T) {
	for unit, group := range map[string]int{"apply/0": 0, "apply/12": 12, "copy/3": 0, CopyUnit(0, 3): 0, CopyUnit(12, 3): 12} {
		require.Equal(t, group, (&Fence{unit: unit}).group(), unit)
	}
	require.Equal(t, -1, groupOfTable([]TableGroup{{Dropped: true, Tables: []GroupTable{{Name: table.Name{Table: "a"}}}}}, table.Name{Table: "a"}))
}
