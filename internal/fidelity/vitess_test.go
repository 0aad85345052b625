package fidelity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/applier"
	"shardlift/internal/checkpoint"
	"shardlift/internal/copier"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/table"
	"shardlift/internal/testvitess"
)

// vitess is one keyspace of a running Vitess, of two shards. Tables are sharded
// by a vindex that is added when they are created.
func vitess(c *testvitess.Cluster, keyspace, vindex string) product {
	return product{"vitess by " + vindex, func(t *testing.T) *target {
		to := &target{
			schema: keyspace, metadata: keyspace + "_meta", conn: connect(c.Host, c.Port, c.User, c.Password),
			admin:   open(t, c.Host, c.Port, c.User, c.Password, keyspace),
			version: 90700, route: func(string) string { return "" }, spatial: true, ancient: true, generated: true,
		}
		to.declare = func(table, column string) []string {
			return []string{"ALTER VSCHEMA ON " + dialect.QuoteName(keyspace, table) + " ADD VINDEX " + vindex + " (" + dialect.QuoteName(column) + ") USING " + vindex}
		}
		for _, shard := range []string{"-80", "80-"} {
			to.storage = append(to.storage, open(t, c.MySQL.Host, c.MySQL.Port, c.MySQL.User, c.MySQL.Password, "vt_"+keyspace+"_"+shard))
		}
		return to
	}}
}

// TestVitess_ValuesAndKeys takes the corpus, keys of every kind and generated
// things to a real Vitess.
func TestVitess_ValuesAndKeys(t *testing.T) {
	var keyspaces []testvitess.Keyspace
	for _, name := range []string{"types", "keys", "texts", "shapes", "crash"} {
		keyspaces = append(keyspaces, testvitess.Keyspace{Name: name, Shards: []string{"-80", "80-"}, VSchema: `{"sharded": true}`}, testvitess.Keyspace{Name: name + "_meta"})
	}
	c := testvitess.Start(t, keyspaces)
	t.Run("every type", func(t *testing.T) { everyType(t, "mysql97", vitess(c, "types", "xxhash")) })
	t.Run("keys", func(t *testing.T) { keysWhileWritten(t, "mysql97", vitess(c, "keys", "hash"), 1, 20) })
	t.Run("keys of an unknown shard", func(t *testing.T) { keysWhileWritten(t, "mysql80", vitess(c, "texts", "unicode_loose_xxhash"), 2, 10) })
	t.Run("shapes", func(t *testing.T) { everyShape(t, "mysql97", vitess(c, "shapes", "xxhash")) })
	t.Run("crashes", func(t *testing.T) { crashes(t, c, vitess(c, "crash", "xxhash")) })
}

// crashes kills vtgate and all tablets while a copy and while an apply runs.
// Each attempt ends with an error that a task repeats, never with one that waits
// for an operator, and in the end nothing is lost.
func crashes(t *testing.T, c *testvitess.Cluster, to product) {
	m := newMove(t, "mysql97", to)
	var writers []*writer
	for i, k := range keyCases()[:3] {
		m.create(k.name, k.columns(), "", "s")
		writers = append(writers, &writer{t: t, c: k, db: m.db, rng: rand.New(rand.NewPCG(uint64(i), 7))})
	}
	write := func(steps int) error {
		for _, w := range writers {
			if err := w.run(t.Context(), steps); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, write(150))
	m.plan(2)
	kills := 0
	// through runs attempts until one comes through, and kills Vitess under the
	// first ones.
	through := func(unit string, run func(context.Context, *checkpoint.Fence) error) {
		for attempt := range 30 {
			ended := make(chan error, 1)
			go func() {
				fence, err := m.tryAcquire(unit)
				if err == nil {
					err = run(t.Context(), fence)
				}
				ended <- err
			}()
			var err error
			select {
			case err = <-ended:
			case <-time.After(time.Duration(300+200*attempt) * time.Millisecond):
				if attempt < 3 {
					c.Kill(t)
					kills++
					c.Restart(t)
				}
				err = <-ended
			}
			if err == nil {
				return
			}
			require.Equal(t, fault.Retry, fault.ClassOf(err), "attempt %d of %s: %v", attempt, unit, err)
		}
		t.Fatalf("%s does not come through", unit)
	}
	var g errgroup.Group
	g.Go(func() error { return write(100) })
	through("copy/0", m.copyOnce)
	require.NoError(t, g.Wait())
	var err error
	m.copyEnd, err = m.source.Head(t.Context())
	require.NoError(t, err)
	require.NoError(t, write(100))
	stop, err := m.source.Head(t.Context())
	require.NoError(t, err)
	through("apply/0", func(ctx context.Context, fence *checkpoint.Fence) error {
		config := m.applyUnder(fence)
		config.Stop = &stop
		_, err := applier.Run(ctx, config)
		return err
	})
	require.GreaterOrEqual(t, kills, 2)
	for _, w := range writers {
		require.Equal(t, w.c.read(t, []*sql.DB{m.db}), w.c.read(t, m.to.storage), w.c.name)
	}
	m.requireConsistent()

	// A row that stands on a wrong shard, beside the right one, is found.
	name := writers[0].c.name
	_, err = m.to.storage[1].ExecContext(t.Context(), "INSERT INTO "+name+" SELECT * FROM `vt_"+m.to.schema+"_-80`."+name+" LIMIT 1")
	require.NoError(t, err)
	m.box++
	require.NotEqual(t, checkpoint.ResultConsistent, m.compare().Result)
	found, _, err := m.store.Differences(t.Context(), fmt.Sprintf("c%d", m.box), "", 20)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(found), "misplaced")
}

func (m *move) tryAcquire(unit string) (*checkpoint.Fence, error) {
	m.box++
	return m.store.Acquire(m.t.Context(), unit, checkpoint.Token{Epoch: 1, Box: m.box, Attempt: 1}, []string{m.to.schema}, false)
}

// copyOnce is one attempt of one lane that has all chunks.
func (m *move) copyOnce(ctx context.Context, fence *checkpoint.Fence) error {
	out, err := copier.Run(ctx, copier.Config{
		Source: m.source, Destination: m.dst, Store: m.store, Fence: fence, Lane: 0, Lanes: 1, Box: time.Minute,
		Mapping: func(ctx context.Context, no int) (*dialect.Mapping, error) {
			return m.mapping(ctx, m.tables[table.Name{Schema: m.schema, Table: m.names[no]}])
		},
	})
	if err == nil && !out.Done {
		err = errors.New("the lane is not done")
	}
	return err
}
