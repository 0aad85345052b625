package binlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/selection"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func (r *rig) isMariaDB() bool { return r.server.Flavor == "mariadb" }

func (r *rig) number() int { return r.source.Capabilities().Number }

func TestStream_NonTransactionalTables(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=MyISAM")
		r.learn()
		start := r.head()
		r.exec("INSERT INTO m VALUES (1, 1), (2, 2)", "UPDATE m SET v = 5 WHERE id = 1", "DELETE FROM m WHERE id = 2")
		events := r.readTo(r.open(start), r.head())
		require.Equal(t, []Kind{Rows, Commit, Rows, Commit, Rows, Commit}, kinds(events))
		require.Equal(t, r.selectAll("m"), play(t, events)["m"])
	})
}

func TestStream_OnlySelectedTablesAndJoinedCommits(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE b (id INT PRIMARY KEY, j BLOB) ENGINE=InnoDB")
		r.selected = selection.Selection{{Schema: r.schema, Tables: []string{"a"}}}
		r.learn()
		start := r.head()
		for i := range 50 {
			r.exec(fmt.Sprintf("INSERT INTO b VALUES (%d, 'x')", i))
		}
		r.exec("INSERT INTO a VALUES (1)")
		rows := r.head()
		r.exec("INSERT INTO b VALUES (100, 'x')")
		end := r.head()
		s := r.open(start)
		events := r.readTo(s, rows)
		transactions := 0
		for _, e := range events {
			if e.Kind == Rows {
				require.Equal(t, "a", e.Table.Name.Table)
			}
			transactions += e.Transactions
		}
		require.GreaterOrEqual(t, transactions, 51)
		require.Less(t, len(events), transactions, "commits without selected rows are joined")
		// The last one is delivered although nothing follows it.
		events = r.readTo(s, end)
		require.Equal(t, Commit, events[len(events)-1].Kind)
	})
}

func TestStream_HeartbeatsShowLife(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testdb.Own(t, name)) // others' transactions would take a heartbeat's place
			r.change = func(c *Config) { c.Heartbeat = 200 * time.Millisecond }
			beats := 0
			r.read(r.open(r.head()), func(e Event) bool {
				if e.Kind == Heartbeat {
					beats++
					require.False(t, e.Position.IsZero())
				}
				return beats == 2
			})
		})
	}
}

func TestStream_Truncate(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		start := r.head()
		r.exec("INSERT INTO a VALUES (1), (2)")
		before := r.head()
		r.exec("TRUNCATE TABLE a")
		after := r.head()
		r.exec("INSERT INTO a VALUES (3)")
		events := r.readTo(r.open(start), r.head())
		require.Equal(t, []Kind{Rows, Commit, Truncate, Commit, Rows, Commit}, kinds(events))
		require.Equal(t, r.selectAll("a"), play(t, events)["a"])
		at := slices.IndexFunc(events, func(e Event) bool { return e.Kind == Truncate })
		covered, err := events[at].Position.Covers(before)
		require.NoError(t, err)
		require.True(t, covered, "everything before the statement is complete")
		covered, err = events[at].Position.Covers(after)
		require.NoError(t, err)
		require.False(t, covered, "the statement itself is not")
	})
}

// Each class of statement that changes a selected table comes as DDL, with its
// effects; statements about other tables do not come at all.
func TestStream_DDL(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB", "CREATE TABLE o (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.selected = selection.Selection{{Schema: r.schema, Tables: []string{"a"}}}
		r.learn()
		other := r.server.Schema(t)
		start := r.head()
		r.exec(
			"ALTER TABLE a ADD INDEX i (v)",
			"ALTER TABLE o ADD COLUMN x INT",
			"CREATE TABLE `_a_gho` LIKE a",
			"CREATE TABLE "+other+".z (id INT PRIMARY KEY)",
			fmt.Sprintf("CREATE TRIGGER %s.tr BEFORE INSERT ON a FOR EACH ROW SET NEW.v = 1", r.schema),
			"CREATE VIEW w AS SELECT * FROM a",
			"DROP VIEW w",
			"DROP TRIGGER tr",
			"CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY)",
		)
		session := r.session()
		execOn(t, session, "USE "+other, fmt.Sprintf("ALTER TABLE `%s` . `a` ADD COLUMN w VARCHAR(20) DEFAULT 'se''cret'", r.schema))
		r.exec("RENAME TABLE a TO _a_del, _a_gho TO a", "DROP TABLE a, o")
		events := r.readTo(r.open(start), r.head())
		var got []string
		for _, e := range events {
			if e.Kind == Commit {
				continue
			}
			require.Equal(t, DDL, e.Kind)
			require.True(t, e.Parsed, e.Statement)
			require.NotContains(t, e.Statement, "cret")
			got = append(got, e.Describe())
		}
		require.Equal(t, []string{"ALTER TABLE", "ALTER TABLE", "RENAME TABLE", "DROP TABLE"}, got)
	})
}

func TestStream_CreateTableSelect(t *testing.T) {
	// Before 8.0.21 MySQL refuses the statement under GTID.
	onAll(t, []string{"mysql55", "mysql97", "mariadb"}, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE o (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO o VALUES (1), (2)")
		r.learn()
		start := r.head()
		r.exec("CREATE TABLE n (id INT PRIMARY KEY) ENGINE=InnoDB SELECT id FROM o", "INSERT INTO n VALUES (3)")
		r.learn()
		events := tidy(r.readTo(r.open(start), r.head()))
		require.Equal(t, DDL, events[0].Kind)
		require.Equal(t, ddl.CreateTable, events[0].Effects[0].Kind)
		require.Equal(t, r.selectAll("n"), play(t, events)["n"])
		for i, e := range events {
			if e.Kind == Rows {
				require.Equal(t, Commit, events[i+1].Kind)
			}
		}
	})
}

func TestStream_RowsOfATableThatWasNotPlannedStop(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	r.exec("CREATE TABLE n (id INT PRIMARY KEY)")
	start := r.head()
	r.exec("INSERT INTO n VALUES (1)")
	require.ErrorIs(t, r.fails(r.open(start)), fault.TableUnplanned)
}

func TestStream_DefinitionOfAnotherTableStops(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		for i, c := range []struct{ known, real string }{
			{"a INT, b VARCHAR(10)", "a INT"},
			{"a INT", "a INT, b INT"},
			{"a INT", "a BIGINT"},
			{"a INT, b VARCHAR(10)", "a VARCHAR(10), b INT"},
			{"a DECIMAL(10,2)", "a DECIMAL(10,3)"},
			{"a DATE", "a DATETIME"},
			{"a BINARY(4)", "a VARBINARY(4)"},
			{"a BLOB", "a MEDIUMBLOB"},
			{"a ENUM('x')", "a SET('x')"},
			{"a BIT(7)", "a BIT(8)"},
			{"a FLOAT", "a DOUBLE"},
		} {
			name := fmt.Sprintf("t%d", i)
			r.exec(fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, %s) ENGINE=InnoDB", name, c.known))
			r.learn()
			r.exec("DROP TABLE "+name, fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, %s) ENGINE=InnoDB", name, c.real))
			start := r.head()
			r.exec(fmt.Sprintf("INSERT INTO %s (id) VALUES (1)", name))
			require.ErrorIs(t, r.fails(r.open(start)), fault.DefinitionMismatch, "%s instead of %s", c.real, c.known)
		}
	})
}

// A dump cut anywhere goes on from the committed position: every transaction
// has its effect once (rule 9).
func TestStream_KilledDumpReadsTheTransactionAgain(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(1000)) ENGINE=InnoDB")
		r.learn()
		for _, from := range []position.Position{r.head(), r.filePosition()} {
			session := r.session()
			execOn(t, session, "DELETE FROM a")
			start := r.head()
			if !from.HasGTID() {
				start = r.filePosition()
			}
			execOn(t, session, "BEGIN")
			for i := range 50 {
				values := make([]string, 500)
				for k := range values {
					values[k] = fmt.Sprintf("(%d, REPEAT('x', 900))", i*500+k)
				}
				execOn(t, session, "INSERT INTO a VALUES "+strings.Join(values, ","))
			}
			execOn(t, session, "COMMIT", "INSERT INTO a VALUES (100000, 'last')")
			end := r.head()

			r.change = func(c *Config) { c.QueueBytes = 1 << 20 }
			s := r.open(start)
			committed, rows := start, 0
			var events, open []Event // of ended transactions, and of the one that is read
			take := func(e Event) {
				rows += len(e.Changes)
				if open = append(open, e); e.Kind == Commit {
					events, open, committed = append(events, open...), nil, e.Position
				}
			}
			r.read(s, func(e Event) bool { take(e); return rows > 4000 })
			r.killDump(s)
			e, err := s.Next(t.Context())
			for ; err == nil; e, err = s.Next(t.Context()) {
				take(e)
			}
			require.Equal(t, fault.Retry, fault.ClassOf(err), err)
			covered, coverErr := committed.Covers(end)
			require.NoError(t, coverErr)
			require.False(t, covered, "everything was under way already: the transaction is too small")
			s.Close()
			events = append(events, r.readTo(r.open(committed), end)...)
			require.True(t, equalState(r.selectAll("a"), play(t, events)["a"]), "the state differs")
		}
	})
}

// killDump ends a stream's dump on the server.
func (r *rig) killDump(s *Stream) {
	r.t.Helper()
	r.exec(fmt.Sprintf("KILL %d", s.feed.(*syncerFeed).syncer.LastConnectionID()))
}

func TestStream_Rotation(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		start, file := r.head(), r.filePosition()
		for i := range 3 {
			r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", i), "FLUSH LOGS")
		}
		end, endFile := r.head(), r.filePosition()
		events := r.readTo(r.open(start), end)
		require.Equal(t, r.selectAll("a"), play(t, events)["a"])
		s := r.open(file)
		events = r.readTo(s, endFile)
		require.Equal(t, r.selectAll("a"), play(t, events)["a"])
		require.Equal(t, endFile.File, s.Position().File)
	})
}

func TestStream_SavepointsAndRollbacks(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB", "INSERT INTO a VALUES (50, 1), (51, 1)")
		r.learn()
		before := r.selectAll("a")
		start := r.head()
		session := r.session()
		execOn(t, session, "BEGIN", "INSERT INTO a VALUES (1, 1)", "SAVEPOINT s", "INSERT INTO a VALUES (2, 1)", "ROLLBACK TO SAVEPOINT s", "INSERT INTO a VALUES (3, 1)", "COMMIT")
		execOn(t, session, "BEGIN", "INSERT INTO a VALUES (4, 1)", "ROLLBACK")
		if r.isMariaDB() || r.number() < 50600 { // under GTID MySQL refuses both
			// What cannot be rolled back makes the server log the rollback.
			execOn(t, session, "BEGIN", "INSERT INTO a VALUES (5, 1)", "UPDATE a SET v = 2 WHERE id = 50", "DELETE FROM a WHERE id = 51",
				"CREATE TEMPORARY TABLE tmp (id INT)", "SAVEPOINT s", "INSERT INTO a VALUES (6, 1)", "ROLLBACK TO SAVEPOINT s", "ROLLBACK")
		}
		events := r.readTo(r.open(start), r.head())
		seed := Event{Kind: Rows, Table: r.tables[table.Name{Schema: r.schema, Table: "a"}]}
		for _, one := range before {
			seed.Changes = append(seed.Changes, row.Change{Op: row.Insert, After: one})
		}
		require.Equal(t, r.selectAll("a"), play(t, append([]Event{seed}, events...))["a"])
	})
}

func TestStream_StatementFormatStops(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE o (id INT PRIMARY KEY) ENGINE=InnoDB")
		other := newRig(t, r.server)
		other.exec("CREATE TABLE o (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		session := r.session()
		execOn(t, session, "SET SESSION binlog_format = STATEMENT")
		start := r.head()
		execOn(t, session, "INSERT INTO a VALUES (1)")
		require.ErrorIs(t, r.fails(r.open(start)), fault.StatementFormat)
		start = r.head()
		execOn(t, session, "USE "+other.schema, "UPDATE "+r.schema+".a SET id = 3")
		require.ErrorIs(t, r.fails(r.open(start)), fault.StatementFormat)
		start = r.head()
		execOn(t, session, "INSERT INTO o VALUES (1)", "DELETE FROM o")
		events := r.readTo(r.open(start), r.head())
		require.NotContains(t, kinds(events), Rows)
	})
}

func TestStream_PartialImagesStop(t *testing.T) {
	onAll(t, []string{"mysql56", "mysql57", "mysql80", "mysql97", "mariadb"}, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, b BLOB, v INT) ENGINE=InnoDB", "INSERT INTO a VALUES (1, 'x', 1), (2, 'y', 2)")
		r.learn()
		for _, image := range []string{"MINIMAL", "NOBLOB"} {
			session := r.session()
			execOn(t, session, "SET SESSION binlog_row_image = "+image)
			start := r.head()
			execOn(t, session, "UPDATE a SET v = v + 1 WHERE id = 1")
			err := r.fails(r.open(start))
			require.ErrorIs(t, err, fault.PartialImage, image)
			f, _ := fault.As(err)
			require.Contains(t, f.Remedy, "binlog_row_image=FULL")
		}
	})
}

func TestStream_PartialJSONStops(t *testing.T) {
	onAll(t, []string{"mysql80", "mysql97"}, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, j JSON)", `INSERT INTO a VALUES (1, '{"a": 1, "b": "`+strings.Repeat("x", 500)+`"}')`)
		r.learn()
		session := r.session()
		execOn(t, session, "SET SESSION binlog_row_value_options = PARTIAL_JSON")
		other := r.server.Schema(t)
		r.exec("CREATE TABLE "+other+".b (id INT PRIMARY KEY, j JSON)", "INSERT INTO "+other+`.b VALUES (1, '{"a": 1, "b": "`+strings.Repeat("x", 500)+`"}')`)
		start := r.head()
		execOn(t, session, "UPDATE "+other+".b SET j = JSON_SET(j, '$.a', 2)")
		r.exec("INSERT INTO a VALUES (2, NULL)")
		passed := r.readTo(r.open(start), r.head())
		require.NotEmpty(t, ops(passed, true), "another application's partial values pass")
		start = r.head()
		execOn(t, session, "UPDATE a SET j = JSON_SET(j, '$.a', 2)")
		require.ErrorIs(t, r.fails(r.open(start)), fault.PartialJSON)
	})
}

func TestStream_PurgedBinlogIsSaidSo(t *testing.T) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testdb.Own(t, name))
			r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
			start, file := r.head(), r.filePosition()
			r.exec("INSERT INTO a VALUES (1)", "FLUSH LOGS", "INSERT INTO a VALUES (2)", "FLUSH LOGS")
			require.Eventually(t, func() bool { // MariaDB keeps a file until it has no open transaction
				r.exec(fmt.Sprintf("PURGE BINARY LOGS TO '%s'", r.filePosition().File))
				logs, err := r.source.BinaryLogs(t.Context())
				require.NoError(t, err)
				return logs[0].Name != file.File
			}, time.Minute, 50*time.Millisecond)
			require.ErrorIs(t, r.failsToOpen(file), fault.BinlogPurged)
			if start.HasGTID() {
				require.ErrorIs(t, r.failsToOpen(start), fault.BinlogPurged)
			}
		})
	}
}

// failsToOpen opens and reads until an error comes.
func (r *rig) failsToOpen(from position.Position) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer cancel()
	s, err := Open(ctx, r.config(from))
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		if _, err := s.Next(ctx); err != nil {
			require.NoError(r.t, ctx.Err(), "the stream did not fail")
			return err
		}
	}
}

func TestStream_ContextEndsTheWait(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mysql97"))
	s := r.open(r.head())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var err error
	for err == nil {
		_, err = s.Next(ctx)
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
