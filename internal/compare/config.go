package compare

import (
	"context"
	"database/sql"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// Results of a table and of a comparison (drs.md C-16).
const (
	Consistent   = "CONSISTENT"
	Inconsistent = "INCONSISTENT"
	Comparing    = "COMPARING"
	Waiting      = "WAITING_FOR_COMPARISON"
	Failed       = "FAILED_TO_COMPARE"
	// NoTarget: the destination has no such table. The word is DRS's own.
	NoTarget = "TARGET_DB_NOT_EXIT"
	// Incomparable: the definitions do not allow it.
	Incomparable = "CAN_NOT_COMPARE"
)

// Source is what a comparison needs of the source (package source).
type Source interface {
	// DB is the pool, whose sessions have time_zone +00:00.
	DB() *sql.DB
	Table(ctx context.Context, n table.Name) (*table.Table, error)
	Head(ctx context.Context) (position.Position, error)
}

// Results keeps a comparison in the destination (package checkpoint). Every
// method overwrites what it wrote before under the same numbers.
type Results interface {
	// StartComparison notes the comparison; started is set by the first call.
	StartComparison(ctx context.Context, id, kind string, tables int) error
	// Compared returns the state of the table with number no; ok is false when
	// none was put. progress is this package's own.
	Compared(ctx context.Context, id string, no int) (t contract.ComparedTable, progress []byte, ok bool, err error)
	PutCompared(ctx context.Context, id string, no int, t contract.ComparedTable, progress []byte) error
	// PutDifferences stores differences of table no under the numbers first, first+1, ….
	PutDifferences(ctx context.Context, id string, no int, first int64, list []contract.Difference) error
	FinishComparison(ctx context.Context, id, result string) error
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
	// Wait is called before a chunk of so many rows and bytes is read.
	Wait func(ctx context.Context, rows, bytes int64) error
	// Beat tells progress, at most once a second.
	Beat func(contract.CompareBeat)
}
