//go:build faultpoint

package soak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
)

// Named troubles: the servers themselves.
const (
	restart kind = "restart" // kill -9 of a server, and its start
	full    kind = "full"    // no room on a data node for a while
)

// moved runs one schedule with troubles given by name; all of them must happen.
func (p *place) moved(t *testing.T, s schedule, troubles ...trouble) outcome {
	t.Helper()
	s.Seed, s.shapes, s.rows, s.writers, s.length, s.faults = 7, people(), 40, 2, 40, troubles
	s.engine = engine{Lanes: 1, Window: 400}
	out, err := p.execute(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, out.wrong)
	require.Equal(t, troubles, out.done)
	require.False(t, out.refused)
	return out
}

// TestNode_RestartsInCopyAndApply: a data node is killed and starts again.
func TestNode_RestartsInCopyAndApply(t *testing.T) {
	t.Parallel()
	node := testdb.Own(t, "mysql57")
	p := newPlaceOn(t, testdb.Get(t, "mysql97"), true, simtest.OnServers(node, testdb.Get(t, "mysql57")))
	p.named = map[kind]func(){restart: func() { node.Kill(t); node.Start(t) }}
	p.moved(t, schedule{sharded: true},
		trouble{Point: "copier.write.before", Nth: 2, Kind: restart}, trouble{Point: "applier.save.before", Nth: 1, Kind: restart})
}

// TestSource_RestartsInCopyAndApply: the source is killed and starts again.
func TestSource_RestartsInCopyAndApply(t *testing.T) {
	t.Parallel()
	source := testdb.Own(t, "mysql97")
	p := newPlaceOn(t, source, true, simtest.On("mysql80", "mysql80"))
	p.named = map[kind]func(){restart: func() { source.Kill(t); source.Start(t) }}
	p.moved(t, schedule{sharded: true, patient: true},
		trouble{Point: "copier.read.before", Nth: 2, Kind: restart}, trouble{Point: "applier.save.before", Nth: 1, Kind: restart})
}

// TestNode_IsFullForAWhile: the data node answers 1114 and 1021 to every write;
// each attempt ends with the same remedy, and when there is room the work goes on.
func TestNode_IsFullForAWhile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.named = map[kind]func(){full: func() {
		faults := p.sim.Server.Faults()
		for _, code := range []int{1114, 1021} {
			require.NoError(t, faults.Fail("^(INSERT|REPLACE|UPDATE).*people", code, "", 0))
			time.AfterFunc(300*time.Millisecond, faults.Clear)
		}
	}}
	p.moved(t, schedule{sharded: true}, trouble{Point: "copier.write.before", Nth: 2, Kind: full}, trouble{Point: "applier.write.before", Nth: 1, Kind: full})
}
