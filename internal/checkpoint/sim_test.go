package checkpoint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

const simShards = 4

// newSim is a place behind the simulator, with a sharded table data(id, v).
func newSim(t *testing.T, options ...simtest.Option) (*simtest.Sim, place) {
	t.Helper()
	t.Parallel()
	s := simtest.Start(t, simShards, options...)
	p := place{schema: s.Schema, config: mysqlconn.Config{Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password), MaxConnections: 12}}
	p.db = s.DB(t)
	p.d = p.open(t)
	p.exec(t, "CREATE TABLE data (id BIGINT NOT NULL, v BIGINT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	return s, p
}

func TestStore_WorksBehindDDM(t *testing.T) {
	sim, p := newSim(t)
	s := p.store(t, "behind")
	p.store(t, "behind")
	require.NoError(t, s.PutTables(t.Context(), planOf(2)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 5)))
	f := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	for range 5 {
		c, err := s.Claim(t.Context(), f, 0, 1, at(1))
		require.NoError(t, err)
		c.Rows = 3
		require.NoError(t, s.Finish(t.Context(), f, *c))
	}
	g := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	require.NoError(t, s.Save(t.Context(), g, Checkpoint{Position: at(5)}))
	require.NoError(t, s.AppendLog(t.Context(), "info", "x"))
	require.NoError(t, s.PutReport(t.Context(), reportOf(3)))
	require.NoError(t, s.AddDefinition(t.Context(), Definition{Name: planOf(1)[0].Source, From: at(4)}))
	require.NoError(t, s.PutComparison(t.Context(), Comparison{ID: "c1"}))
	progress, err := s.Progress(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 15, progress.RowsDone)
	_, _, err = s.TableProgress(t.Context(), 0, 10)
	require.NoError(t, err)
	_, _, err = s.Logs(t.Context(), 0, 10, "")
	require.NoError(t, err)

	// Row i of the fence is on physical shard i.
	for shard := range simShards {
		var got, n int
		err := sim.PhysicalDB(t, shard).QueryRowContext(t.Context(), "SELECT MIN(shard), COUNT(*) FROM shardlift_fence WHERE unit = 'apply/0'").Scan(&got, &n)
		require.NoError(t, err)
		require.Equal(t, []int{shard, 1}, []int{got, n})
	}
	require.NoError(t, s.Drop(t.Context()))
	names := 0
	rows, err := p.db.QueryContext(t.Context(), "SHOW TABLES")
	require.NoError(t, err)
	for rows.Next() {
		names++
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.Equal(t, 1, names, "only the data table is left")
}

// simLate is a frozen worker behind the middleware: a guarded transaction with a
// write in it, on the shard of id.
func simLate(t *testing.T, p place, f *Fence, id int) *destination.Session {
	t.Helper()
	d := p.open(t)
	d.SetEffects(p.d.Info().Effects)
	session, err := d.Session(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, session.Close()) })
	require.NoError(t, f.Register(t.Context(), session))
	require.NoError(t, session.Begin(t.Context()))
	require.NoError(t, f.Guard(t.Context(), session, p.schema, id%simShards))
	_, err = session.Exec(t.Context(), fmt.Sprintf("REPLACE INTO %s (id, v) VALUES (%d, 111)", dialect.QuoteName(p.schema, "data"), id))
	require.NoError(t, err)
	return session
}

// Rule "Fence" behind DDM: whichever form of kill passes, the late COMMIT of a
// frozen worker fails and its write is nowhere.
func TestFence_ShutsOutAFrozenWorkerBehindDDM(t *testing.T) {
	for name, change := range map[string]func(*simtest.SimConfig){
		"kill":             func(*simtest.SimConfig) {},
		"kill physical":    func(c *simtest.SimConfig) { c.NoKill = true },
		"kill, found rows": func(c *simtest.SimConfig) { c.FoundRows = true },
		"kill, no locks":   func(c *simtest.SimConfig) { c.NoRowLocks = true },
	} {
		t.Run(name, func(t *testing.T) {
			_, p := newSim(t, simtest.With(change))
			s := p.store(t, "t1")
			old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
			var frozen []*destination.Session
			for id := range simShards {
				frozen = append(frozen, simLate(t, p, old, id))
			}
			next := acquire(t, s, p, "apply/0", Token{1, 1, 2})
			for id, session := range frozen {
				require.Error(t, session.Commit(t.Context()))
				require.Zero(t, p.count(t, fmt.Sprintf("SELECT COUNT(*) FROM data WHERE id = %d", id)))
			}
			session, err := p.d.Session(t.Context())
			require.NoError(t, err)
			defer func() { require.NoError(t, session.Close()) }()
			require.NoError(t, next.Register(t.Context(), session))
			for id := range simShards {
				require.NoError(t, session.Begin(t.Context()))
				require.NoError(t, next.Guard(t.Context(), session, p.schema, id))
				_, err := session.Exec(t.Context(), fmt.Sprintf("REPLACE INTO %s (id, v) VALUES (%d, 222)", dialect.QuoteName(p.schema, "data"), id))
				require.NoError(t, err)
				require.NoError(t, session.Commit(t.Context()))
			}
			requireFenced(t, p, s, old)
			require.EqualValues(t, 222*simShards, p.count(t, "SELECT SUM(v) FROM data"))
		})
	}
}

// Where nothing kills, the new owner waits at the fence rows of every shard.
func TestFence_WaitsBehindDDMWhereNothingKills(t *testing.T) {
	sim, p := newSim(t, simtest.With(func(c *simtest.SimConfig) { c.NoKill, c.NoKillPhysical = true, true }))
	s := p.store(t, "t1")
	require.Equal(t, destination.KillNone, p.d.Info().Kill)
	old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
	session := simLate(t, p, old, 3)
	acquired := make(chan error, 1)
	go func() {
		_, err := s.Acquire(t.Context(), "apply/0", Token{1, 1, 2}, []string{p.schema}, false)
		acquired <- err
	}()
	node := sim.PhysicalDB(t, 3)
	eventually(t, "the new owner waits at shard 3", func() bool {
		found, err := testdb.Processes(t.Context(), node)
		require.NoError(t, err)
		return slices.ContainsFunc(found, func(p testdb.Process) bool {
			return p.Schema == sim.Physical(3) && strings.HasPrefix(strings.ToUpper(p.Statement), "UPDATE") && strings.Contains(p.Statement, "shardlift_fence")
		})
	})
	require.NoError(t, session.Commit(t.Context()), "it was in time")
	require.NoError(t, <-acquired)
	require.EqualValues(t, 111, p.count(t, "SELECT v FROM data WHERE id = 3"))
	requireFenced(t, p, s, old)
}

func TestFence_NeedsAWordBehindDDMWhereNothingPasses(t *testing.T) {
	_, p := newSim(t, simtest.With(func(c *simtest.SimConfig) { c.NoKill, c.NoKillPhysical, c.NoRowLocks = true, true, true }))
	s := p.store(t, "t1")
	acquire(t, s, p, "apply/0", Token{1, 1, 1})
	_, err := s.Acquire(t.Context(), "apply/0", Token{1, 1, 2}, []string{p.schema}, false)
	require.ErrorContains(t, err, "SL-3021")
	f, err := s.Acquire(t.Context(), "apply/0", Token{1, 1, 2}, []string{p.schema}, true)
	require.NoError(t, err)
	require.NoError(t, s.Save(t.Context(), f, Checkpoint{Position: at(1)}))
}
