package compare

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

const (
	// suspects is how many differing rows are read again together.
	suspects = 1000
	// saveEvery is the pace of stored progress.
	saveEvery = 10 * time.Second
)

// values compares every mapped column of every row.
func (r *run) values(ctx context.Context, t Table, s *state) error {
	m, err := r.mapping(ctx, t)
	if err != nil {
		return err
	}
	var columns []int
	for _, p := range m.Pairs {
		columns = append(columns, p.Source)
	}
	return r.scan(ctx, t, s, m, columns, true)
}

// scan compares the given columns of all rows and sets the table's result.
func (r *run) scan(ctx context.Context, t Table, s *state, m *dialect.Mapping, columns []int, placement bool) error {
	columns = slices.Sorted(slices.Values(columns))
	plain, err := r.plainDoubles(ctx, m)
	if err != nil {
		return err
	}
	hash := hasher{
		columns: columns, table: m.Source, plainDoubles: plain,
		positiveZero: r.Destination.Dialect().Kind() == dialect.MariaDB,
	}
	scanHash := hash
	j := &job{
		run: r, table: t, state: s, mapping: m, hash: &hash, scanHash: &scanHash,
		source:      sourceSide(r.Source.DB(), m, columns),
		destination: destinationSide(r.Destination.ReadDB(), r.Destination.Dialect(), m, columns),
		scanned:     sourceSide(r.Source.DB(), m, columns),
		suspects:    map[string]row.Row{},
		misplaced:   map[string]bool{},
		saved:       time.Now(),
	}
	j.scanned.from += " FORCE INDEX (PRIMARY)"
	if placement {
		j.places = newPlaces(r.Destination, m)
	}
	if s.After == nil {
		zero := int64(0)
		s.SourceRows, s.DestinationRows, s.Differences, s.kept = &zero, new(int64), 0, nil
	}
	if err := j.readBoth(ctx); err != nil {
		return err
	}
	s.Result = checkpoint.ResultConsistent
	if s.Differences > 0 {
		s.Result = checkpoint.ResultInconsistent
	}
	return nil
}

// job is the comparison of one table's rows.
type job struct {
	run                 *run
	table               Table
	state               *state
	mapping             *dialect.Mapping
	hash                *hasher
	source, destination *side
	// scanned and scanHash belong to readSource's goroutine.
	scanned  *side
	scanHash *hasher
	places   *places
	// suspects are rows that differed once, by primary key; only key columns are set.
	suspects map[string]row.Row
	// misplaced are the identities already reported as such.
	misplaced map[string]bool
	saved     time.Time
}

// errEnough ends a scan that found enough differences.
var errEnough = errors.New("enough differences")

// readBoth reads the source a chunk ahead of the destination.
func (j *job) readBoth(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan *chunk, 1)
	group.Go(func() error {
		defer close(chunks)
		return j.readSource(ctx, j.state.After, chunks)
	})
	group.Go(func() error {
		for c := range chunks {
			if err := j.compareChunk(ctx, c); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return j.recheck(ctx)
	})
	err := group.Wait()
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// compareChunk reads the destination's rows of the source's chunk.
func (j *job) compareChunk(ctx context.Context, c *chunk) error {
	read := int64(0)
	err := j.destination.rows(ctx, string(j.mapping.RangeCondition(nil, c.span)), "", func(got row.Row) error {
		read++
		key := got.Key(j.mapping.Identity)
		there, ok := c.rows[key]
		if ok && !there.seen && there.sum == j.hash.sum(got) {
			c.rows[key] = entry{sum: there.sum, seen: true}
			return nil
		}
		if ok {
			c.rows[key] = entry{sum: there.sum, seen: true}
		}
		j.suspect(got) // another value, one row too many, or the same row twice
		return nil
	})
	if err != nil {
		return err
	}
	for key, e := range c.rows {
		if !e.seen {
			j.suspect(j.rowOf(key))
		}
	}
	if err := j.places.check(ctx, j, c.span); err != nil {
		return err
	}
	*j.state.SourceRows += int64(len(c.rows))
	*j.state.DestinationRows += read
	j.run.report(int64(len(c.rows)))
	return j.chunkDone(ctx, c)
}

// chunkDone reads again what differed when there is much of it, or before
// progress is stored.
func (j *job) chunkDone(ctx context.Context, c *chunk) error {
	ended := j.run.boxEnded() && !c.last()
	save := ended || time.Since(j.saved) >= saveEvery
	if save || len(j.suspects) >= suspects {
		if err := j.recheck(ctx); err != nil {
			return err
		}
	}
	if save && !c.last() {
		j.state.After, j.saved = c.span.Upper, time.Now()
		if err := j.run.save(ctx, j.table, j.state, false); err != nil {
			return err
		}
	}
	if ended {
		return errBoxEnded
	}
	return nil
}

// suspect notes a row that differs; only its primary key is kept.
func (j *job) suspect(got row.Row) {
	key := got.Key(j.mapping.Primary)
	if _, ok := j.suspects[key]; ok {
		return
	}
	kept := make(row.Row, len(got))
	for _, c := range j.mapping.Primary {
		kept[c] = slices.Clone(got[c])
	}
	j.suspects[key] = kept
}

// rowOf makes a row of the identity that a key is made of.
func (j *job) rowOf(key string) row.Row {
	out := make(row.Row, len(j.mapping.Source.Columns))
	for i, v := range splitKey(key) {
		out[j.mapping.Identity[i]] = v
	}
	return out
}

func (j *job) difference(key, kind string) contract.Difference {
	return contract.Difference{Table: j.mapping.Source.Name, Key: keyText(j.mapping, j.rowOf(key)), Kind: kind}
}

// keyText names a row by a condition that can be pasted behind WHERE.
func keyText(m *dialect.Mapping, r row.Row) string {
	var out []byte
	for i, c := range m.Identity {
		column := m.Source.Columns[c]
		if i > 0 {
			out = append(out, " AND "...)
		}
		out = append(out, dialect.QuoteName(column.Name)...)
		if r[c] == nil {
			out = append(out, " IS NULL"...)
			continue
		}
		out = append(out, " = "...)
		out = dialect.AppendOperand(out, column, r[c], column)
	}
	return string(out)
}

// chunk is a range of the source's primary keys with its rows by identity.
type chunk struct {
	span table.KeyRange
	rows map[string]entry
}

type entry struct {
	sum  sum
	seen bool
}

func (c *chunk) last() bool { return c.span.Upper == nil }
