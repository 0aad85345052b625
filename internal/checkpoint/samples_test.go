package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/table"
)

func TestSamples_BelongToTheTaskAndGoWithIt(t *testing.T) {
	p := newPlace(t, "mysql97")
	d := p.open(t)
	ctx := t.Context()
	read := func(task, code string) []Sample {
		out, err := Samples(ctx, d, p.schema, task, code)
		require.NoError(t, err)
		return out
	}
	require.Empty(t, read("sampled", "a"))
	require.NoError(t, KeepSamples(ctx, d, p.schema, "sampled", "a", nil))
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"), "nothing is made for nothing")
	require.NoError(t, DropSamples(ctx, d, p.schema, "sampled"))

	first := []Sample{{Object: "s.t.c", Keys: []string{"id=1", `it's \ é`}}}
	second := []Sample{{Object: "s.t.c", Keys: []string{"id=2"}}}
	require.NoError(t, KeepSamples(ctx, d, p.schema, "sampled", "a", first))
	require.Equal(t, first, read("sampled", "a"))
	require.NoError(t, KeepSamples(ctx, d, p.schema, "sampled", "a", second))
	require.NoError(t, KeepSamples(ctx, d, p.schema, "other", "a", first))
	require.Equal(t, second, read("sampled", "a"))
	require.Empty(t, read("sampled", "b"))
	all, err := AllSamples(ctx, d, p.schema, "sampled")
	require.NoError(t, err)
	require.Equal(t, map[string][]Sample{"a": second}, all)
	require.NoError(t, KeepSamples(ctx, d, p.schema, "sampled", "a", nil))
	require.Empty(t, read("sampled", "a"))

	// With a task that started, and with one that never did.
	require.NoError(t, KeepSamples(ctx, d, p.schema, "sampled", "a", first))
	require.NoError(t, p.store(t, "sampled").Drop(ctx))
	require.Empty(t, read("sampled", "a"))
	require.Equal(t, first, read("other", "a"))
	require.NoError(t, DropSamples(ctx, d, p.schema, "other"))
	require.Zero(t, p.count(t, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"))
}

func TestOtherTasks_PlansAndFencesAsTasksWriteThem(t *testing.T) {
	p := newPlace(t, "mysql97")
	d := p.open(t)
	none, err := OtherTasks(t.Context(), d, p.schema, "mine")
	require.NoError(t, err)
	require.Empty(t, none)
	writers, err := Writers(t.Context(), d, p.schema, "mine")
	require.NoError(t, err)
	require.Empty(t, writers)

	theirs := p.store(t, "theirs")
	require.NoError(t, theirs.PutTables(t.Context(), planOf(2)))
	require.NoError(t, p.store(t, "mine").PutTables(t.Context(), planOf(1)))
	acquire(t, theirs, p, "copy/0", Token{Epoch: 1, Box: 1, Attempt: 1})
	plans, err := OtherTasks(t.Context(), d, p.schema, "mine")
	require.NoError(t, err)
	require.ElementsMatch(t, []Planned{{"theirs", planOf(2)[0].Destination}, {"theirs", planOf(2)[1].Destination}}, plans)
	require.NotEqual(t, table.Name{}, plans[0].Table)
	writers, err = Writers(t.Context(), d, p.schema, "mine")
	require.NoError(t, err)
	require.Equal(t, []string{"theirs"}, writers)
	writers, err = Writers(t.Context(), d, "no_such_schema", "mine")
	require.NoError(t, err)
	require.Empty(t, writers)
}
