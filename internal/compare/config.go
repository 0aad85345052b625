package compare

import (
	"context"
	"database/sql"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// Source is what a comparison needs of the source (package source).
type Source interface {
	// DB is the pool, whose sessions have time_zone +00:00.
	DB() *sql.DB
	Table(ctx context.Context, n table.Name) (*table.Table, error)
	Head(ctx context.Context) (position.Position, error)
}

// Results keeps a comparison in the destination (*checkpoint.Store). Every
// method replaces what was there.
type Results interface {
	Comparison(ctx context.Context, id string) (*checkpoint.Comparison, error)
	PutComparison(ctx context.Context, c checkpoint.Comparison) error
	// Compared returns up to limit tables after a number.
	Compared(ctx context.Context, id string, after, limit int) ([]checkpoint.Compared, error)
	PutCompared(ctx context.Context, id string, c checkpoint.Compared) error
	// Differences pages through all tables' differing rows; "<no>.-1" is where table no begins.
	Differences(ctx context.Context, id, after string, limit int) (rows []contract.Difference, next *string, err error)
	PutDifferences(ctx context.Context, id string, no int, rows []contract.Difference) error
}

// Table is one table to compare. No is its number in the task's plan.
type Table struct {
	No          int
	Source      table.Name
	Destination table.Name
}

// Config says what to compare. Everything but Settled, Wait and Beat is needed.
type Config struct {
	ID          string // "c1"
	Type        string // contract.CompareObjects, CompareRows, CompareValues
	Tables      []Table
	Source      Source
	Destination *destination.Destination
	Results     Results
	// Settled returns when everything before since is on the destination. Nil
	// when nothing is applied (full-only tasks): what differs is then read again
	// without a wait.
	Settled func(ctx context.Context, since position.Position) error
	// Box ends the run after a chunk or a table; 0 for no limit.
	Box time.Duration
	// Wait is called after a chunk of so many rows and bytes was read, before the
	// next (throttle.Limiter.Wait).
	Wait func(ctx context.Context, rows, bytes int64) error
	// Beat tells progress, at most once a second.
	Beat func(contract.CompareBeat)
}

var (
	_ Source  = (*source.Source)(nil)
	_ Results = (*checkpoint.Store)(nil)
)
