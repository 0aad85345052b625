//go:build faultpoint

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/compare"
	"shardlift/internal/contract"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// agreeEvery is in how many schedules the comparison of values is run as well.
const agreeEvery = 4

// agree holds the engine's comparison against the oracle: both find nothing, and
// after a row was put on a wrong shard, on two, or changed, both find its table,
// and the comparison names the row.
func (r *run) agree(ctx context.Context) error {
	found, err := r.compare(ctx, "c1")
	if err != nil {
		return err
	}
	for _, d := range found {
		r.note("the comparison finds %s of %s, the oracle nothing", d.Kind, d.Table)
	}
	rng := rand.New(rand.NewPCG(r.schedule.Seed, 3))
	if r.sim == nil || len(found) > 0 {
		return nil
	}
	s := &r.schedule.shapes[rng.IntN(len(r.schedule.shapes))]
	what, id, err := r.damage(ctx, rng, s)
	if err != nil || what == "" {
		return err
	}
	seen, err := r.differences(ctx, s)
	if err != nil {
		return err
	}
	if found, err = r.compare(ctx, "c2"); err != nil {
		return err
	}
	named := false
	for _, d := range found {
		named = named || d.Table.Table == s.name && strings.Contains(d.Key, id)
	}
	if !named || len(seen) == 0 {
		r.note("%s in %s with %s: the comparison finds %v, the oracle %v", what, s.name, id, found, seen)
	}
	return nil
}

// compare runs the comparison of values over all tables.
func (r *run) compare(ctx context.Context, id string) ([]contract.Difference, error) {
	src, err := source.Open(ctx, r.engine.Source.config(0), 2)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.Close() }()
	store, err := r.store(ctx, r.engine.Task)
	if err != nil {
		return nil, err
	}
	var tables []compare.Table
	for i := range r.schedule.shapes {
		name := r.schedule.shapes[i].name
		tables = append(tables, compare.Table{No: i + 1, Source: table.Name{Schema: r.schema, Table: name}, Destination: table.Name{Schema: r.to, Table: name}})
	}
	out, err := compare.Run(ctx, compare.Config{
		ID: id, Type: contract.CompareValues, Tables: tables, Source: src, Destination: r.metadata, Results: store,
	})
	if err != nil {
		return nil, fmt.Errorf("compare values: %w", err)
	}
	found, _, err := store.Differences(ctx, id, "", 100)
	if consistent := out.Result == checkpoint.ResultConsistent; consistent != (len(found) == 0) {
		r.note("the comparison says %s with %d differences", out.Result, len(found))
	}
	return found, err
}

// damage does one row of a sharded table wrong and says how the comparison names
// it; nothing when there is no such row.
func (r *run) damage(ctx context.Context, rng *rand.Rand, s *shape) (what, id string, err error) {
	if s.mod == "" || !strings.Contains(s.key[0].sql, "INT") {
		return "", "", nil
	}
	from := rng.IntN(shards)
	here := "`" + r.sim.Physical(from) + "`." + s.name
	there := "`" + r.sim.Physical((from+1)%shards) + "`." + s.name
	one := " ORDER BY " + s.keyNames() + " LIMIT 1"
	var n int64
	if r.nodes[0].QueryRowContext(ctx, "SELECT id FROM "+here+one).Scan(&n) != nil {
		return "", "", nil // an empty shard
	}
	var statements []string
	switch what = []string{"wrong shard", "two shards", "missing", "changed"}[rng.IntN(4)]; what {
	case "wrong shard":
		statements = []string{"INSERT INTO " + there + " SELECT * FROM " + here + one, "DELETE FROM " + here + one}
	case "two shards":
		statements = []string{"INSERT INTO " + there + " SELECT * FROM " + here + one}
	case "missing":
		statements = []string{"DELETE FROM " + here + one}
	case "changed":
		statements = []string{"UPDATE " + here + " SET " + s.key[0].name + " = 1000 * " + fmt.Sprint(shards) + " + id" + one}
	}
	for _, statement := range statements {
		if _, err := r.nodes[0].ExecContext(ctx, statement); err != nil {
			return "", "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	return what, fmt.Sprintf("`id` = %d", n), nil
}
