package binlog

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// TestRule1_WritersAtTheCopyFrontLoseNothing: while several sessions insert
// above everything that is there (the rows whose commit the binlog has before
// any SELECT sees it), change and delete, and one transaction stays open over
// the start, a SELECT after the start position and the stream from it make up
// the whole table, many starts in a row.
func TestRule1_WritersAtTheCopyFrontLoseNothing(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id BIGINT PRIMARY KEY, v INT) ENGINE=InnoDB", "INSERT INTO a VALUES (0, 0)")
		r.learn()
		n := table.Name{Schema: r.schema, Table: "a"}
		long := r.session()
		execOn(t, long, "BEGIN", "INSERT INTO a VALUES (-1, 0)", "UPDATE a SET v = 5 WHERE id = 0")

		ctx, stop := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer stop()
		var last atomic.Int64
		var writers sync.WaitGroup
		for w := range 4 {
			db := r.server.DB(t, r.schema)
			writers.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					id := last.Add(1)
					statements := []string{fmt.Sprintf("INSERT INTO a VALUES (%d, %d)", id, w)}
					if i%3 == 1 {
						statements = append(statements, fmt.Sprintf("UPDATE a SET v = v + 1 WHERE id = %d", id))
					}
					if i%3 == 2 {
						statements = append(statements, fmt.Sprintf("DELETE FROM a WHERE id = %d", id))
					}
					for _, s := range statements {
						if _, err := db.ExecContext(context.WithoutCancel(ctx), s); err != nil {
							t.Errorf("%s: %v", s, err)
							return
						}
					}
				}
			})
		}
		type start struct {
			s    *Stream
			rows map[string]row.Row
		}
		var starts []start
		for ctx.Err() == nil && len(starts) < 12 {
			at, err := r.source.StartPosition(t.Context(), []table.Name{n})
			require.NoError(t, err)
			rows := r.selectAll("a")
			starts = append(starts, start{r.open(at), rows})
			<-time.After(50 * time.Millisecond)
		}
		writers.Wait()
		execOn(t, long, "COMMIT")
		end := r.head()
		want := r.selectAll("a")
		require.Contains(t, want, "-1")
		require.NotEmpty(t, starts)
		for i, one := range starts {
			r.replayTo(one.s, end, one.rows)
			require.True(t, equalState(want, one.rows), "start %d: %d rows instead of %d", i, len(one.rows), len(want))
		}
		t.Logf("%d starts, %d rows written", len(starts), last.Load())
	})
}

// replayTo replays a stream up to a position; a dump that others have cut off
// is opened again, as the applier does.
func (r *rig) replayTo(s *Stream, end position.Position, rows map[string]row.Row) {
	r.t.Helper()
	for cuts := 0; ; {
		e, err := s.Next(r.t.Context())
		if err != nil {
			require.True(r.t, fault.ClassOf(err) == fault.Retry && cuts < 20, "%v", err)
			cuts++
			from := s.Position()
			s.Close()
			s = r.open(from)
			continue
		}
		replay(rows, []Event{e})
		if covered, err := e.Position.Covers(end); e.Kind != Rows && err == nil && covered {
			s.Close()
			return
		}
	}
}

// replay plays changes onto rows that may have seen some of them already, as
// the applier does in safe mode.
func replay(rows map[string]row.Row, events []Event) {
	for _, e := range events {
		for _, c := range e.Changes {
			if c.Before != nil {
				delete(rows, string(c.Before[0]))
			}
			if c.After != nil {
				rows[string(c.After[0])] = c.After
			}
		}
	}
}

// The same from the first key of the table to the last in small pieces, as the
// copy reads: rows move between what was read and what was not.
func TestRule2_PiecesAndStreamMakeTheWholeTable(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id BIGINT PRIMARY KEY, v INT) ENGINE=InnoDB")
		for i := range 40 {
			r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, 0)", i*10))
		}
		r.learn()
		definition := r.tables[table.Name{Schema: r.schema, Table: "a"}]
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var writers sync.WaitGroup
		for w := range 3 {
			db := r.server.DB(t, r.schema)
			writers.Go(func() {
				for i := w; ctx.Err() == nil; i += 3 { // keys move behind and before the front
					from, to := i*7%400, i*13%400+1000*(i%2)
					_, _ = db.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("UPDATE IGNORE a SET id = %d, v = v + 1 WHERE id = %d", to, from))
					_, _ = db.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("UPDATE IGNORE a SET id = %d, v = v + 1 WHERE id = %d", from, to))
				}
			})
		}
		at, err := r.source.StartPosition(t.Context(), []table.Name{definition.Name})
		require.NoError(t, err)
		s := r.open(at)
		rows := map[string]row.Row{}
		for from := 0; from < 1600; from += 100 {
			piece := map[string]row.Row{}
			list := fmt.Sprintf("SELECT id, v FROM `%s`.a WHERE id >= %d AND id < %d", r.schema, from, from+100)
			require.NoError(t, mysqlconn.ReadRows(t.Context(), r.source.DB(), list, definition.Columns, func(one row.Row) error {
				piece[string(one[0])] = one.Clone()
				return nil
			}))
			maps.Copy(rows, piece)
			<-time.After(20 * time.Millisecond)
		}
		stop()
		writers.Wait()
		replay(rows, r.readTo(s, r.head()))
		want := r.selectAll("a")
		require.True(t, equalState(want, rows), "%d rows instead of %s", len(rows), strconv.Itoa(len(want)))
	})
}
