package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// A data node may come back without its last commits, after a fail-over to a
// replica that was behind or from a snapshot. What it keeps is a prefix of its
// commits, so a mark that follows a unit's writes on a shard vouches for them:
// while the mark is there they are. Marks stand in a table of every destination
// schema, on the shard that they speak for (docs/decisions/0007).

// Place is a physical shard of a destination schema.
type Place struct {
	Schema string
	Shard  int
}

// String is the place's name in a checkpoint.
func (p Place) String() string { return fmt.Sprintf("%s/%d", p.Schema, p.Shard) }

// Mark is a unit's on one place: everything it wrote there before is there, and
// that is everything before Position. Counter is raised by each Mark.
type Mark struct {
	Counter  int64
	Position position.Position
}

// markUnit keeps the marks of each epoch apart: a reset begins anew.
func (f *Fence) markUnit(unit string) literal {
	return str(fmt.Sprintf("%s@%d", unit, f.token.Epoch))
}

// copies is the unit of the chunks' marks, whatever lane copied them.
const copies = "copy"

func (s *Store) markTable(schema string) string { return dialect.QuoteName(schema, prefix+tableMark) }

// markStatement creates the mark table of a destination schema. no is the chunk
// of a copy, 0 for an apply.
func markStatement(sharded bool) string {
	s := "CREATE TABLE " + prefix + tableMark + " (task " + id + ", unit " + id + ", shard BIGINT NOT NULL, no BIGINT NOT NULL, mark BIGINT NOT NULL, body MEDIUMBLOB NOT NULL" + counter +
		", PRIMARY KEY (task, unit, shard, no))" + options
	if sharded {
		s += " DBPARTITION BY MOD_HASH(shard)"
	}
	return s
}

// shardsOf returns how many shards the mark table of a schema is spread over,
// and makes it when it is missing.
func (s *Store) shardsOf(ctx context.Context, schema string) (int, error) {
	return s.spread(ctx, schema, tableMark, markStatement)
}

// Marks reads the unit's marks. A place that has none yet gets one that vouches
// for everything before first, unless it is among expected: then it is lost, and
// not in the answer.
func (f *Fence) Marks(ctx context.Context, first position.Position, expected map[string]int64) (map[Place]Mark, error) {
	out := map[Place]Mark{}
	unit := f.markUnit(f.unit)
	for _, schema := range f.schemas {
		shards, err := f.store.shardsOf(ctx, schema)
		if err != nil {
			return nil, fmt.Errorf("marks of schema %s: %w", schema, err)
		}
		query := fmt.Sprintf("SELECT shard, mark, body FROM %s WHERE task = %s AND unit = %s", f.store.markTable(schema), f.store.task, unit)
		err = f.store.each(ctx, query, func(scan func(...any) error) error {
			p, m, data := Place{Schema: schema}, Mark{}, []byte(nil)
			if err := scan(&p.Shard, &m.Counter, &data); err != nil {
				return err
			}
			err := read(data, &m.Position, prefix+tableMark)
			out[p] = m
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("marks of schema %s: %w", schema, err)
		}
		for shard := range shards {
			p := Place{schema, shard}
			if _, lost := expected[p.String()]; lost {
				continue
			}
			if _, there := out[p]; there {
				continue
			}
			if err := f.FirstMark(ctx, p, first); err != nil {
				return nil, err
			}
			out[p] = Mark{Position: first}
		}
	}
	return out, nil
}

// FirstMark makes the unit's mark on a place that has none.
func (f *Fence) FirstMark(ctx context.Context, p Place, at position.Position) error {
	value, err := body(at)
	if err != nil {
		return err
	}
	_, err = f.store.exec(ctx, fmt.Sprintf("INSERT INTO %s (task, unit, shard, no, mark, body, counter) VALUES (%s, %s, %d, 0, 0, %s, 1)",
		f.store.markTable(p.Schema), f.store.task, f.markUnit(f.unit), p.Shard, value))
	if err != nil && !mysqlconn.IsDuplicateKey(err) {
		return fmt.Errorf("first mark on %s: %w", p, err)
	}
	return nil
}

// Mark raises the unit's mark on a place to a counter, in the open transaction of
// a session that Guard has been called for: behind it, everything before at is on
// the place. The same counter may be written again. Fault LostCommits when the
// mark is behind: the place has lost what was committed there.
func (f *Fence) Mark(ctx context.Context, session *destination.Session, p Place, counter int64, at position.Position) error {
	value, err := body(at)
	if err != nil {
		return err
	}
	n, err := session.Exec(ctx, fmt.Sprintf("UPDATE %s SET mark = %d, body = %s, counter = counter + 1 WHERE task = %s AND unit = %s AND shard = %d AND no = 0 AND mark IN (%d, %d)",
		f.store.markTable(p.Schema), counter, value, f.store.task, f.markUnit(f.unit), p.Shard, counter-1, counter))
	if err != nil {
		return err
	}
	if n != 1 {
		return fault.LostCommits.New(p.String(), "")
	}
	return nil
}

// MarkChunk leaves a chunk's mark on every shard of its schema, after its rows
// and before Finish. It may be repeated. The mark names the attempt and vouches
// for its rows only: what an older one leaves late counts for nothing.
func (f *Fence) MarkChunk(ctx context.Context, schema string, no int64) error {
	shards, err := f.store.shardsOf(ctx, schema)
	if err != nil {
		return fmt.Errorf("mark chunk %d: %w", no, err)
	}
	insert := fmt.Sprintf("INSERT INTO %s (task, unit, shard, no, mark, body, counter) VALUES ", f.store.markTable(schema))
	rows := make([]string, shards)
	mine := blob([]byte(attemptOf(f.unit, f.token.String())))
	for shard := range shards {
		rows[shard] = fmt.Sprintf("(%s, %s, %d, %d, 1, %s, 1)", f.store.task, f.markUnit(copies), shard, no, mine)
	}
	_, err = f.store.exec(ctx, insert+strings.Join(rows, ", "))
	if mysqlconn.IsDuplicateKey(err) { // an attempt before marked some
		err = f.requireClaim(ctx, no)
		for shard := 0; shard < shards && err == nil; shard++ {
			_, err = f.store.exec(ctx, insert+rows[shard])
			if mysqlconn.IsDuplicateKey(err) {
				_, err = f.store.exec(ctx, fmt.Sprintf("UPDATE %s SET body = %s, counter = counter + 1 WHERE %s AND shard = %d", f.store.markTable(schema), mine, f.whereChunk(no), shard))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("mark chunk %d: %w", no, err)
	}
	return nil
}

// requireClaim makes sure that the chunk is still this attempt's.
func (f *Fence) requireClaim(ctx context.Context, no int64) error {
	var n int64
	err := f.store.one(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE task = %s AND no = %d AND unit = %s AND token = %s",
		f.store.t(tableChunk), f.store.task, no, str(f.unit), str(f.token.String())), &n)
	if err == nil && n == 0 {
		err = fault.Fenced.New(f.unit, "chunk %d", no)
	}
	return err
}

// attemptOf names an attempt of a unit in the marks of chunks.
func attemptOf(unit, token string) string { return unit + " " + token }

// UnmarkChunk takes this attempt's marks of the chunk back, before it writes the
// rows again: they vouch for the rows of before.
func (f *Fence) UnmarkChunk(ctx context.Context, schema string, no int64) error {
	_, err := f.store.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s AND body = %s", f.store.markTable(schema), f.whereChunk(no), blob([]byte(attemptOf(f.unit, f.token.String())))))
	if err != nil {
		return fmt.Errorf("take the marks of chunk %d back: %w", no, err)
	}
	return nil
}

func (f *Fence) whereChunk(no int64) string {
	return fmt.Sprintf("task = %s AND unit = %s AND no = %d", f.store.task, f.markUnit(copies), no)
}

// finished is a chunk that is done, and the attempt that finished it.
type finished struct {
	Chunk
	attempt string
	schema  string
}

// LostChunks returns the chunks of the fence's apply group that are done and on
// some shard have no mark of the attempt that finished them: rows of them may be
// lost. The chunks are read first: what is done then has its marks already.
func (f *Fence) LostChunks(ctx context.Context) ([]Chunk, error) {
	done, err := f.finishedChunks(ctx)
	if err != nil {
		return nil, fmt.Errorf("read finished chunks: %w", err)
	}
	marks := map[Place]map[int64]string{} // of which attempt; empty in marks of older programs
	for _, schema := range f.schemas {
		shards, err := f.store.shardsOf(ctx, schema)
		if err != nil {
			return nil, fmt.Errorf("marks of schema %s: %w", schema, err)
		}
		for shard := range shards {
			marks[Place{schema, shard}] = map[int64]string{}
		}
		query := fmt.Sprintf("SELECT shard, no, body FROM %s WHERE task = %s AND unit = %s", f.store.markTable(schema), f.store.task, f.markUnit(copies))
		err = f.store.each(ctx, query, func(scan func(...any) error) error {
			p, no, attempt := Place{Schema: schema}, int64(0), ""
			err := scan(&p.Shard, &no, &attempt)
			if marks[p] != nil {
				marks[p][no] = attempt
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("marks of schema %s: %w", schema, err)
		}
	}
	var out []Chunk
	for _, c := range done {
		for p, marked := range marks {
			attempt, there := marked[c.No]
			if p.Schema == c.schema && (!there || attempt != "" && attempt != c.attempt) {
				out = append(out, c.Chunk)
				break
			}
		}
	}
	return out, nil
}

func (f *Fence) finishedChunks(ctx context.Context) ([]finished, error) {
	schemas := map[int]string{}
	err := f.store.each(ctx, fmt.Sprintf("SELECT no, names FROM %s WHERE task = %s", f.store.t(tableTable), f.store.task), func(scan func(...any) error) error {
		var no int
		var data []byte
		var both names
		if err := scan(&no, &data); err != nil {
			return err
		}
		err := read(data, &both, prefix+tableTable)
		schemas[no] = both.Destination.Schema
		return err
	})
	if err != nil {
		return nil, err
	}
	members, err := f.store.members(ctx, f.group(), "tbl")
	if err != nil {
		return nil, err
	}
	var out []finished
	query := fmt.Sprintf("SELECT token, %s FROM %s WHERE task = %s AND state = %d%s", chunkColumns, f.store.t(tableChunk), f.store.task, ChunkDone, members)
	err = f.store.each(ctx, query, func(scan func(...any) error) error {
		var token string
		c, unit, err := scanChunk(func(into ...any) error { return scan(append([]any{&token}, into...)...) })
		out = append(out, finished{c, attemptOf(unit, token), schemas[c.Table]})
		return err
	})
	return out, err
}

// raiseMark raises a unit's mark in a transaction of its own.
func (s *Store) raiseMark(ctx context.Context, f *Fence, session *destination.Session, p Place, counter int64, at position.Position) error {
	if err := session.Begin(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := f.Guard(ctx, session, p.Schema, p.Shard)
	if err == nil {
		err = f.Mark(ctx, session, p, counter, at)
	}
	if err != nil {
		return errors.Join(err, session.Rollback(ctx))
	}
	if err := session.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
