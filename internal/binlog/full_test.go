//go:build full

package binlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/testdb"
)

// failoverServers are the servers that a failover is tried on.
func failoverServers() []string {
	return []string{"mysql56", "mysql57", "mysql80", "mysql97", "mariadb"}
}

// fewer are all six here.
func fewer(...string) []string { return testdb.Versions() }

// TestRule5_LargeRealTransactions: some hundred MB in one transaction of a real
// server, plain, compressed, and as one large event.
func TestRule5_LargeRealTransactions(t *testing.T) {
	for _, c := range []struct{ name, session string }{
		{"mysql55", ""}, {"mysql80", ""}, {"mysql97", ""}, {"mysql97", "SET SESSION binlog_transaction_compression = ON"}, {"mariadb", ""},
	} {
		t.Run(c.name+" "+c.session, func(t *testing.T) {
			r := newRig(t, testdb.Own(t, c.name))
			r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGBLOB) ENGINE=InnoDB")
			r.learn()
			start := r.head()
			session := r.session()
			if c.session != "" {
				execOn(t, session, c.session)
			}
			execOn(t, session, "BEGIN")
			for i := range 400 {
				execOn(t, session, fmt.Sprintf("INSERT INTO a SELECT %d, REPEAT(CHAR(%d), 1000000)", i, 33+i%90))
			}
			execOn(t, session, "UPDATE a SET id = id + 1000 WHERE id < 50", "COMMIT")
			end := r.head()
			s := r.open(start)
			rows, peak := 0, uint64(0)
			var stats runtime.MemStats
			for n := 0; ; n++ {
				e, err := s.Next(t.Context())
				require.NoError(t, err)
				rows += len(e.Changes)
				if n%20 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&stats)
					peak = max(peak, stats.HeapAlloc)
				}
				if covered, err := e.Position.Covers(end); e.Kind == Commit && err == nil && covered {
					break
				}
			}
			require.Equal(t, 450, rows)
			require.Less(t, peak, uint64(256<<20))
			t.Logf("%s: heap at most %d MiB for 400 MB", c.name, peak>>20)
		})
	}
}

// TestRule9_PrimariesDieUnderLoad: a primary is killed at any moment; the replica
// that takes over has everything that was read, and the stream goes on without a
// loss, or it lacks something, and the stream stops.
func TestRule9_PrimariesDieUnderLoad(t *testing.T) {
	for round := range 6 {
		for _, name := range []string{"mysql57", "mysql97", "mariadb"} {
			t.Run(fmt.Sprint(name, " ", round), func(t *testing.T) {
				p := newPair(t, name)
				s := p.open(p.head())
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				db := p.db
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for i := 0; ctx.Err() == nil; i++ {
						if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO a VALUES (%d, %d)", i, i)); err != nil {
							return
						}
					}
				}()
				wait := time.After(time.Duration(300+rand.IntN(700)) * time.Millisecond)
				var events, open []Event
				take := func(e Event) {
					if open = append(open, e); e.Kind == Commit {
						events, open = append(events, open...), nil
					}
				}
				for waiting := true; waiting; {
					e, err := s.Next(t.Context())
					require.NoError(t, err)
					take(e)
					select {
					case <-wait:
						waiting = false
					default:
					}
				}
				p.server.Kill(t)
				p.promote()
				<-ended
				for {
					e, err := s.Next(t.Context())
					if err != nil {
						require.Equal(t, fault.Retry, fault.ClassOf(err), "%v", err)
						break
					}
					take(e)
				}
				committed := s.Position()
				s.Close()
				p.exec("INSERT INTO a VALUES (-1, 0)")
				there := p.selectAll("a")
				missing := 0
				for id := range play(t, events)["a"] {
					if there[id] == nil {
						missing++
					}
				}
				if missing > 0 {
					require.True(t, lost(p.failsToOpen(committed)), "%d rows were lost in the failover", missing)
					return
				}
				again, err := Open(t.Context(), p.config(committed))
				if err != nil { // a transaction without a row of ours may be lost too
					require.True(t, lost(err), "%v", err)
					return
				}
				events = append(events, p.readTo(again, p.head())...)
				again.Close()
				require.Equal(t, there, play(t, events)["a"])
			})
		}
	}
}
