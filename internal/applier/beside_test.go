package applier

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/contract"
	"shardlift/internal/copier"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/internal/throttle"
)

// plan cuts the rig's tables into chunks of so many rows.
func (r *rig) plan(chunkRows int64) {
	r.t.Helper()
	ctx := r.t.Context()
	var tables []checkpoint.Table
	var chunks []checkpoint.Chunk
	for _, found := range r.tables {
		to, _, _ := r.selection.Match(found.Name)
		tables = append(tables, checkpoint.Table{No: len(tables) + 1, Source: found.Name, Destination: to, Definition: found})
	}
	require.NoError(r.t, r.store.PutTables(ctx, tables))
	require.NoError(r.t, r.store.PrepareFences(ctx, []string{r.to}))
	for _, one := range tables {
		require.NoError(r.t, chunk.Plan(ctx, r.source, one.Definition, nil, chunk.Budget{Rows: chunkRows}, func(k table.KeyRange, _ int64) error {
			chunks = append(chunks, checkpoint.Chunk{No: int64(len(chunks) + 1), Table: one.No, Range: k})
			return nil
		}))
	}
	require.NoError(r.t, r.store.AddChunks(ctx, chunks))
	for _, one := range tables {
		require.NoError(r.t, r.store.SetPlanned(ctx, one.No))
	}
}

func (r *rig) plannedMapping(ctx context.Context, no int) (*dialect.Mapping, error) {
	tables, err := r.store.Tables(ctx)
	if err != nil {
		return nil, err
	}
	return r.mapping(ctx, r.tables[tables[no-1].Source])
}

// copyLane is one attempt of a lane.
func (r *rig) copyLane(ctx context.Context, lane int, attempt int32, limiter *throttle.Limiter, edit ...func(*copier.Config)) error {
	fence, err := r.store.Acquire(ctx, fmt.Sprintf("copy/%d", lane), checkpoint.Token{Epoch: 1, Box: 1, Attempt: attempt}, []string{r.to}, false)
	if err != nil {
		return err
	}
	c := copier.Config{
		Source: r.source, Destination: r.dst, Store: r.store, Fence: fence, Mapping: r.plannedMapping,
		Lane: lane, Lanes: 2, Box: 10 * time.Minute, Throttle: limiter,
	}
	for _, e := range edit {
		e(&c)
	}
	out, err := copier.Run(ctx, c)
	if err == nil && !out.Done {
		err = errors.New("not done")
	}
	return err
}

// gate is the real one.
func (r *rig) gate() *Gate { return &Gate{Visible: r.source.Low, Lows: r.store.Lows} }

// attempts runs attempts as Temporal would: the first is cut off after so long,
// and each that fails with an error that may pass is followed by another.
func attempts(ctx context.Context, cut time.Duration, one func(ctx context.Context, attempt int32) error) error {
	for attempt := int32(1); ; attempt++ {
		limited, stop := context.WithTimeout(ctx, cut)
		err := one(limited, attempt)
		again := limited.Err() != nil || err != nil && fault.ClassOf(err) == fault.Retry
		stop()
		if err == nil || ctx.Err() != nil || !again {
			return err
		}
		cut = 5 * time.Minute
	}
}

// copyBeside copies with two lanes while the stream is applied behind the gate;
// lanes and applier are cut off in the middle and begin again.
func (r *rig) copyBeside() {
	r.t.Helper()
	limiter := throttle.New(nil)
	limiter.Set(task.Limits{RowsPerSecond: 6}, 1) // rows wait between read and write
	var lanes, apply errgroup.Group
	for lane := range 2 {
		lanes.Go(func() error {
			cut := time.Duration(600+300*lane) * time.Millisecond
			return attempts(r.t.Context(), cut, func(ctx context.Context, attempt int32) error {
				return r.copyLane(ctx, lane, attempt, limiter)
			})
		})
	}
	drain := make(chan struct{})
	apply.Go(func() error {
		return attempts(r.t.Context(), time.Second, func(ctx context.Context, attempt int32) error {
			fence, err := r.store.Acquire(ctx, "apply/0", checkpoint.Token{Epoch: 1, Attempt: attempt}, []string{r.to}, false)
			if err != nil {
				return err
			}
			c := r.bare()
			c.CopyEnd, c.Gate, c.Fence, c.Drain = position.Position{}, r.gate(), fence, drain
			if _, err = Run(ctx, c); errors.Is(err, ErrDrained) {
				return nil
			}
			return err
		})
	})
	require.Eventually(r.t, func() bool {
		c, err := r.store.Load(r.t.Context(), 0)
		return err == nil && c != nil && c.Rows > 0
	}, 3*time.Minute, 20*time.Millisecond, "nothing is applied beside the copy")
	limiter.Set(task.Limits{RowsPerSecond: 30}, 1)
	require.NoError(r.t, lanes.Wait())
	close(drain)
	require.NoError(r.t, apply.Wait())
}

// TestRule2_ApplyDuringCopyOnRealServers writes a storm of key moves, swaps of
// unique values and deletions while two lanes copy and the stream is applied
// beside them, everything cut off and begun again in the middle.
func TestRule2_ApplyDuringCopyOnRealServers(t *testing.T) {
	for _, c := range []struct {
		source  string
		sharded bool
	}{{"mysql97", true}, {"mysql57", false}, {"mariadb", true}} {
		t.Run(fmt.Sprintf("%s sharded %v", c.source, c.sharded), func(t *testing.T) {
			t.Parallel()
			rules := twoRules
			if !c.sharded {
				rules = nil
			}
			r := newRig(t, c.source, c.sharded, twoTables, rules)
			r.storm(1, 60)
			r.from = r.start()
			r.plan(4)
			var traffic errgroup.Group
			traffic.Go(func() error {
				for seed := uint64(2); ; seed++ {
					r.storm(seed, 20)
					left, err := r.store.Unfinished(t.Context())
					if err != nil || left == 0 {
						return err
					}
				}
			})
			r.copyBeside()
			require.NoError(t, traffic.Wait())

			before, err := r.store.Load(t.Context(), 0)
			require.NoError(t, err)
			require.Positive(t, before.Rows, "nothing was applied beside the copy")
			end, err := r.source.Head(t.Context())
			require.NoError(t, err)
			r.storm(99, 30)
			out := r.drain(func(c *Config) { c.CopyEnd = end })
			r.requireEqual()
			require.Zero(t, out.Divergences)
			r.storm(100, 30)
			require.Zero(t, r.drain(func(c *Config) { c.CopyEnd = end }).Divergences)
			r.requireEqual()
		})
	}
}

// start is a new start position.
func (r *rig) start() position.Position {
	r.t.Helper()
	var names []table.Name
	for n := range r.tables {
		names = append(names, n)
	}
	p, err := r.source.StartPosition(r.t.Context(), names)
	require.NoError(r.t, err)
	return p
}

// TestRule2_NothingPassesAClaimedChunk: changes that a chunk's rows may be older
// than wait until the chunk is done, TRUNCATE and half-read transactions
// included; others pass. A waiting run ends on request.
func TestRule2_NothingPassesAClaimedChunk(t *testing.T) {
	r := newRig(t, "mysql97", false, twoTables, nil)
	r.exec("INSERT INTO log (s, x) VALUES (1, 'a')")
	r.plan(100)
	ctx := t.Context()
	fence, err := r.store.Acquire(ctx, "copy/0", checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}, []string{r.to}, false)
	require.NoError(t, err)
	low, err := r.source.Low(ctx)
	require.NoError(t, err)
	claimed, err := r.store.Claim(ctx, fence, 0, 1, low)
	require.NoError(t, err)

	drain := make(chan struct{})
	ended := make(chan error, 1)
	run := func() {
		c := r.config(func(c *Config) { c.Stop, c.Drain, c.WindowBytes = nil, drain, 2000 })
		c.Gate = r.gate()
		go func() { _, err := Run(ctx, c); ended <- err }()
	}
	run()
	there := func(n int) func() bool {
		return func() bool { return len(rows(t, r.dstDB, "log")) == n }
	}
	require.Eventually(t, there(1), time.Minute, 20*time.Millisecond, "what the chunk sees is applied")
	r.exec("INSERT INTO log (s, x) VALUES (2, 'b')")
	waiting := func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.beat.Throttle == behindCopy }
	require.Eventually(t, waiting, time.Minute, 20*time.Millisecond)
	require.True(t, there(1)())
	close(drain)
	require.ErrorIs(t, <-ended, ErrDrained)
	require.True(t, there(1)())

	drain = make(chan struct{})
	run()
	require.NoError(t, r.store.Finish(ctx, fence, *claimed))
	require.Eventually(t, there(2), time.Minute, 20*time.Millisecond)

	// The next chunk sees the first of two transactions; the second one is larger
	// than a window.
	low, err = r.source.Low(ctx)
	require.NoError(t, err)
	claimed, err = r.store.Claim(ctx, fence, 0, 1, low)
	require.NoError(t, err)
	require.NotNil(t, claimed)
	tx, err := r.db.BeginTx(ctx, nil)
	require.NoError(t, err)
	for range 200 {
		_, err := tx.ExecContext(ctx, "INSERT INTO log (s, x) VALUES (3, REPEAT('c', 40))")
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
	require.Eventually(t, waiting, time.Minute, 20*time.Millisecond)
	require.True(t, there(2)())
	require.NoError(t, r.store.Finish(ctx, fence, *claimed))
	require.Eventually(t, there(202), time.Minute, 20*time.Millisecond)

	require.NoError(t, r.store.AddChunks(ctx, []checkpoint.Chunk{{No: 50, Table: 1}}))
	low, err = r.source.Low(ctx)
	require.NoError(t, err)
	claimed, err = r.store.Claim(ctx, fence, 0, 1, low)
	require.NoError(t, err)
	r.exec("TRUNCATE log")
	require.Eventually(t, waiting, time.Minute, 20*time.Millisecond)
	require.True(t, there(202)())
	require.NoError(t, r.store.Finish(ctx, fence, *claimed))
	require.Eventually(t, there(0), time.Minute, 20*time.Millisecond)
	close(drain)
	require.ErrorIs(t, <-ended, ErrDrained)
}

// TestRule3_StaleRowsOfAnAttemptedChunkAreReplayedAway is the replay's half of
// decisions/0002: a chunk was written and its lane lost before the chunk was
// marked; until the next attempt reads it again, rows are deleted, and moved to
// other keys, shards and unique values. The second attempt replaces what it reads
// and leaves the stale rows; the binlog from the start position removes them,
// whether it is applied after the copy or has begun beside it.
func TestRule3_StaleRowsOfAnAttemptedChunkAreReplayedAway(t *testing.T) {
	for _, beside := range []bool{false, true} {
		t.Run(fmt.Sprintf("beside %v", beside), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "mysql97", true, twoTables, twoRules)
			for i := 1; i <= 40; i++ {
				r.exec(fmt.Sprintf("INSERT INTO users VALUES (%d, %d, %d, %d, 'x')", i, i, i, i%9))
			}
			r.from = r.start()
			r.plan(1000)
			ctx, lost := context.WithCancel(t.Context())
			written := func(c *copier.Config) {
				c.Beat = func(b contract.CopyBeat) {
					if b.Rows > 0 {
						lost()
					}
				}
			}
			require.Error(t, r.copyLane(ctx, 0, 1, nil, written))
			require.Len(t, rows(t, r.dstDB, "users"), 40)

			r.exec("DELETE FROM users WHERE id <= 10", "UPDATE users SET s = s + 1 WHERE id BETWEEN 11 AND 20",
				"UPDATE users SET id = id + 100 WHERE id BETWEEN 21 AND 25", "UPDATE users SET v = NULL WHERE id = 30",
				"UPDATE users SET v = 30 WHERE id = 40", "UPDATE users SET v = 40 WHERE id = 30", "INSERT INTO users VALUES (1, 500, 500, 7, 'new')")
			if beside { // the chunk has gone back, which opens the gate
				_, err := r.store.Acquire(t.Context(), "copy/0", checkpoint.Token{Epoch: 1, Box: 1, Attempt: 2}, []string{r.to}, false)
				require.NoError(t, err)
				r.drain(func(c *Config) { c.CopyEnd, c.Gate = position.Position{}, r.gate() })
			}
			require.NoError(t, r.copyLane(t.Context(), 0, 3, nil))
			stale := len(rows(t, r.dstDB, "users")) - len(rows(t, r.db, "users"))
			require.Equal(t, !beside, stale > 0, "%d stale rows after the second attempt", stale)
			end, err := r.source.Head(t.Context())
			require.NoError(t, err)
			r.drain(func(c *Config) { c.CopyEnd = end })
			r.requireEqual()
			r.storm(5, 20)
			require.Zero(t, r.drain(func(c *Config) { c.CopyEnd = end }).Divergences)
			r.requireEqual()
		})
	}
}

// TestGate_EveryTransactionOfAWindowCounts: a window passes when all limits hold
// every transaction that has changes in it, whatever its end says.
func TestGate_EveryTransactionOfAWindowCounts(t *testing.T) {
	const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:"
	at := func(flavor position.Flavor, set string) position.Position {
		return position.Position{Flavor: flavor, GTID: &set}
	}
	my := func(set string) position.Position { return at(position.MySQL, uuid+set) }
	for name, c := range map[string]struct {
		gtids  []string
		limits []position.Position
		want   bool
	}{
		"no limits known":             {[]string{uuid + "1"}, nil, false},
		"covered by all":              {[]string{uuid + "1", uuid + "2"}, []position.Position{my("1-5"), my("1-2")}, true},
		"one limit lacks one":         {[]string{uuid + "1", uuid + "2"}, []position.Position{my("1-5"), my("1")}, false},
		"a hole":                      {[]string{uuid + "3"}, []position.Position{my("1-2:4-9")}, false},
		"chunk without low position":  {[]string{uuid + "1"}, []position.Position{my("1-5"), {}}, false},
		"the domain of the first one": {[]string{"1-1-7", "0-1-3"}, []position.Position{at(position.MariaDB, "0-1-3,1-1-6")}, false},
		"both domains":                {[]string{"1-1-7", "0-1-3"}, []position.Position{at(position.MariaDB, "0-1-3,1-1-7")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWindow()
			for _, g := range c.gtids {
				w.addGTID(g)
			}
			passes, err := w.within(c.limits)
			require.NoError(t, err)
			require.Equal(t, c.want, passes)
		})
	}
}
