package binlog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/row"
	"shardlift/internal/testdb"
)

func (r *rig) xaPrepare(id string, statements ...string) *sql.Conn {
	r.t.Helper()
	c := r.session()
	r.t.Cleanup(func() { // a failed test must not leave it to the others: no task can start meanwhile
		rollback := "XA ROLLBACK '" + id + "','b',7"
		_, _ = c.ExecContext(context.Background(), rollback)
		_, _ = r.db.ExecContext(context.Background(), rollback)
	})
	execOn(r.t, c, "XA START '"+id+"','b',7")
	execOn(r.t, c, statements...)
	execOn(r.t, c, "XA END '"+id+"','b',7", "XA PREPARE '"+id+"','b',7")
	return c
}

// XA rows come at the verdict; the position leaves a hole in a MySQL GTID set
// and stays before the transaction everywhere else, so that a stream opened
// from any committed position sees the rows again (rule 8).
func TestStream_XAWaitsForTheVerdict(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO a VALUES (50)")
		r.learn()
		for _, byGTID := range []bool{true, false} {
			start := r.head()
			if !byGTID {
				start.GTID = nil
			}
			r.exec("DELETE FROM a")
			one := r.xaPrepare("commit"+r.schema[len(r.schema)-6:], "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)")
			two := r.xaPrepare("rollback"+r.schema[len(r.schema)-6:], "INSERT INTO a VALUES (3)")
			r.exec("INSERT INTO a VALUES (10)")
			s := r.open(start)
			var events []Event
			r.read(s, func(e Event) bool {
				events = append(events, e)
				return e.Kind == Rows && e.Changes[0].Op == row.Insert && string(e.Changes[0].After[0]) == "10"
			})
			events = append(events, r.read(s, func(e Event) bool { return e.Kind == Commit })...)
			middle := events[len(events)-1].Position
			require.Equal(t, []string{"-50", "+10"}, ops(events, byGTID))
			s.Close()

			execOn(t, one, "XA COMMIT 'commit"+r.schema[len(r.schema)-6:]+"','b',7")
			execOn(t, two, "XA ROLLBACK 'rollback"+r.schema[len(r.schema)-6:]+"','b',7")
			r.exec("INSERT INTO a VALUES (11)")
			end := r.head()
			again := r.open(middle)
			later := r.readTo(again, end)
			got := ops(later, true)
			slices.Sort(got)
			got = slices.Compact(got)
			for _, want := range []string{"+1", "+11", "+2"} {
				require.Contains(t, got, want)
			}
			require.NotContains(t, got, "+3")
			// With every verdict read, nothing is held any more.
			covered, err := again.Position().Covers(end)
			require.NoError(t, err)
			require.True(t, covered)
			again.Close()
			r.exec("DELETE FROM a", "INSERT INTO a VALUES (50)")
		}
	})
}

// ops prints changes as +key and -key.
func ops(events []Event, deletes bool) []string {
	out := []string{}
	for _, e := range events {
		for _, c := range e.Changes {
			if c.Before != nil && (deletes || string(c.Before[0]) == "50") {
				out = append(out, "-"+string(c.Before[0]))
			}
			if c.After != nil {
				out = append(out, "+"+string(c.After[0]))
			}
		}
	}
	return out
}

func TestStream_XAOnePhaseAndEmpty(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		start := r.head()
		c := r.session()
		id := "x" + r.schema[len(r.schema)-6:]
		execOn(t, c, "XA START '"+id+"'", "INSERT INTO a VALUES (1)", "XA END '"+id+"'", "XA COMMIT '"+id+"' ONE PHASE")
		execOn(t, c, "XA START '"+id+"'", "INSERT INTO a VALUES (2)", "XA END '"+id+"'", "XA ROLLBACK '"+id+"'")
		execOn(t, c, "XA START '"+id+"'", "SELECT 1", "XA END '"+id+"'", "XA PREPARE '"+id+"'", "XA COMMIT '"+id+"'")
		execOn(t, c, "XA START '"+id+"'", "SELECT * FROM a", "XA END '"+id+"'", "XA PREPARE '"+id+"'", "XA ROLLBACK '"+id+"'")
		execOn(t, c, "XA START '"+id+"'", "SELECT 1", "XA END '"+id+"'", "XA COMMIT '"+id+"' ONE PHASE")
		r.exec("INSERT INTO a VALUES (3)")
		require.Equal(t, []string{"+1", "+3"}, ops(r.readTo(r.open(start), r.head()), true))
	})
}

func TestStream_XAThatDoesNotFitStops(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGBLOB)")
	r.learn()
	start := r.head()
	id := "big" + r.schema[len(r.schema)-6:]
	c := r.xaPrepare(id, "INSERT INTO a VALUES (1, REPEAT('x', 2000000))")
	r.change = func(c *Config) { c.XABytes = 1 << 20 }
	require.ErrorIs(t, r.fails(r.open(start)), fault.XATooLarge)
	execOn(t, c, "XA ROLLBACK '"+id+"','b',7")
}

func TestStream_XACommitOfUnseenRowsStops(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY)")
	r.learn()
	id := "unseen" + r.schema[len(r.schema)-6:]
	c := r.xaPrepare(id, "INSERT INTO a VALUES (1)")
	start := r.head()
	execOn(t, c, "XA COMMIT '"+id+"','b',7")
	require.ErrorIs(t, r.fails(r.open(start)), fault.XAUnknown)
}

func TestStream_CompressedTransactions(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT, j JSON)", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
	r.learn()
	start, file := r.head(), r.filePosition()
	c := r.session()
	execOn(t, c, "SET SESSION binlog_transaction_compression = ON", "BEGIN")
	for i := range 200 {
		execOn(t, c, fmt.Sprintf(`INSERT INTO a VALUES (%d, REPEAT('%d', 30000), '{"a": %d}')`, i, i, i))
	}
	execOn(t, c, "UPDATE a SET v = 'short' WHERE id < 100", "DELETE FROM a WHERE id >= 190", "COMMIT")
	execOn(t, c, "INSERT INTO m VALUES (1)", "SET SESSION binlog_transaction_compression = OFF", "INSERT INTO a VALUES (1000, 'x', NULL)")
	id := "cx" + r.schema[len(r.schema)-6:]
	execOn(t, c, "SET SESSION binlog_transaction_compression = ON", "XA START '"+id+"'", "INSERT INTO a VALUES (1001, 'x', NULL)", "XA END '"+id+"'", "XA PREPARE '"+id+"'", "XA COMMIT '"+id+"'")
	end, endFile := r.head(), r.filePosition()

	s := r.open(start)
	payloads := 0
	var events []Event
	for {
		e, err := s.Next(t.Context())
		require.NoError(t, err)
		if s.payload != nil {
			payloads++
		}
		events = append(events, e)
		if covered, _ := e.Position.Covers(end); e.Kind == Commit && covered {
			break
		}
	}
	require.Greater(t, payloads, 100, "nothing was compressed")
	require.Equal(t, r.selectAll("a"), play(t, events)["a"])
	require.Equal(t, r.selectAll("m"), play(t, events)["m"])
	require.Equal(t, r.selectAll("a"), play(t, r.readTo(r.open(file), endFile))["a"])
}

func TestStream_CompressedTransactionIsReadAgainAfterAKill(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)")
	r.learn()
	start := r.head()
	c := r.session()
	execOn(t, c, "SET SESSION binlog_transaction_compression = ON", "INSERT INTO a VALUES (1, 'x')", "BEGIN")
	for i := 2; i < 50; i++ {
		execOn(t, c, fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('%d', 30000))", i, i))
	}
	execOn(t, c, "COMMIT")
	end := r.head()
	s := r.open(start)
	first := r.read(s, func(e Event) bool {
		return e.Kind == Commit && e.Transactions > 0 && !e.SourceTime.IsZero() && len(e.Changes) == 0
	})
	committed := first[len(first)-1].Position
	r.read(s, func(e Event) bool { return e.Kind == Rows }) // a piece of the second one
	covered, err := s.Position().Covers(end)
	require.NoError(t, err)
	require.False(t, covered, "the second one is not complete")
	s.Close()
	events := slices.Concat(first, r.readTo(r.open(committed), end))
	require.Equal(t, r.selectAll("a"), play(t, events)["a"])
}

func TestStream_TaggedGTIDs(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY)")
	r.learn()
	start := r.head()
	c := r.session()
	execOn(t, c, "SET SESSION gtid_next = 'AUTOMATIC:shard'", "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)", "SET SESSION gtid_next = 'AUTOMATIC'", "INSERT INTO a VALUES (3)")
	end := r.head()
	s := r.open(start)
	events := r.readTo(s, end)
	require.Equal(t, []string{"+1", "+2", "+3"}, ops(events, true))
	require.Contains(t, *s.Position().GTID, ":shard:")
	require.Empty(t, ops(r.readTo(r.open(s.Position()), r.head()), true), "nothing comes twice")
}

func TestStream_MariaDBCompressedEvents(t *testing.T) {
	r := newRig(t, testdb.Own(t, "mariadb", "--log-bin-compress=ON", "--log-bin-compress-min-len=10"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT) ENGINE=InnoDB COMMENT '" + strings.Repeat("long ", 50) + "'")
	r.learn()
	start := r.head()
	r.exec("INSERT INTO a VALUES (1, REPEAT('x', 100000)), (2, REPEAT('y', 1000))", "UPDATE a SET v = REPEAT('z', 5000)", "DELETE FROM a WHERE id = 1", "ALTER TABLE a COMMENT '"+strings.Repeat("other ", 50)+"'")
	events := r.readTo(r.open(start), r.head())
	require.Equal(t, r.selectAll("a"), play(t, events)["a"])
	require.Contains(t, kinds(events), DDL)
}

func TestStream_InvisibleGeneratedAndFunctional(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		create := []string{"CREATE TABLE plain (id INT PRIMARY KEY)"}
		switch {
		case r.isMariaDB():
			create = append(create,
				"CREATE TABLE g (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) PERSISTENT, b VARCHAR(10))",
				"CREATE TABLE i (id INT PRIMARY KEY, x INT INVISIBLE DEFAULT 7, b VARCHAR(10))")
		case r.number() >= 50700:
			create = append(create, "CREATE TABLE g (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED, b VARCHAR(10))")
		}
		if !r.isMariaDB() && r.number() >= 80013 {
			create = append(create, "CREATE TABLE f (id INT PRIMARY KEY, a INT, b VARCHAR(10), INDEX fi ((a * 2)), INDEX fj ((UPPER(b)), a), UNIQUE fk ((CONCAT(b, a))))")
		}
		if !r.isMariaDB() && r.number() >= 80030 {
			create = append(create,
				"CREATE TABLE i (id INT PRIMARY KEY, x INT INVISIBLE DEFAULT 7, b VARCHAR(10))",
				"SET SESSION sql_generate_invisible_primary_key = ON", "CREATE TABLE k (a INT, b VARCHAR(10))")
		}
		c := r.session()
		execOn(t, c, create...)
		r.learn()
		start := r.head()
		for name, d := range r.tables {
			if d.Column("a") < 0 && d.Column("b") < 0 {
				continue
			}
			target, values := "(id, b)", "(1, 'x'), (2, 'y')"
			switch {
			case name.Table == "k":
				target, values = "(a, b)", "(1, 'x'), (2, 'y')"
			case d.Column("a") >= 0:
				target, values = "(id, a, b)", "(1, 10, 'x'), (2, NULL, 'y')"
			}
			execOn(t, c, fmt.Sprintf("INSERT INTO %s %s VALUES %s", name.Table, target, values), fmt.Sprintf("UPDATE %s SET b = 'z' WHERE b = 'x'", name.Table))
		}
		events := r.readTo(r.open(start), r.head())
		got := play(t, events)
		for name, d := range r.tables {
			if name.Table == "plain" {
				continue
			}
			want := r.selectAll(name.Table)
			for id, one := range want {
				for k := range one {
					require.Equal(t, show(one[k]), show(got[name.Table][id][k]), "%s %s %s", name.Table, id, d.Columns[k].Name)
				}
			}
		}
	})
}

// A file of the same name with another birth is another history (rule 9).
func TestStream_RestoredFileOfTheSameNameStops(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		s := r.open(r.filePosition())
		r.exec("INSERT INTO a VALUES (1)")
		r.read(s, func(e Event) bool { return e.Kind == Rows })
		p := r.read(s, func(e Event) bool { return e.Kind == Commit })[0].Position
		require.NotZero(t, p.Created)
		s.Close()
		r.exec("INSERT INTO a VALUES (2)")
		events := r.read(r.open(p), func(e Event) bool { return e.Kind == Rows })
		require.Equal(t, []string{"+2"}, ops(events, true))
		p.Created--
		require.ErrorIs(t, r.failsToOpen(p), fault.HistoryLost)
	})
}

func TestStream_BeyondTheEndOfTheFileStops(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		p := r.filePosition()
		p.Offset += 1 << 30
		require.ErrorIs(t, r.failsToOpen(p), fault.HistoryLost)
	})
}

// A reader that pauses longer than the read timeout finds everything.
func TestStream_SlowReaderLosesNothing(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)")
	r.learn()
	r.change = func(c *Config) { c.quiet = 4 * time.Second }
	start := r.head()
	for i := range 40 {
		r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('x', 1000000))", i))
	}
	end := r.head()
	s := r.open(start)
	r.read(s, func(e Event) bool { return e.Kind == Rows })
	<-time.After(4*time.Second + 500*time.Millisecond) // the pause is what is tested: more than the read timeout
	inserts, _, _ := changes(r.readTo(s, end))
	require.Equal(t, 39, inserts)
}

func TestStream_SourceGoesAwayAndComesBack(t *testing.T) {
	for _, name := range []string{"mysql55", "mysql97", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testdb.Own(t, name))
			r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
			r.learn()
			start := r.head()
			r.exec("INSERT INTO a VALUES (1)", "INSERT INTO m VALUES (1)")
			s := r.open(start)
			events := r.readTo(s, r.head())
			committed := s.Position()
			r.server.Kill(t)
			require.Equal(t, fault.Retry, fault.ClassOf(r.fails(s)))
			s.Close()
			r.server.Start(t)
			r.exec("INSERT INTO a VALUES (2)", "INSERT INTO m VALUES (2)")
			events = append(events, r.readTo(r.open(committed), r.head())...)
			got := play(t, events)
			require.Equal(t, r.selectAll("a"), got["a"])
			require.Len(t, got["m"], 2)
		})
	}
}

func TestStream_FrozenSourceIsNoticed(t *testing.T) {
	r := newRig(t, testdb.Own(t, "mysql97"))
	r.change = func(c *Config) { c.Heartbeat, c.quiet = 200*time.Millisecond, 4*time.Second }
	s := r.open(r.head())
	r.read(s, func(e Event) bool { return e.Kind == Heartbeat })
	r.server.Freeze(t)
	began := time.Now()
	err := r.fails(s)
	require.Equal(t, fault.Retry, fault.ClassOf(err))
	s.Close()
	require.Less(t, time.Since(began), time.Minute)
	r.server.Thaw(t)
}

// The dump that a frozen worker left, with data it does not read, must not keep
// the next attempt waiting.
func TestStream_LeftDumpDoesNotBlockTheNext(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT) ENGINE=InnoDB")
		r.learn()
		start := r.filePosition()
		for i := range 30 {
			r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('x', 900000))", i))
		}
		r.change = func(c *Config) { c.QueueBytes = 1 }
		left := r.open(start)
		r.read(left, func(e Event) bool { return e.Kind == Rows })
		began := time.Now()
		inserts, _, _ := changes(r.readTo(r.open(start), r.filePosition()))
		require.Equal(t, 30, inserts)
		require.Less(t, time.Since(began), 2*time.Minute)
	})
}
