package ddmsim

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"vitess.io/vitess/go/sqltypes"
)

// sequences gives out ids. Each sequence has a row in the meta database from
// which values are taken a cache at a time; what is left of a cache is lost at
// a restart, so ids have gaps (S-03). A table's sequence has the table's name.
type sequences struct {
	catalogue *catalogue
	cache     int

	mu   sync.Mutex
	live map[string]*liveSequence
}

// liveSequence is what is left of a cache: values first … end-1.
type liveSequence struct{ first, end, current uint64 }

func newSequences(c *catalogue, cache int) *sequences {
	return &sequences{catalogue: c, cache: cache, live: map[string]*liveSequence{}}
}

func sequenceKey(schema, name string) string {
	return strings.ToLower(schema) + "." + strings.ToLower(name)
}

func (s *sequences) where(schema, name string) string {
	return fmt.Sprintf(" WHERE schema_name=%s AND sequence_name=%s", quoteText(strings.ToLower(schema)), quoteText(strings.ToLower(name)))
}

func (s *sequences) table() string { return s.catalogue.db + ".sequences" }

// create makes a sequence; table and column are empty for a free one.
func (s *sequences) create(ctx context.Context, schema, name, table, column string, start uint64) error {
	return s.catalogue.run(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%s,%s,%s,%s,%d,%d)", s.table(),
		quoteText(strings.ToLower(schema)), quoteText(strings.ToLower(name)), quoteText(table), quoteText(column), start, s.cache))
}

func (s *sequences) drop(ctx context.Context, schema, name string) error {
	s.mu.Lock()
	delete(s.live, sequenceKey(schema, name))
	s.mu.Unlock()
	return s.catalogue.run(ctx, "DELETE FROM "+s.table()+s.where(schema, name))
}

// forget drops the caches of a schema.
func (s *sequences) forget(schema string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.live {
		if strings.HasPrefix(k, strings.ToLower(schema)+".") {
			delete(s.live, k)
		}
	}
}

// next draws n values in a row and returns the first.
func (s *sequences) next(ctx context.Context, schema, name string, n uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sequenceKey(schema, name)
	q := s.live[key]
	if q == nil {
		q = &liveSequence{}
		s.live[key] = q
	}
	if q.end-q.first < n {
		first, end, err := s.reserve(ctx, schema, name, n)
		if err != nil {
			return 0, err
		}
		q.first, q.end = first, end
	}
	first := q.first
	q.first += n
	q.current = q.first - 1
	return first, nil
}

// reserve takes at least n values from the row.
func (s *sequences) reserve(ctx context.Context, schema, name string, n uint64) (first, end uint64, err error) {
	err = s.catalogue.pool.once(ctx, place{}, func(b *backend) error {
		if _, err := b.exec("BEGIN", false); err != nil {
			return err
		}
		r, err := b.exec("SELECT next_value, cache FROM "+s.table()+s.where(schema, name)+" FOR UPDATE", false)
		if err == nil && len(r.Rows) == 0 {
			err = sqlError(1105, "HY000", fmt.Sprintf("ddmsim: S-03: sequence %s.%s does not exist", schema, name))
		}
		if err == nil {
			first, end, err = span64(r.Rows[0], n)
		}
		if err == nil {
			_, err = b.exec(fmt.Sprintf("UPDATE %s SET next_value=%d%s", s.table(), end, s.where(schema, name)), false)
		}
		if err != nil {
			if _, rerr := b.exec("ROLLBACK", false); rerr != nil {
				b.broken = true
			}
			return err
		}
		_, err = b.exec("COMMIT", false)
		return err
	})
	return first, end, err
}

func span64(row sqltypes.Row, n uint64) (first, end uint64, err error) {
	if first, err = strconv.ParseUint(row[0].ToString(), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("next value of a sequence: %w", err)
	}
	cache, err := strconv.ParseUint(row[1].ToString(), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("cache of a sequence: %w", err)
	}
	end = first + max(n, cache, 1)
	if end > math.MaxInt64 || end < first {
		return 0, 0, sqlError(1105, "HY000", "ddmsim: S-03: the sequence is used up")
	}
	return first, end, nil
}

// restart makes start the next value.
func (s *sequences) restart(ctx context.Context, schema, name string, start uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, sequenceKey(schema, name))
	return s.catalogue.run(ctx, fmt.Sprintf("UPDATE %s SET next_value=%d%s", s.table(), start, s.where(schema, name)))
}

// atLeast moves the sequence forward to start, never back.
func (s *sequences) atLeast(ctx context.Context, schema, name string, start uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.live[sequenceKey(schema, name)]; q != nil && q.first >= start && q.first < q.end {
		return nil
	}
	delete(s.live, sequenceKey(schema, name))
	return s.catalogue.run(ctx, fmt.Sprintf("UPDATE %s SET next_value=GREATEST(next_value,%d)%s", s.table(), start, s.where(schema, name)))
}

// sequenceRow is a sequence as SHOW SEQUENCES tells it.
type sequenceRow struct {
	schema, name, table, column string
	next                        uint64
	cache                       string
}

func (s *sequences) list(ctx context.Context, schema string) ([]sequenceRow, error) {
	rows, err := s.catalogue.query(ctx, "SELECT schema_name, sequence_name, table_name, column_name, next_value, cache FROM "+s.table()+
		" WHERE schema_name="+quoteText(strings.ToLower(schema))+" ORDER BY sequence_name")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sequenceRow
	for _, r := range rows {
		next, err := strconv.ParseUint(r[4], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("next value of a sequence: %w", err)
		}
		if q := s.live[sequenceKey(r[0], r[1])]; q != nil && q.first < q.end {
			next = q.first
		}
		out = append(out, sequenceRow{r[0], r[1], r[2], r[3], next, r[5]})
	}
	return out, nil
}

// current is the value drawn last, 0 when none was (S-03).
func (s *sequences) current(schema, name string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.live[sequenceKey(schema, name)]; q != nil {
		return q.current
	}
	return 0
}
