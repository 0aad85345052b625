package applier

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

const (
	usersTable = "(id BIGINT NOT NULL, v INT, w INT NOT NULL, s INT NOT NULL, x VARCHAR(40), PRIMARY KEY (id), UNIQUE KEY v (v), UNIQUE KEY w (w))"
	logTable   = "(id BIGINT NOT NULL AUTO_INCREMENT, s INT NOT NULL, x VARCHAR(40), PRIMARY KEY (id))"
)

var (
	twoTables = map[string]string{"users": usersTable, "log": logTable}
	twoRules  = map[string]string{"users": "DBPARTITION BY MOD_HASH(s)", "log": "DBPARTITION BY MOD_HASH(id)"}
)

// storm runs transactions with inserts, deletes, swaps of unique values, key
// moves and shard key moves.
func (r *rig) storm(seed uint64, transactions int) {
	r.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range transactions {
		tx, err := r.db.BeginTx(r.t.Context(), nil)
		require.NoError(r.t, err)
		failed := false
		for range 1 + rng.IntN(4) {
			a, b := rng.IntN(40), rng.IntN(40)
			var s []string
			switch rng.IntN(9) {
			case 0, 1:
				s = []string{fmt.Sprintf("INSERT IGNORE INTO users VALUES (%d, %d, %d, %d, 'x%d')", a, rng.IntN(60), rng.IntN(200), rng.IntN(9), b)}
			case 2:
				s = []string{fmt.Sprintf("DELETE FROM users WHERE id = %d", a)}
			case 3:
				s = []string{fmt.Sprintf("UPDATE users SET x = 'y%d' WHERE id = %d", b, a)}
			case 4:
				s = []string{fmt.Sprintf("UPDATE IGNORE users SET id = %d WHERE id = %d", b, a)}
			case 5:
				s = []string{fmt.Sprintf("UPDATE users SET s = %d WHERE id = %d", rng.IntN(9), a)}
			case 6: // swap two unique values
				s = []string{
					fmt.Sprintf("SELECT v INTO @a FROM users WHERE id = %d", a), fmt.Sprintf("SELECT v INTO @b FROM users WHERE id = %d", b),
					fmt.Sprintf("UPDATE users SET v = NULL WHERE id = %d", a), fmt.Sprintf("UPDATE IGNORE users SET v = @a WHERE id = %d", b),
					fmt.Sprintf("UPDATE IGNORE users SET v = @b WHERE id = %d", a),
				}
			case 7: // a chain: each row takes its neighbour's key
				s = []string{fmt.Sprintf("UPDATE users SET id = id + 1 WHERE id >= %d ORDER BY id DESC", a), "UPDATE IGNORE users SET id = id - 20 WHERE id > 60"}
			default:
				s = []string{fmt.Sprintf("INSERT INTO log (s, x) VALUES (%d, 'l')", b), fmt.Sprintf("UPDATE log SET x = CONCAT(x, '.') WHERE id %% 7 = %d LIMIT 3", a%7)}
			}
			for _, statement := range s {
				if _, err := tx.ExecContext(r.t.Context(), statement); err != nil && !strings.Contains(err.Error(), "1329") {
					failed = true
				}
			}
		}
		if failed || rng.IntN(10) == 0 {
			require.NoError(r.t, tx.Rollback())
			continue
		}
		require.NoError(r.t, tx.Commit())
	}
}

// TestRule4To6_StormOfKeyChangesConverges applies storms in many runs, so in
// safe and in strict mode, to plain servers and to shards.
func TestRule4To6_StormOfKeyChangesConverges(t *testing.T) {
	for _, c := range []struct {
		source  string
		sharded bool
	}{{"mysql97", false}, {"mysql97", true}, {"mysql56", false}, {"mariadb", true}, {"mysql55", false}, {"mysql57", true}, {"mysql80", false}} {
		t.Run(fmt.Sprintf("%s sharded %v", c.source, c.sharded), func(t *testing.T) {
			rules := twoRules
			if !c.sharded {
				rules = nil
			}
			r := newRig(t, c.source, c.sharded, twoTables, rules)
			for seed := range uint64(3) {
				r.storm(seed, 150)
				out := r.drain()
				r.requireEqual()
				require.Zero(t, out.Divergences)
			}
		})
	}
}

// TestRule6_StrictModeReportsWhatSomebodyChanged: rows that were deleted, added
// or changed behind the applier's back are found when a change meets them, in
// both phases of a window, counted, listed by table and key hash, and stop the
// run or not as the policy says.
func TestRule6_StrictModeReportsWhatSomebodyChanged(t *testing.T) {
	for _, c := range []struct {
		source  string
		sharded bool
	}{{"mysql97", false}, {"mysql57", true}, {"mariadb", false}} {
		t.Run(fmt.Sprintf("%s sharded %v", c.source, c.sharded), func(t *testing.T) {
			t.Parallel()
			rules := twoRules
			if !c.sharded {
				rules = nil
			}
			r := newRig(t, c.source, c.sharded, twoTables, rules)
			r.divergeAndStop()
			r.divergeAndReport()
		})
	}
}

// TestRule6_CountingEndsWithTheTransaction: where a refused statement over several
// shards ends the transaction, nothing that is only counted may stay behind.
func TestRule6_CountingEndsWithTheTransaction(t *testing.T) {
	r := newRig(t, "mysql97", true, map[string]string{"regions": "(id INT NOT NULL, name VARCHAR(20), PRIMARY KEY (id))"}, map[string]string{"regions": "BROADCAST"},
		simtest.With(func(c *simtest.SimConfig) { c.SilentRollback = true }))
	r.exec("INSERT INTO regions VALUES (1,'a')")
	r.drain()
	r.onDestination("INSERT INTO regions VALUES (2,'foreign')")
	r.together("INSERT INTO regions VALUES (2,'b')", "INSERT INTO regions VALUES (3,'c')", "INSERT INTO regions VALUES (4,'d')")
	_, err := Run(t.Context(), r.config(r.strict))
	require.ErrorIs(t, err, fault.Divergence)
	require.Len(t, rows(t, r.dstDB, "regions"), 2, "rows that were counted after the refused one are there")
	r.drain()
	r.requireEqual()
}

// TestRule6_BroadcastRowsCountAsProbed: a middleware may count a row of a
// broadcast table once or once for each shard. Whichever it is, a window that
// changes what it should is no divergence, and one that meets rows somebody
// deleted is one, also where the rows that are left count as many as all of them
// would elsewhere.
func TestRule6_BroadcastRowsCountAsProbed(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("counts on all shards %v", all), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "mysql97", true, map[string]string{"regions": "(id INT NOT NULL, name VARCHAR(20), PRIMARY KEY (id))"}, map[string]string{"regions": "BROADCAST"},
				simtest.With(func(c *simtest.SimConfig) { c.BroadcastCountsAll = all }))
			r.exec("INSERT INTO regions VALUES (1,'a'),(2,'b'),(3,'c'),(4,'d'),(5,'e')")
			r.drain()
			r.together("INSERT INTO regions VALUES (10,'x'),(11,'y')", "UPDATE regions SET name = 'new' WHERE id = 1", "DELETE FROM regions WHERE id = 5")
			out := r.drain(r.strict)
			require.Zero(t, out.Divergences)
			r.requireEqual()

			r.onDestination("DELETE FROM regions WHERE id IN (1, 2, 3)")
			r.exec("DELETE FROM regions WHERE id IN (1, 2, 3, 4)")
			out = r.drain(r.strict, func(c *Config) { c.ReportDivergence = true })
			require.Equal(t, int64(3), out.Divergences)
			r.requireEqual()
			require.NoError(t, r.store.Drop(t.Context()))
			require.ErrorContains(t, r.dstDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM shardlift_broadcast").Scan(new(int)), "1146")
		})
	}
}

// strict lets a run begin in strict mode: safe mode lasts until the restart's position.
func (r *rig) strict(c *Config) {
	head := c.Head
	c.Head = func(ctx context.Context) (p position.Position, err error) { _, err = head(ctx); return r.from, err }
}

func (r *rig) onDestination(statement string) {
	r.t.Helper()
	_, err := r.dstDB.ExecContext(r.t.Context(), statement)
	require.NoError(r.t, err, statement)
}

func (r *rig) divergeAndStop() {
	t := r.t
	r.exec("INSERT INTO users VALUES (1,1,1,1,'a'),(2,2,2,2,'b'),(3,3,3,3,'c'),(4,4,4,4,'d'),(5,5,5,5,'e')")
	r.drain()
	r.onDestination("DELETE FROM users WHERE id = 2")
	r.onDestination("INSERT INTO users VALUES (9,9,9,9,'foreign')")
	r.together("UPDATE users SET x = 'canary' WHERE id = 2", "INSERT INTO users VALUES (9,90,9,9,'ours')", "UPDATE users SET x = 'fine' WHERE id = 3")
	out, err := Run(t.Context(), r.config(r.strict))
	require.ErrorIs(t, err, fault.Divergence)
	require.NotContains(t, err.Error(), "canary")
	require.False(t, out.Drained)
	require.Equal(t, int64(2), out.Divergences)
	require.Contains(t, strings.Join(rows(t, r.dstDB, "users"), "\n"), "foreign", "nothing was set right")

	// The resumed run sets the rows right in safe mode, and the count stays.
	out = r.drain()
	require.Equal(t, int64(2), out.Divergences)
	r.requireEqual()
}

func (r *rig) divergeAndReport() {
	t := r.t
	r.onDestination("DELETE FROM users WHERE id IN (1, 2, 3)")
	r.onDestination("UPDATE users SET x = 'canary' WHERE id = 4")
	r.together("UPDATE users SET x = 'one' WHERE id = 1", "DELETE FROM users WHERE id = 2", "UPDATE users SET v = 77 WHERE id = 3", "UPDATE users SET x = 'canary' WHERE id = 4")
	out := r.drain(r.strict, func(c *Config) { c.ReportDivergence = true })
	require.Equal(t, int64(6), out.Divergences, "rows 2 and 3 in the first phase, rows 1 and 4 in the second")
	r.requireEqual()
	found, err := r.store.Divergences(t.Context(), 10)
	require.NoError(t, err)
	kinds := map[string]int64{}
	hashes := map[uint64]bool{}
	for _, d := range found {
		require.Equal(t, r.to+".users", d.Table.String())
		kinds[d.Kind] += d.Count
		hashes[d.KeyHash] = true
	}
	require.Equal(t, map[string]int64{"missing": 4, "present": 1, "changed": 1}, kinds, "row 2 twice")
	require.Len(t, hashes, 5)

	lines, _, err := r.store.Logs(t.Context(), 0, 100, "")
	require.NoError(t, err)
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line.Message + "\n")
	}
	require.Equal(t, 6, strings.Count(text.String(), "divergence: a row of "+r.to+".users with key hash"))
	require.NotContains(t, text.String(), "canary")
}

// TestRule5_LargeTransactionIsCutIntoWindows: a transaction many times larger
// than a window is applied in parts, and the checkpoint moves at its end only.
func TestRule5_LargeTransactionIsCutIntoWindows(t *testing.T) {
	r := newRig(t, "mysql97", true, twoTables, twoRules)
	tx, err := r.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for i := range 20 {
		var b strings.Builder
		for j := range 500 {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "(%d,'row %d')", j, i)
		}
		_, err := tx.ExecContext(t.Context(), "INSERT INTO log (s, x) VALUES "+b.String())
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
	out := r.drain(func(c *Config) { c.WindowBytes = 64 << 10 })
	require.Equal(t, int64(10_000), out.Rows)
	require.GreaterOrEqual(t, out.Transactions, int64(1), "the server's other transactions count too")
	r.requireEqual()
}

// TestRule11_TruncateFlushesBeforeAndAfter: rows before a TRUNCATE go, rows after it stay.
func TestRule11_TruncateFlushesBeforeAndAfter(t *testing.T) {
	r := newRig(t, "mysql97", true, twoTables, twoRules)
	r.exec("INSERT INTO log (s, x) VALUES (1,'a'),(2,'b')", "TRUNCATE log", "INSERT INTO log (s, x) VALUES (3,'c')")
	r.drain()
	r.requireEqual()
	require.Len(t, rows(t, r.dstDB, "log"), 1)
}

// TestRule11_RowsBehindAStatementWaitForItsVerdict: the rows after an ALTER are
// decoded with the definition that its verdict brings.
func TestRule11_RowsBehindAStatementWaitForItsVerdict(t *testing.T) {
	r := newRig(t, "mysql97", false, twoTables, nil)
	r.exec("INSERT INTO log (s, x) VALUES (1, 'before')", "ALTER TABLE log ADD COLUMN y INT", "INSERT INTO log (s, x, y) VALUES (2, 'behind', 3)")
	judged := 0
	r.drain(func(c *Config) {
		c.DDL = func(ctx context.Context, _ binlog.Event) (Verdict, []*table.Table, error) {
			judged++
			require.Len(t, rows(t, r.dstDB, "log"), 1, "all before the statement is written before it is judged")
			_, err := r.dstDB.ExecContext(ctx, "ALTER TABLE log ADD COLUMN y INT")
			require.NoError(t, err)
			name := table.Name{Schema: r.schema, Table: "log"}
			fresh, err := r.source.Table(ctx, name)
			require.NoError(t, err)
			r.mu.Lock()
			r.tables[name] = fresh
			r.mu.Unlock()
			return PassDDL, nil, nil
		}
	})
	require.Equal(t, 1, judged)
	r.requireEqual()
}
