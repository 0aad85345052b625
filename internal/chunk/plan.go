package chunk

import (
	"context"
	"fmt"

	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// Budget bounds a chunk; zero fields take the defaults.
type Budget struct {
	// ReadBytes is how much of the source one chunk reads, by the server's
	// estimate of the average row; default 16 MiB.
	ReadBytes int64
	// Rows is the most rows of one chunk; default 25,000: progress is told and a
	// crash is repaired chunk by chunk.
	Rows int64
}

const (
	defaultReadBytes = 16 << 20
	defaultRows      = 25_000
	// assumedRow is the bytes of a row where the server has no estimate.
	assumedRow = 256
)

// Boundaries finds keys on the source; *source.Source does.
type Boundaries interface {
	Boundary(ctx context.Context, t *table.Table, r table.KeyRange, offset int64) (key [][]byte, ok bool, err error)
}

// Plan calls emit for each range in key order, with an estimate of its rows. A
// plan that was interrupted goes on after the last emitted range; after is nil
// for a new plan. Fault TableUnsupported for a table without primary key.
func Plan(ctx context.Context, b Boundaries, t *table.Table, after *table.KeyRange, budget Budget, emit func(r table.KeyRange, rows int64) error) error {
	if t.Primary() == nil {
		return fault.TableUnsupported.New(t.Name.String(), "it has no primary key")
	}
	var lower [][]byte
	if after != nil {
		if after.Upper == nil {
			return nil
		}
		lower = after.Upper
	}
	size := budget.rows(t)
	for {
		upper, ok, err := b.Boundary(ctx, t, table.KeyRange{Lower: lower}, size-1)
		if err != nil {
			return fmt.Errorf("plan %s: %w", t.Name, err)
		}
		rows := size
		if !ok { // fewer than size rows are left
			upper, rows = nil, min(size, max(t.Rows%size, 0))
		}
		if err := emit(table.KeyRange{Lower: lower, Upper: upper}, rows); err != nil {
			return err
		}
		if upper == nil {
			return nil
		}
		lower = upper
	}
}

// rows is how many rows a chunk of a table has.
func (b Budget) rows(t *table.Table) int64 {
	if b.ReadBytes <= 0 {
		b.ReadBytes = defaultReadBytes
	}
	if b.Rows <= 0 {
		b.Rows = defaultRows
	}
	return min(b.Rows, max(1, b.ReadBytes/RowBytes(t)))
}

// RowBytes is the average row of a table by the server's estimate, at least 1.
func RowBytes(t *table.Table) int64 {
	if t.Rows <= 0 || t.Bytes <= 0 {
		return assumedRow
	}
	return max(1, t.Bytes/t.Rows)
}
