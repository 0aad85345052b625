//go:build full

package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"shardlift/web/api"
)

// judgedRows is how many rows the judged run moves: SHARDLIFT_E2E_ROWS, or a
// tenth of the two million that it is meant for.
func judgedRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SHARDLIFT_E2E_ROWS")
	if text == "" {
		return 200_000
	}
	rows, err := strconv.Atoi(text)
	require.NoError(t, err, "SHARDLIFT_E2E_ROWS")
	return rows
}

// judgedRate is the traffic of the judged run in transactions a second.
const judgedRate = 500

// TestJudged_LiveMoveThroughEveryFault is the run by which the project is
// judged: from each family into the simulator, under traffic that swaps unique
// values, chains keys and moves rows between shards; two kill -9 in the copy
// and two in the apply, a worker frozen past its heartbeat timeout and
// continued, Temporal killed, connections of both sides cut. Every row is on its
// right shard exactly once, byte for byte, and the next ids are fresh.
func TestJudged_LiveMoveThroughEveryFault(t *testing.T) {
	for _, name := range []string{"mysql97", "mysql56", "mariadb"} {
		t.Run(name, func(t *testing.T) { judged(t, name, judgedRows(t)) })
	}
}

func judged(t *testing.T, name string, rows int) {
	s := newSystem(t)
	worker := s.worker()
	began := time.Now()
	people := rows / 4 // as many orders, and two items each
	m := s.newMove(name, moveOptions{sharded: true, rows: people, limits: slow(max(rows/40, 2500))})
	t.Logf("filled %d rows in %.0f s", rows, time.Since(began).Seconds())
	began = time.Now()
	m.begin()
	stop := m.mixed(people, judgedRate)
	defer stop()
	patience := 3*time.Minute + time.Duration(rows/2000)*time.Second

	for kill := range 2 {
		at := int64(rows * (kill + 1) / 10)
		s.eventually(patience, fmt.Sprintf("%d rows", at), func() bool { return m.copied() >= at })
		worker.kill()
		worker = s.worker()
	}
	m.must("limit", `{"limits":{"rows_per_second":0}}`)
	before, from := m.copied(), time.Now()
	m.await(patience, "INCRE_TRANSFER_STARTED")
	took := time.Since(from).Seconds()
	var full api.FullProgress
	s.eventually(time.Minute, "numbers of the copy", func() bool {
		full = m.show().Full
		return full.RowsDone != nil && full.BytesDone != nil && *full.RowsDone > 0
	})
	perSecond := float64(*full.RowsDone-before) / took
	t.Logf("copy without limit, under traffic, a worker just killed: %d rows in %.0f s, %.0f rows/s, %.1f MB/s",
		*full.RowsDone-before, took, perSecond, perSecond*float64(*full.BytesDone)/float64(*full.RowsDone)/1e6)

	for range 2 {
		m.synced(patience)
		worker.kill()
		worker = s.worker()
	}
	from = time.Now()
	m.synced(patience)
	t.Logf("in step %.1f s after a kill -9 (heartbeat timeout %s)", time.Since(from).Seconds(), heartbeat)
	m.logDelay()

	t.Log("freeze a worker past its heartbeat timeout, let another take over, then continue it")
	worker.signal(syscall.SIGSTOP)
	second := s.worker()
	m.synced(patience)
	worker.signal(syscall.SIGCONT)
	m.more(500)
	worker.kill()
	m.synced(patience)

	t.Log("kill Temporal, cut connections")
	s.temporal.Kill(t)
	m.sim.Restart(t)
	m.more(200)
	s.temporal.Start(t)
	m.cutSource()
	m.synced(patience)
	m.logDelay()

	stop()
	written := m.written.Load()
	t.Logf("%d transactions in %.0f s, %.0f a second; worker at most %d MiB", written, time.Since(began).Seconds(), float64(written)/time.Since(began).Seconds(), second.peakMiB())
	require.Greater(t, written, int64(5000))
	m.synced(patience)
	m.requirePlaced()
	m.must("stop", "")
	done := m.await(2*time.Minute, "RELEASE_RESOURCE_COMPLETE")
	require.Equal(t, "done", done.Sequences.State)
	report, err := m.api.GetReportWithResponse(t.Context(), m.id)
	require.NoError(t, err)
	require.NotNil(t, report.JSON200, "%s", report.Body)
	require.False(t, report.JSON200.Incomplete)
	require.Zero(t, report.JSON200.Divergences)
	m.requirePlaced()
	m.requireFreshIDs()
	events := m.events()
	require.Less(t, events, int64(2000))
	t.Logf("%d events of history, %.0f s in all", events, time.Since(began).Seconds())
}

// more waits until the traffic has written some more transactions.
func (m *move) more(transactions int64) {
	m.t.Helper()
	at := m.written.Load() + transactions
	m.eventually(time.Minute, "more traffic", func() bool { return m.written.Load() >= at })
}

// logDelay notes the median and the highest delay of ten seconds of beats.
func (m *move) logDelay() {
	m.t.Helper()
	var delays []int64
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range 10 {
		<-tick.C
		if i := m.show().Incremental; i.DelayMs != nil {
			delays = append(delays, *i.DelayMs)
		}
	}
	slices.Sort(delays)
	if len(delays) > 0 {
		m.t.Logf("delay under traffic: median %d ms, highest %d ms", delays[len(delays)/2], delays[len(delays)-1])
	}
}

// mixed writes rate transactions a second to rows of the whole range until stop
// is called.
func (m *move) mixed(people, perSecond int) (stop func()) {
	const writers = 16
	ctx, cancel := context.WithCancel(m.t.Context())
	limiter := rate.NewLimiter(rate.Limit(perSecond), 2*perSecond) // what a fault held up is made up for
	var wg sync.WaitGroup
	var fresh atomic.Int64
	fresh.Store(int64(people) * 10)
	for writer := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(11, uint64(writer)))
			for limiter.Wait(ctx) == nil {
				// What was begun ends whatever happens; what fails is no transaction.
				for m.one(context.WithoutCancel(ctx), mixedWork(rng, people, &fresh)) != nil && ctx.Err() == nil {
				}
				m.written.Add(1)
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); wg.Wait() })
}

// one commits statements; deadlocks and duplicate keys of the traffic's own
// making roll it back.
func (m *move) one(ctx context.Context, statements []string) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func mixedWork(rng *rand.Rand, people int, fresh *atomic.Int64) []string {
	a, b, spare := 1+rng.IntN(people), 1+rng.IntN(people), fresh.Add(1)
	switch rng.IntN(14) {
	case 0, 1:
		return []string{fmt.Sprintf("INSERT INTO people (email, badge, region, note, score) VALUES ('n%d@x.org', NULL, %d, 'new', RAND())", spare, a%30)}
	case 2, 3:
		return []string{
			fmt.Sprintf("INSERT INTO orders (person, total, at, doc) VALUES (%d, 1.5, NOW(), UNHEX('27005cff'))", a),
			"INSERT INTO items SELECT LAST_INSERT_ID(), 1, 'x'", "INSERT INTO items SELECT LAST_INSERT_ID(), 2, NULL",
		}
	case 4:
		return []string{fmt.Sprintf("DELETE FROM items WHERE order_id = %d", a), fmt.Sprintf("DELETE FROM orders WHERE id = %d", a)}
	case 5: // gone and back, elsewhere
		return []string{
			fmt.Sprintf("DELETE FROM people WHERE id = %d", a),
			fmt.Sprintf("INSERT INTO people VALUES (%d, 'back%d@x.org', %d, %d, 'back', NULL)", a, spare, spare, b%17),
		}
	case 6: // a move between shards
		return []string{fmt.Sprintf("UPDATE people SET region = %d, note = CONCAT(COALESCE(note, ''), '.') WHERE id = %d", b%30, a)}
	case 7: // a move between shards and back in one transaction
		return []string{
			fmt.Sprintf("UPDATE orders SET person = person + 1 WHERE id = %d", a), fmt.Sprintf("UPDATE orders SET person = person - 1, total = total + 1 WHERE id = %d", a),
		}
	case 8:
		return []string{fmt.Sprintf("UPDATE orders SET person = %d, total = total + 0.01 WHERE id = %d", b, a)}
	case 9: // two rows swap their unique values
		return []string{
			fmt.Sprintf("SELECT email, badge INTO @ea, @ba FROM people WHERE id = %d FOR UPDATE", a),
			fmt.Sprintf("SELECT email, badge INTO @eb, @bb FROM people WHERE id = %d FOR UPDATE", b),
			fmt.Sprintf("UPDATE people SET email = 'swap%d', badge = NULL WHERE id = %d", spare, a),
			fmt.Sprintf("UPDATE people SET email = @ea, badge = @ba WHERE id = %d", b),
			fmt.Sprintf("UPDATE people SET email = @eb, badge = @bb WHERE id = %d", a),
		}
	case 10: // a chain of keys: each row takes its neighbour's
		return []string{fmt.Sprintf("UPDATE items SET line = line + 1 WHERE order_id = %d ORDER BY line DESC", a)}
	case 11: // a circle of keys: two rows swap their primary key
		return []string{
			fmt.Sprintf("UPDATE people SET id = %d WHERE id = %d", spare, a),
			fmt.Sprintf("UPDATE people SET id = %d WHERE id = %d", a, b),
			fmt.Sprintf("UPDATE people SET id = %d WHERE id = %d", b, spare),
		}
	case 12: // lines move to another order: primary key and shard key change
		return []string{fmt.Sprintf("UPDATE items SET order_id = %d WHERE order_id = %d AND line = 2", spare, a)}
	default:
		return []string{fmt.Sprintf("UPDATE plain SET v = 'v%d' WHERE id = %d", b, 1+a%2), fmt.Sprintf("UPDATE regions SET name = 'r%d' WHERE code = %d", a, 1+b%3)}
	}
}

// shardKey is the column that places a row, by its index; -1: on every shard
// (broadcast), -2: on the first one.
var shardKey = map[string]int{"people": 3, "orders": 1, "items": 0, "regions": -1, "plain": -2}

// requirePlaced reads every physical shard past the simulator, beside the
// source, in key order, row by row: each source row is on its shard, on no
// other, with the same bytes, and nothing else is anywhere. No code of the
// engine takes part, and no table is held in memory.
func (m *move) requirePlaced() {
	m.t.Helper()
	for _, table := range tables {
		key := 1
		if table.name == "items" {
			key = 2
		}
		cursor := openCursor(m.t, m.db, table.name, key)
		shards := make([]*cursorRow, 4)
		for i := range shards {
			if shardKey[table.name] != -2 || i == 0 {
				shards[i] = openCursor(m.t, m.sim.PhysicalDB(m.t, i), table.name, key)
			}
		}
		rows := 0
		for ; cursor.next(); rows++ {
			for i, shard := range shards {
				if shard == nil {
					continue
				}
				if !cursor.belongs(shardKey[table.name], i) {
					// It may hold a later key only.
					require.False(m.t, shard.peek() && shard.compare(cursor) <= 0, "%s: %s is on shard %d", table.name, shard.keyText(), i)
					continue
				}
				require.True(m.t, shard.peek(), "%s: %s is missing on shard %d", table.name, cursor.keyText(), i)
				require.Zero(m.t, shard.compare(cursor), "%s: shard %d has %s where the source has %s", table.name, i, shard.keyText(), cursor.keyText())
				require.True(m.t, cursor.same(shard), "%s: %s differs on shard %d", table.name, cursor.keyText(), i)
				shard.taken = true
			}
		}
		for i, shard := range shards {
			require.False(m.t, shard != nil && shard.peek(), "%s: shard %d has rows that the source does not have", table.name, i)
		}
		m.t.Logf("%s: %d rows equal and in place", table.name, rows)
	}
}

// cursorRow reads a table in the order of its numeric key columns, which come first.
type cursorRow struct {
	t      *testing.T
	rows   *sql.Rows
	values []sql.RawBytes
	into   []any
	key    []int64
	// taken: the present row was used, peek reads the next one.
	taken, ended bool
}

func openCursor(t *testing.T, db *sql.DB, table string, keyColumns int) *cursorRow {
	t.Helper()
	order := []string{"1", "2"}[:keyColumns]
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY "+strings.Join(order, ", "))
	require.NoError(t, err)
	t.Cleanup(func() { _ = rows.Close() })
	columns, err := rows.Columns()
	require.NoError(t, err)
	c := &cursorRow{t: t, rows: rows, values: make([]sql.RawBytes, len(columns)), into: make([]any, len(columns)), key: make([]int64, keyColumns), taken: true}
	for i := range c.values {
		c.into[i] = &c.values[i]
	}
	return c
}

func (c *cursorRow) next() bool {
	c.t.Helper()
	if c.ended || !c.rows.Next() {
		require.NoError(c.t, c.rows.Err())
		require.NoError(c.t, c.rows.Close())
		c.ended = true
		return false
	}
	require.NoError(c.t, c.rows.Scan(c.into...))
	for i := range c.key {
		var err error
		c.key[i], err = strconv.ParseInt(string(c.values[i]), 10, 64)
		require.NoError(c.t, err)
	}
	return true
}

// peek makes the next row the present one, unless the present one was not taken yet.
func (c *cursorRow) peek() bool {
	c.t.Helper()
	if c.taken && !c.ended {
		c.taken = !c.next()
	}
	return !c.ended
}

func (c *cursorRow) compare(to *cursorRow) int { return slices.Compare(c.key, to.key) }

func (c *cursorRow) keyText() string { return fmt.Sprint("key ", c.key) }

func (c *cursorRow) belongs(column, shard int) bool {
	c.t.Helper()
	if column < 0 {
		return true
	}
	n, err := strconv.Atoi(string(c.values[column]))
	require.NoError(c.t, err)
	return n%4 == shard
}

func (c *cursorRow) same(as *cursorRow) bool {
	return slices.EqualFunc(c.values, as.values, func(a, b sql.RawBytes) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) })
}

// peakMiB is the highest resident memory of a process.
func (p *process) peakMiB() int {
	p.s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.s.t, err)
	_, rest, ok := strings.Cut(string(data), "VmHWM:")
	require.True(p.s.t, ok)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(p.s.t, err)
	return kib / 1024
}
