package contract

import (
	"time"

	"shardlift/internal/position"
)

// Heartbeat details are for display only; the checkpoint row is the cursor.
// Each stays under 1 KB: GTID sets are clipped by the sender.

// CopyBeat is CopyLane's heartbeat.
type CopyBeat struct {
	At       time.Time `json:"at"`
	Lane     int       `json:"lane"`
	Table    int       `json:"table"` // number in the plan, names are for authenticated pages
	Rows     int64     `json:"rows"`
	Bytes    int64     `json:"bytes"`
	Throttle string    `json:"throttle,omitempty"`
}

// PlanBeat is PlanCopy's heartbeat. The next attempt goes on with an unfinished
// plan when its epoch is still the store's.
type PlanBeat struct {
	At     time.Time         `json:"at"`
	Epoch  int64             `json:"epoch"`
	Start  position.Position `json:"start"`
	Tables int               `json:"tables"`
	Chunks int               `json:"chunks"`
}

// ApplyBeat is ApplyBinlog's heartbeat.
type ApplyBeat struct {
	At           time.Time         `json:"at"`
	Group        int               `json:"group"`
	Mode         string            `json:"mode"` // safe, strict
	Applied      position.Position `json:"applied"`
	Read         position.Position `json:"read"`
	DelayMillis  int64             `json:"delay_ms"`
	CaptureDelay int64             `json:"capture_delay_ms"`
	ApplyDelay   int64             `json:"apply_delay_ms"`
	CaughtUp     bool              `json:"caught_up"`
	RowsRate     float64           `json:"rows_per_second"`
	TxRate       float64           `json:"transactions_per_second"`
	Rows         int64             `json:"rows"`
	Transactions int64             `json:"transactions"`
	Divergences  int64             `json:"divergences"`
	Throttle     string            `json:"throttle,omitempty"`
}

// WatchBeat is WatchSource's heartbeat: the source and the copy as a whole.
type WatchBeat struct {
	At       time.Time         `json:"at"`
	Head     position.Position `json:"head"`
	GapBytes int64             `json:"gap_bytes"` // -1 unknown
	PurgeAt  *time.Time        `json:"purge_at,omitempty"`
	Progress CopyProgress      `json:"progress"`
	Warnings []string          `json:"warnings,omitempty"`
}

// CopyProgress sums the chunk plan.
type CopyProgress struct {
	RowsDone      int64 `json:"rows_done"`
	RowsEstimated int64 `json:"rows_estimated"`
	// RowsExpected is RowsEstimated made better by what was copied: a table that is
	// complete counts with its rows, one that is being copied by its chunks.
	RowsExpected   int64   `json:"rows_expected,omitempty"`
	BytesDone      int64   `json:"bytes_done"`
	BytesEstimated int64   `json:"bytes_estimated"`
	ChunksDone     int     `json:"chunks_done"`
	Chunks         int     `json:"chunks"`
	TablesCopied   int     `json:"tables_copied"`
	TablesCopying  int     `json:"tables_copying"`
	Tables         int     `json:"tables"`
	RowsRate       float64 `json:"rows_per_second"`
	BytesRate      float64 `json:"bytes_per_second"`
	// Remaining is how many seconds the copy still takes; 0: not known.
	Remaining int64 `json:"remaining_seconds,omitempty"`
}

// CompareBeat is CompareTables' heartbeat.
type CompareBeat struct {
	At         time.Time `json:"at"`
	TablesDone int       `json:"tables_done"`
	Tables     int       `json:"tables"`
	Rows       int64     `json:"rows"`
}
