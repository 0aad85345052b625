package copier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

const (
	// transactionRows and transactionBytes bound one transaction: large enough
	// to share a commit, small enough to be tried again.
	transactionRows  = 5_000
	transactionBytes = 2 << 20
	// maxConflicts is how often a transaction is tried again after a deadlock or
	// a lock wait timeout (1213, 1205).
	maxConflicts = 10
)

// job is what one transaction writes: rows of one physical shard, or of unknown ones (-1).
type job struct {
	shard int
	rows  []row.Row
	bytes int
}

// write writes the rows of a part with all writers.
func (l *lane) write(ctx context.Context, m *dialect.Mapping, p part, attempted bool) error {
	if len(p.rows) == 0 {
		return nil
	}
	jobs := l.jobs(m, p.rows)
	queue := make(chan job, len(jobs))
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	g, ctx := errgroup.WithContext(ctx)
	for writer := range min(l.Writers, len(jobs)) {
		g.Go(func() error {
			for j := range queue {
				if err := l.writeThrottled(ctx, writer, m, j, attempted); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// jobs groups rows by physical shard, where the rule is known, and cuts the
// groups into transactions.
func (l *lane) jobs(m *dialect.Mapping, rows []row.Row) []job {
	d := l.Destination.Dialect()
	var out []job
	open := map[int]int{} // shard to its job that still takes rows
	for _, r := range rows {
		shard, ok := d.Shard(m, r)
		if !ok || m.Placement.Kind == table.Broadcast {
			shard = -1
		}
		at, exists := open[shard]
		if !exists || len(out[at].rows) >= transactionRows || out[at].bytes >= transactionBytes {
			out = append(out, job{shard: shard})
			at = len(out) - 1
			open[shard] = at
		}
		out[at].rows = append(out[at].rows, r)
		out[at].bytes += r.Size()
	}
	return out
}

// writeThrottled writes a job within the limits: in transactions of what a
// second lets pass, so that the rows move evenly.
func (l *lane) writeThrottled(ctx context.Context, writer int, m *dialect.Mapping, j job, attempted bool) error {
	if l.Throttle == nil {
		return l.writeJob(ctx, writer, m, j, attempted)
	}
	for len(j.rows) > 0 {
		piece := j.cut(l.Throttle.Within(time.Second))
		if err := l.writePiece(ctx, writer, m, piece, attempted); err != nil {
			return err
		}
	}
	return nil
}

// cut takes rows off the job: at least one, else at most so many rows and bytes.
func (j *job) cut(rows, bytes int64) job {
	piece := job{shard: j.shard}
	n := 0
	for n < len(j.rows) && (n == 0 || int64(n) < rows && int64(piece.bytes+j.rows[n].Size()) <= bytes) {
		piece.bytes += j.rows[n].Size()
		n++
	}
	piece.rows, j.rows = j.rows[:n], j.rows[n:]
	j.bytes -= piece.bytes
	return piece
}

// writePiece writes a transaction when the limits let it pass.
func (l *lane) writePiece(ctx context.Context, writer int, m *dialect.Mapping, j job, attempted bool) error {
	if err := l.Throttle.Wait(ctx, int64(len(j.rows)), int64(j.bytes)); err != nil {
		return fmt.Errorf("wait for the rate limit: %w", err)
	}
	began := time.Now()
	if err := l.writeJob(ctx, writer, m, j, attempted); err != nil {
		return err
	}
	if err := l.Throttle.Took(ctx, time.Since(began)); err != nil {
		return fmt.Errorf("rest after a transaction: %w", err)
	}
	return nil
}

// writeJob commits one transaction: INSERT, or REPLACE for attempted chunks and
// after a duplicate key. In a full-only task nothing would bring a row back that
// REPLACE deletes for its unique value, and an attempted chunk's range is empty:
// there it is always INSERT, and a duplicate ends the copy.
func (l *lane) writeJob(ctx context.Context, writer int, m *dialect.Mapping, j job, attempted bool) error {
	var err error
	if !attempted || l.FullOnly {
		_, err = l.transaction(ctx, writer, m, j.shard, l.Destination.Dialect().Insert(m, j.rows))
	}
	switch duplicate := mysqlconn.IsDuplicateKey(err); {
	case duplicate && l.FullOnly:
		return fault.SourceWritten.New(m.Source.Name.String(), "") // the server's text shows the value
	case duplicate, attempted && !l.FullOnly:
		err = l.replace(ctx, writer, m, j)
	}
	if err != nil {
		return fmt.Errorf("write %d rows of %s: %w", len(j.rows), m.Destination.Name, err)
	}
	return nil
}

// replace repeats a duplicate, too: where REPLACE is a DELETE and an INSERT
// (Vitess), another writer's row with the same unique value came between the two.
func (l *lane) replace(ctx context.Context, writer int, m *dialect.Mapping, j job) error {
	if m.SecondaryUnique {
		l.replacing.Lock()
		defer l.replacing.Unlock()
	}
	statements := l.Destination.Dialect().Replace(m, j.rows)
	for attempt := 1; ; attempt++ {
		_, err := l.transaction(ctx, writer, m, j.shard, statements)
		if !mysqlconn.IsDuplicateKey(err) || attempt == maxConflicts {
			return err
		}
		if err := wait(ctx, time.Duration(attempt)*10*time.Millisecond); err != nil {
			return err
		}
	}
}

// deleteRange empties a chunk's range on all shards.
func (l *lane) deleteRange(ctx context.Context, m *dialect.Mapping, r table.KeyRange) error {
	d := l.Destination.Dialect()
	statement := d.DeleteRange(m, r)
	for {
		n, err := l.transaction(ctx, 0, m, -1, []dialect.Statement{statement})
		if err != nil {
			return fmt.Errorf("empty a range of %s: %w", m.Destination.Name, err)
		}
		if n == 0 || d.Features().DeleteRows == 0 {
			return nil
		}
	}
}

// transaction commits statements under the fence, trying again after deadlocks
// and lock waits, and returns the rows they affected.
func (l *lane) transaction(ctx context.Context, writer int, m *dialect.Mapping, shard int, statements []dialect.Statement) (affected int64, err error) {
	for attempt := 1; ; attempt++ {
		err := faultpoint.Around(ctx, "copier.write", func(ctx context.Context) error {
			affected, err = l.tryTransaction(ctx, writer, m, shard, statements)
			return err
		})
		if err == nil || !mysqlconn.IsDeadlock(err) || attempt == maxConflicts {
			return affected, err
		}
		if err := wait(ctx, time.Duration(attempt)*10*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

func (l *lane) tryTransaction(ctx context.Context, writer int, m *dialect.Mapping, shard int, statements []dialect.Statement) (int64, error) {
	s, err := l.session(ctx, writer)
	if err != nil {
		return 0, err
	}
	if err := s.Begin(ctx); err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	affected, err := l.execute(ctx, s, writer, m.Destination.Name.Schema, shard, statements)
	if err != nil {
		return 0, errors.Join(err, s.Rollback(ctx))
	}
	if err := s.Commit(ctx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	l.stepped(writer, m.Destination.Name.Schema, shard)
	return affected, nil
}

func (l *lane) execute(ctx context.Context, s *destination.Session, writer int, schema string, shard int, statements []dialect.Statement) (affected int64, err error) {
	if err := l.Fence.Guard(ctx, s, schema, shard); err != nil {
		return 0, err
	}
	for _, st := range statements {
		n, err := s.Exec(ctx, st.SQL)
		if err != nil {
			return 0, err
		}
		affected += n
	}
	return affected, l.step(ctx, s, writer, schema, shard)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
