package checkpoint

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
)

// late is the data write of a worker that froze: an upsert inside a guarded
// transaction, which waits for a row lock that somebody else holds.
type late struct {
	session *destination.Session
	done    chan error // the statement's answer
}

// freeze opens the guarded transaction of an old attempt and leaves its
// statement waiting for a lock; release lets the lock go.
func freeze(t *testing.T, p place, d *destination.Destination, f *Fence) (l late, release func()) {
	t.Helper()
	p.exec(t, "CREATE TABLE IF NOT EXISTS data (id INT PRIMARY KEY, v INT)")
	p.exec(t, "REPLACE INTO data VALUES (1, 0)")
	blocker, err := p.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = blocker.Rollback() })
	_, err = blocker.ExecContext(t.Context(), "SELECT * FROM data WHERE id = 1 FOR UPDATE")
	require.NoError(t, err)

	session, err := d.Session(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, session.Close()) })
	require.NoError(t, f.Register(t.Context(), session))
	require.NoError(t, session.Begin(t.Context()))
	require.NoError(t, f.Guard(t.Context(), session, p.schema, 0))
	l = late{session, make(chan error, 1)}
	go func() {
		_, err := session.Exec(context.WithoutCancel(t.Context()), "UPDATE "+dialect.QuoteName(p.schema, "data")+" SET v = 111 WHERE id = 1")
		l.done <- err
	}()
	eventually(t, "the late write waits for the lock", func() bool {
		return running(t, p.db, "UPDATE", p.schema, "SET v = 111")
	})
	return l, func() { require.NoError(t, blocker.Rollback()) }
}

var fencedServers = []string{"mysql57", "mysql97", "mariadb"}

// Rule "Fence": what an old attempt has in flight never commits after a new
// owner has acquired. Here the new owner kills the recorded connection.
func TestFence_KillsTheLateWriteOfAFrozenWorker(t *testing.T) {
	for _, server := range fencedServers {
		t.Run(server, func(t *testing.T) {
			p := newPlace(t, server)
			s := p.store(t, "t1")
			old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
			l, release := freeze(t, p, p.open(t), old)

			next := acquire(t, s, p, "apply/0", Token{1, 1, 2})
			// The frozen worker wakes up: its statement and its COMMIT fail.
			require.Error(t, <-l.done)
			require.Error(t, l.session.Commit(t.Context()))
			release()
			require.Zero(t, p.count(t, "SELECT v FROM data WHERE id = 1"))

			writes(t, p, next, 222)
			requireFenced(t, p, s, old)
			require.EqualValues(t, 222, p.count(t, "SELECT v FROM data WHERE id = 1"))
		})
	}
}

// Without KILL the new owner waits at the fence row until the old transaction
// has ended, and reads what it left.
func TestFence_WaitsForTheLateWriteWhereKillDoesNotPass(t *testing.T) {
	for _, server := range fencedServers {
		for _, lock := range []string{destination.LockShare, destination.LockUpdate} {
			t.Run(server+"/"+lock, func(t *testing.T) {
				p := newPlace(t, server)
				s := p.store(t, "t1")
				effects := destination.Effects{Lock: lock, Kill: destination.KillNone}
				p.d.SetEffects(effects)
				old := acquire(t, s, p, "apply/0", Token{1, 1, 1})
				d := p.open(t)
				d.SetEffects(effects)
				l, release := freeze(t, p, d, old)

				acquired := make(chan error, 1)
				var next *Fence
				go func() {
					var err error
					next, err = s.Acquire(t.Context(), "apply/0", Token{1, 1, 2}, []string{p.schema}, false)
					acquired <- err
				}()
				eventually(t, "the new owner waits at the fence", func() bool {
					return running(t, p.db, "UPDATE", p.schema, "shardlift_fence")
				})
				release()
				require.NoError(t, <-l.done)
				select {
				case err := <-acquired:
					t.Fatalf("acquired beside an open transaction: %v", err)
				default:
				}
				require.NoError(t, l.session.Commit(t.Context()), "it was in time")
				require.NoError(t, <-acquired)
				require.EqualValues(t, 111, p.count(t, "SELECT v FROM data WHERE id = 1"))
				writes(t, p, next, 222)
				requireFenced(t, p, s, old)
				require.EqualValues(t, 222, p.count(t, "SELECT v FROM data WHERE id = 1"))
			})
		}
	}
}

// writes makes one guarded write of the present owner.
func writes(t *testing.T, p place, f *Fence, v int) {
	t.Helper()
	session, err := p.d.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	require.NoError(t, f.Register(t.Context(), session))
	require.NoError(t, session.Begin(t.Context()))
	require.NoError(t, f.Guard(t.Context(), session, p.schema, 0))
	_, err = session.Exec(t.Context(), "REPLACE INTO "+dialect.QuoteName(p.schema, "data")+" (id, v) VALUES (1, "+string(num(int64(v)))+")")
	require.NoError(t, err)
	require.NoError(t, session.Commit(t.Context()))
}

// requireFenced makes sure that an old attempt gets nowhere, with the sessions
// it has and with new ones.
func requireFenced(t *testing.T, p place, s *Store, old *Fence) {
	t.Helper()
	session, err := p.d.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	require.ErrorIs(t, old.Register(t.Context(), session), fault.Fenced)
	old.slots[session.ID()] = 0 // as if it had registered before
	require.NoError(t, session.Begin(t.Context()))
	require.ErrorIs(t, old.Guard(t.Context(), session, p.schema, 0), fault.Fenced)
	require.NoError(t, session.Rollback(t.Context()))
	require.ErrorIs(t, s.Save(t.Context(), old, Checkpoint{Group: 0, Position: at(1 << 40)}), fault.Fenced)
	_, err = s.Acquire(t.Context(), old.Unit(), old.Token(), []string{p.schema}, true)
	require.ErrorIs(t, err, fault.Fenced)
}

// A session that the old attempt opened but never used for a write is ended too,
// and one that it opens after the new owner came cannot register.
func TestFence_EndsIdleConnectionsOfTheOldAttempt(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	old := acquire(t, s, p, "copy/3", Token{1, 1, 1})
	session, err := p.open(t).Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	require.NoError(t, old.Register(t.Context(), session))
	acquire(t, s, p, "copy/3", Token{1, 2, 1})
	require.Error(t, session.Begin(t.Context()))
	require.EqualValues(t, 0, p.count(t, "SELECT COUNT(*) FROM shardlift_connection"))
}

func TestFence_OrdersByEpochThenBoxThenAttempt(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	acquire(t, s, p, "copy/1", Token{2, 3, 4})
	for _, older := range []Token{{2, 3, 3}, {2, 2, 99}, {1, 99, 99}} {
		_, err := s.Acquire(t.Context(), "copy/1", older, []string{p.schema}, true)
		require.ErrorIs(t, err, fault.Fenced)
	}
	acquire(t, s, p, "copy/2", Token{1, 1, 1}) // another unit
	acquire(t, s, p, "copy/1", Token{2, 3, 4}) // the same attempt again
	acquire(t, s, p, "copy/1", Token{2, 4, 1})
	acquire(t, s, p, "copy/1", Token{3, 0, 1})
}

// Where neither lock nor kill passes, only the operator's word opens the fence,
// and a unit that was given up in order needs none.
func TestFence_NeedsAWordWhereNothingPasses(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	p.d.SetEffects(destination.Effects{Lock: destination.LockNone, Kill: destination.KillNone})
	acquire(t, s, p, "apply/0", Token{1, 1, 1}) // nobody was before
	_, err := s.Acquire(t.Context(), "apply/0", Token{1, 1, 2}, []string{p.schema}, false)
	require.ErrorIs(t, err, fault.FenceUnconfirmed)
	_, err = s.Acquire(t.Context(), "apply/0", Token{1, 1, 3}, []string{p.schema}, false)
	require.ErrorIs(t, err, fault.FenceUnconfirmed, "asking again is no word")
	f, err := s.Acquire(t.Context(), "apply/0", Token{1, 1, 4}, []string{p.schema}, true)
	require.NoError(t, err)
	require.NoError(t, f.Release(t.Context()))
	acquire(t, s, p, "apply/0", Token{1, 1, 5})
}

// Two attempts that start at once: one holds the unit, the other is fenced.
func TestFence_OfTwoAtOnceTheNewerWins(t *testing.T) {
	p := newPlace(t, "mysql97")
	s := p.store(t, "t1")
	for round := range int64(10) {
		type result struct {
			f   *Fence
			err error
		}
		results := [2]chan result{make(chan result, 1), make(chan result, 1)}
		for i := range results {
			go func() {
				f, err := s.Acquire(t.Context(), "apply/0", Token{1, round, int32(i)}, []string{p.schema}, false)
				results[i] <- result{f, err}
			}()
		}
		older, newer := <-results[0], <-results[1]
		require.NoError(t, newer.err)
		if older.err != nil {
			require.ErrorIs(t, older.err, fault.Fenced)
		} else {
			p.exec(t, "CREATE TABLE IF NOT EXISTS data (id INT PRIMARY KEY, v INT)")
			requireFenced(t, p, s, older.f)
		}
		require.NoError(t, s.Save(t.Context(), newer.f, Checkpoint{Group: 0, Position: at(uint64(100 + round))}))
	}
}

func TestFence_SettleEndsTheTransactionsOfOnesOwnLostSessions(t *testing.T) {
	for _, kill := range []string{destination.KillConnection, destination.KillNone} {
		t.Run(kill, func(t *testing.T) {
			p := newPlace(t, "mysql97")
			s := p.store(t, "t1")
			p.d.SetEffects(destination.Effects{Lock: destination.LockShare, Kill: kill})
			f := acquire(t, s, p, "apply/0", Token{1, 1, 1})
			d := p.open(t)
			d.SetEffects(p.d.Info().Effects)
			l, release := freeze(t, p, d, f)
			settled := make(chan error, 1)
			go func() { settled <- f.Settle(t.Context(), []string{l.session.ID()}) }()
			if kill == destination.KillNone {
				eventually(t, "settle waits at the fence", func() bool {
					return running(t, p.db, "UPDATE", p.schema, "shardlift_fence")
				})
				release()
				require.NoError(t, <-l.done)
				require.NoError(t, l.session.Rollback(t.Context()))
				require.NoError(t, <-settled)
			} else {
				require.NoError(t, <-settled)
				require.Error(t, <-l.done)
				release()
			}
			writes(t, p, f, 5)
			require.EqualValues(t, 5, p.count(t, "SELECT v FROM data WHERE id = 1"))
		})
	}
}

// A pool that is given as too small does not wait for itself.
func TestAcquire_NeedsNoMoreThanTheSmallestPool(t *testing.T) {
	p := newPlace(t, "mysql97")
	p.config.MaxConnections = 1
	p.d = p.open(t)
	s := p.store(t, "t1")
	p.exec(t, "CREATE TABLE data (id INT PRIMARY KEY, v INT)")
	f := acquire(t, s, p, "copy/0", Token{1, 1, 1})
	session, err := p.d.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	require.NoError(t, f.Register(t.Context(), session))
	require.NoError(t, s.PutTables(t.Context(), planOf(1)))
	require.NoError(t, s.AddChunks(t.Context(), chunksOf(1, 1, 2)))
	gone := acquire(t, s, p, "copy/7", Token{1, 1, 1})
	_, err = s.Claim(t.Context(), gone, 7, 8, at(1))
	require.NoError(t, err)
	c, err := s.Claim(t.Context(), f, 0, 1, at(1)) // takes over from lane 7, the session stays open
	require.NoError(t, err)
	require.True(t, c.Attempted)
	writes(t, p, f, 1)
}
