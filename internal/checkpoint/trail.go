package checkpoint

import (
	"context"
	"fmt"

	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// Steps are how many transactions each writer of a lane has committed on a place.
type Steps map[Place][]int64

// Trail reads how many transactions the lane's writers have committed on each
// shard of a schema, by their own count there; counters that are missing begin
// at 0. A node that forgets a transaction forgets its step.
func (f *Fence) Trail(ctx context.Context, schema string, writers int) (Steps, error) {
	shards, err := f.store.shardsOf(ctx, schema)
	if err != nil {
		return nil, fmt.Errorf("steps in schema %s: %w", schema, err)
	}
	out, there := Steps{}, map[[2]int]bool{}
	for shard := range shards {
		out[Place{schema, shard}] = make([]int64, writers)
	}
	query := fmt.Sprintf("SELECT shard, no, mark FROM %s WHERE task = %s AND unit = %s", f.store.markTable(schema), f.store.task, f.markUnit(f.unit))
	err = f.store.each(ctx, query, func(scan func(...any) error) error {
		var shard, writer int
		var steps int64
		err := scan(&shard, &writer, &steps)
		if counters := out[Place{schema, shard}]; writer < len(counters) {
			counters[writer] = steps
			there[[2]int{shard, writer}] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("steps in schema %s: %w", schema, err)
	}
	for shard := range shards {
		for writer := range writers {
			if there[[2]int{shard, writer}] {
				continue
			}
			_, err := f.store.exec(ctx, fmt.Sprintf("INSERT INTO %s (task, unit, shard, no, mark, body, counter) VALUES (%s, %s, %d, %d, 0, '', 1)",
				f.store.markTable(schema), f.store.task, f.markUnit(f.unit), shard, writer))
			if err != nil && !mysqlconn.IsDuplicateKey(err) {
				return nil, fmt.Errorf("steps in schema %s: %w", schema, err)
			}
		}
	}
	return out, nil
}

// Step counts a writer's transaction on a place, within it. Fault LostCommits
// when the counter is not there.
func (f *Fence) Step(ctx context.Context, session *destination.Session, p Place, writer int) error {
	n, err := session.Exec(ctx, fmt.Sprintf("UPDATE %s SET mark = mark + 1, counter = counter + 1 WHERE task = %s AND unit = %s AND shard = %d AND no = %d",
		f.store.markTable(p.Schema), f.store.task, f.markUnit(f.unit), p.Shard, writer))
	if err == nil && n != 1 {
		err = fault.LostCommits.New(p.String(), "")
	}
	return err
}

// Cover says whether everything counted in older is there: fault LostCommits
// names a place that has forgotten some.
func (s Steps) Cover(older Steps) error {
	for p, counters := range older {
		for writer, n := range counters {
			if writer >= len(s[p]) || s[p][writer] < n {
				return fault.LostCommits.New(p.String(), "")
			}
		}
	}
	return nil
}
