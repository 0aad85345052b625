package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
)

// Counts says how many affected rows a middleware reports for one row of a
// broadcast table: once, or once for each shard.
type Counts struct {
	Insert, Upsert, Delete int64
}

const broadcastStatement = "CREATE TABLE " + prefix + tableBroadcast + " (task " + id + ", token VARCHAR(128) NOT NULL" + counter + ", PRIMARY KEY (task, token))" + options + " BROADCAST"

// probeTries bounds how often another task's end may take the table away.
const probeTries = 3

// BroadcastCounts finds out by trying how a schema counts rows of broadcast
// tables, on a row of this fence's own in a table of ours. What the manual does
// not say must not look like a divergence, nor hide one (rule 6).
func (f *Fence) BroadcastCounts(ctx context.Context, schema string) (Counts, error) {
	for try := 1; ; try++ {
		c, err := f.tryBroadcast(ctx, schema)
		if err == nil {
			return c, nil
		}
		if mysqlconn.Number(err) != errNoTable || try == probeTries {
			return c, fmt.Errorf("count rows of broadcast tables in %s: %w", schema, err)
		}
		if err := f.store.createTable(ctx, schema, broadcastStatement); err != nil {
			return c, fmt.Errorf("count rows of broadcast tables in %s: %w", schema, err)
		}
	}
}

func (f *Fence) tryBroadcast(ctx context.Context, schema string) (c Counts, err error) {
	name := dialect.QuoteName(schema, prefix+tableBroadcast)
	// Units and groups of one task may probe at once; a row of an attempt that
	// died goes first.
	mine := str(f.unit + " " + f.token.String())
	where := fmt.Sprintf(" WHERE task = %s AND token = %s", f.store.task, mine)
	insert := fmt.Sprintf("INSERT INTO %s (task, token, counter) VALUES (%s, %s, 1)", name, f.store.task, mine)
	if _, err := f.store.exec(ctx, "DELETE FROM "+name+where); err != nil {
		return c, err
	}
	for _, step := range []struct {
		statement string
		count     *int64
	}{
		{insert, &c.Insert},
		{insert + " ON DUPLICATE KEY UPDATE counter = 2", &c.Upsert},
		{"DELETE FROM " + name + where, &c.Delete},
	} {
		if *step.count, err = f.store.exec(ctx, step.statement); err != nil {
			return c, err
		}
	}
	if c.Insert <= 0 || c.Upsert <= 0 || c.Delete <= 0 {
		return c, errors.New("a row that was written was not counted")
	}
	return c, nil
}
