//go:build faultpoint

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
)

// people is a table on all shards.
func people() []shape {
	return []shape{{
		name: "people", rule: "DBPARTITION BY MOD_HASH(s)", mod: "s", algorithm: "MOD_HASH",
		key:    []column{{name: "id", sql: "BIGINT NOT NULL", literal: integer(keyDomain)}},
		shard:  &column{name: "s", sql: "INT NOT NULL", literal: integer(9)},
		unique: &column{name: "u", sql: "INT NULL", null: true, literal: orNull(integer(2 * keyDomain))},
		values: []column{{name: "v", sql: "VARCHAR(20)", null: true, literal: oneOf("'a'", "'b'", "NULL")}},
	}}
}

// forgetful is a task whose data node forgets.
type forgetful struct {
	*place
	t      *testing.T
	engine engine
	writer *writer
	shapes []shape
}

func newForgetful(t *testing.T) *forgetful {
	t.Helper()
	f := &forgetful{place: newPlace(t, true), t: t, shapes: people()}
	f.writer = &writer{db: f.db, rng: rand.New(rand.NewPCG(5, 5)), shapes: f.shapes, xid: f.schema, pace: func(context.Context, int) {}}
	var err error
	f.engine, err = f.prepare(t.Context(), &schedule{Seed: 1, shapes: f.shapes, rows: 40, engine: engine{Lanes: 1, Window: 400}}, f.writer)
	require.NoError(t, err)
	require.ErrorIs(t, f.attempt(nil), errMore, "the plan")
	return f
}

// attempt applies everything that the source has now; hook may be nil.
func (f *forgetful) attempt(hook faultpoint.Hook) error {
	f.t.Helper()
	r := &run{place: f.place, engine: f.engine}
	stop, err := r.head(f.t.Context())
	require.NoError(f.t, err)
	f.engine.Attempt++
	e := f.engine
	e.Stop = &stop
	e.under = func(ctx context.Context, _ string) context.Context {
		if hook == nil {
			return ctx
		}
		return faultpoint.With(ctx, hook)
	}
	e.planned = func(p plan) { f.engine.Plan = p }
	e.owned, e.say = func(string) {}, func(string, ...any) {}
	return e.run(f.t.Context())
}

func (f *forgetful) write(transactions int) {
	f.t.Helper()
	require.NoError(f.t, f.writer.write(f.t.Context(), transactions))
}

func (f *forgetful) requireEqual() {
	f.t.Helper()
	found, err := f.differences(f.t.Context(), &f.shapes[0])
	require.NoError(f.t, err)
	require.Empty(f.t, found)
}

// requireLogged: the operator reads what was lost and what is done about it.
func (f *forgetful) requireLogged(text string) {
	f.t.Helper()
	store, err := f.store(f.t.Context(), f.engine.Task)
	require.NoError(f.t, err)
	lines, _, err := store.Logs(f.t.Context(), 0, 100, "")
	require.NoError(f.t, err)
	require.Contains(f.t, fmt.Sprint(lines), text)
}

// A data node comes back without its last
// commits while no attempt runs. The next one finds that its mark is behind, and
// applies again from there, though the source is quiet.
func TestLoss_OfAppliedCommitsIsMadeGood(t *testing.T) {
	t.Parallel()
	for node := range 2 {
		t.Run(fmt.Sprintf("node %d", node), func(t *testing.T) {
			f := newForgetful(t)
			require.NoError(t, f.attempt(nil))
			f.write(20)
			require.NoError(t, f.attempt(nil))
			require.NoError(t, f.remember(t.Context(), node))
			f.write(40)
			require.NoError(t, f.attempt(nil))
			f.requireEqual()

			require.NoError(t, f.forget(t.Context()))
			found, err := f.differences(t.Context(), &f.shapes[0])
			require.NoError(t, err)
			require.NotEmpty(t, found, "nothing was lost")
			require.NoError(t, f.attempt(nil))
			f.requireEqual()
			if node == 1 { // with the metadata, the checkpoint itself is the older one
				f.requireLogged("lost commits")
			}
			f.write(10)
			require.NoError(t, f.attempt(nil))
			f.requireEqual()
		})
	}
}

// The node forgets between two windows of one run, whose idle connections notice
// nothing: the mark of the next window does.
func TestLoss_WhileARunGoesOnIsNoticed(t *testing.T) {
	t.Parallel()
	f := newForgetful(t)
	require.NoError(t, f.attempt(nil))
	f.write(60)
	saves := 0
	require.NoError(t, f.attempt(func(ctx context.Context, point string) (err error) {
		if point != "applier.save.after" {
			return nil
		}
		switch saves++; saves {
		case 3:
			err = f.remember(context.WithoutCancel(ctx), 1)
		case 9:
			err = f.forget(context.WithoutCancel(ctx))
		}
		return err
	}))
	require.Greater(t, saves, 9)
	f.requireEqual()
	f.requireLogged("lost commits")
}

// What is forgotten may be the fence's own token: the attempt writes no more, and
// the next one makes the loss good.
func TestLoss_OfTheFenceEndsTheAttempt(t *testing.T) {
	t.Parallel()
	f := newForgetful(t)
	require.NoError(t, f.attempt(nil))
	require.NoError(t, f.remember(t.Context(), 1))
	f.write(60)
	saves := 0
	require.ErrorIs(t, f.attempt(func(ctx context.Context, point string) (err error) {
		if point == "applier.save.after" {
			if saves++; saves == 8 {
				err = f.forget(context.WithoutCancel(ctx))
			}
		}
		return err
	}), fault.Fenced)
	require.NoError(t, f.attempt(nil))
	f.requireEqual()
	f.requireLogged("lost commits")
}

// A node forgets chunks that are done: they are copied again.
func TestLoss_OfCopiedChunksCopiesThemAgain(t *testing.T) {
	t.Parallel()
	for _, fullOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("full only %v", fullOnly), func(t *testing.T) {
			f := newForgetful(t)
			f.engine.FullOnly = fullOnly
			finished := 0
			require.NoError(t, f.attempt(func(ctx context.Context, point string) (err error) {
				if point != "copier.finish.after" {
					return nil
				}
				switch finished++; finished {
				case 2:
					err = f.remember(context.WithoutCancel(ctx), 1)
				case 5:
					err = f.forget(context.WithoutCancel(ctx))
				}
				return err
			}))
			require.Greater(t, finished, 5)
			f.requireEqual()
			f.requireLogged("copied again")
		})
	}
}

// A node forgets rows of the copy when the copy is over: the stream does not hold
// them, so the task stops instead of leaving holes.
func TestLoss_OfTheCopyIsRefused(t *testing.T) {
	t.Parallel()
	f := newForgetful(t)
	require.NoError(t, f.remember(t.Context(), 1))
	require.NoError(t, f.attempt(nil))
	f.write(5)
	require.NoError(t, f.forget(t.Context()))
	require.ErrorIs(t, f.attempt(nil), fault.LostCopy)
}

// TestLoss_OfTheAnswerToAChunksEnd: the COMMIT that ends a chunk passed and no answer
// came. The chunk is done, and is not written again, which would take its marks
// away until it is: another lane would see a chunk that is done without them.
func TestLoss_OfTheAnswerToAChunksEnd(t *testing.T) {
	t.Parallel()
	f := newForgetful(t)
	ending, lost, reads, ends := false, false, 0, 0
	require.NoError(t, f.attempt(func(_ context.Context, point string) error {
		switch {
		case point == "copier.read.after":
			reads++
		case point == "copier.finish.before":
			ending = true
		case point == "checkpoint.commit.after" && ending && !lost:
			lost = true
			return mysql.ErrInvalidConn
		case point == "copier.finish.after":
			ending = false
			ends++
		}
		return nil
	}))
	require.True(t, lost)
	require.Positive(t, ends)
	require.Equal(t, ends, reads)
	f.requireEqual()
}
