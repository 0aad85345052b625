//go:build faultpoint && full

package soak

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
	"shardlift/internal/testvitess"
)

// soakKeyspace routes all tables by their column s.
const soakKeyspace = `{"sharded": true, "vindexes": {"hash": {"type": "hash"}, "xxhash": {"type": "xxhash"}}, "tables": {
	"t0": {"column_vindexes": [{"column": "s", "name": "xxhash"}]},
	"t1": {"column_vindexes": [{"column": "s", "name": "hash"}]},
	"t2": {"column_vindexes": [{"column": "s", "name": "xxhash"}]}}}`

func newVitessPlace(t *testing.T) *place {
	t.Helper()
	names := []string{"-80", "80-"}
	c := testvitess.Start(t, []testvitess.Keyspace{{Name: "soak", Shards: names, VSchema: soakKeyspace}, {Name: "soak_meta"}})
	p := newSource(t, testdb.Get(t, "mysql97"))
	p.to, p.meta, p.destination = "soak", "soak_meta", c.DB(t, "soak")
	p.into = endpoint{Host: c.Host, Port: c.Port, User: c.User, Password: c.Password}
	p.rebirth = func() { c.Kill(t); c.Restart(t) }
	p.below = func() { c.MySQL.Kill(t); c.MySQL.Start(t) }
	for _, name := range names {
		p.nodes = append(p.nodes, c.ShardDB(t, "soak", name))
		p.storage = append(p.storage, "vt_soak_"+name)
	}
	p.open(t)
	return p
}

// drawVitess is draw with tables and troubles as Vitess has them: its processes
// end, or the MySQL below them does. Of two schedules the workers of one are
// processes.
func drawVitess(seed uint64) schedule {
	s := draw(seed, seed%2 == 0)
	s.source, s.sharded, s.shapes = "mysql97", true, slices.Clone(s.shapes)
	for i := range s.shapes {
		one := &s.shapes[i]
		one.shard = &column{name: "s", sql: "INT NOT NULL", literal: integer(9)}
		one.mod, one.rule, one.algorithm = "s", "", "MOD_HASH"
	}
	var faults []trouble
	for _, f := range s.faults {
		switch f.Kind {
		case remember, rememberAll:
			continue
		case nodes, forget:
			f.Kind = router
		default:
		}
		faults = append(faults, f)
	}
	s.faults = faults
	return s
}

// TestSoak_VitessConverges runs schedules into a real Vitess of two shards, which
// is killed and starts again among the troubles.
func TestSoak_VitessConverges(t *testing.T) {
	length, seed := asked(t)
	p := newVitessPlace(t)
	ran, began := 0, time.Now()
	happened := map[kind]int{}
	for next := seeds(length, seed, 5); !t.Failed(); ran++ {
		seed, ok := next()
		if !ok {
			break
		}
		for _, f := range judged(t.Context(), t, p, drawVitess(seed)).done {
			happened[f.Kind]++
		}
	}
	require.Positive(t, ran)
	t.Logf("%d schedules into Vitess with the faults %v, in %s", ran, happened, time.Since(began).Round(time.Second))
}
