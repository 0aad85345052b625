package contract

import (
	"time"

	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// Activity ties an activity's name to its input and result.
type Activity[In, Out any] struct{ Name string }

// TaskRef is how an activity learns what it works on: the resolver asks the
// workflow for the sealed specification of this revision.
type TaskRef struct {
	TaskID   string `json:"task_id"`
	Revision int    `json:"revision"`
}

// Owner orders the attempts that may write: (Epoch, Box, attempt). Epoch comes
// from the checkpoint store (PlanCopy, reset), Box is counted by the workflow
// across continue-as-new, the attempt by Temporal.
type Owner struct {
	Epoch int64 `json:"epoch"`
	Box   int64 `json:"box"`
	// FenceConfirmed: the operator confirmed that no older writer lives.
	FenceConfirmed bool `json:"fence_confirmed,omitempty"`
}

// The activities.
var (
	ListPrecheckItems = Activity[TaskRef, []PrecheckItemRef]{"ListPrecheckItems"}
	RunPrecheckItem   = Activity[PrecheckItemIn, PrecheckItemResult]{"RunPrecheckItem"}
	PlanCopy          = Activity[PlanCopyIn, PlanCopyOut]{"PlanCopy"}
	CopyLane          = Activity[CopyLaneIn, CopyLaneOut]{"CopyLane"}
	ReadHead          = Activity[TaskRef, HeadOut]{"ReadHead"}
	WatchSource       = Activity[WatchIn, WatchOut]{"WatchSource"}
	ApplyBinlog       = Activity[ApplyIn, ApplyOut]{"ApplyBinlog"}
	CompareTables     = Activity[CompareIn, CompareOut]{"CompareTables"}
	UpdateSequences   = Activity[SequencesIn, SequencesOut]{"UpdateSequences"}
	StoreReport       = Activity[ReportIn, Report]{"StoreReport"}
	StoreLimits       = Activity[LimitsIn, Nothing]{"StoreLimits"}
	ResetTask         = Activity[ResetIn, Nothing]{"ResetTask"}
	CleanUp           = Activity[TaskRef, CleanUpOut]{"CleanUp"}
	Inspect           = Activity[InspectIn, InspectOut]{"Inspect"}
	SendCommand       = Activity[TriggerIn, CommandResult]{"SendCommand"}
	Notify            = Activity[NotifyIn, Nothing]{"Notify"}
	DeleteRuns        = Activity[DeleteIn, Nothing]{"DeleteRuns"}
)

// Nothing is the result of an activity that has none.
type Nothing struct{}

// PlanCopyIn asks for start position and chunk plan; a repeated call with the
// same epoch only plans what is missing.
type PlanCopyIn struct {
	TaskRef
	Owner
	// Fresh is set for the first plan of a task and after a reset: a new epoch is issued.
	Fresh bool `json:"fresh"`
	// DeleteFirst: the destination was not empty (after a reset): each chunk deletes its range before it writes.
	DeleteFirst bool `json:"delete_first,omitempty"`
}

// PlanCopyOut says what the copy will do.
type PlanCopyOut struct {
	Epoch int64             `json:"epoch"`
	Start position.Position `json:"start"` // zero for a full-only task without binlog
	// ApplyDuring: the stream is applied beside the copy (policy.apply, where the source allows it).
	ApplyDuring    bool  `json:"apply_during,omitempty"`
	Tables         int   `json:"tables"`
	Chunks         int   `json:"chunks"`
	RowsEstimated  int64 `json:"rows_estimated"`
	BytesEstimated int64 `json:"bytes_estimated"`
	// RetentionSeconds is how long the source keeps its binlog, as it was then; 0 is
	// for ever, or not known.
	RetentionSeconds int64 `json:"retention_seconds,omitempty"`
}

// CopyLaneIn runs one lane for a time box.
type CopyLaneIn struct {
	TaskRef
	Owner
	Lane int `json:"lane"`
	// Lanes is the number of lanes; they share the source's connections.
	Lanes int           `json:"lanes"`
	Box   time.Duration `json:"box_duration"`
	// Connections is this lane's share of the source's max_connections.
	Connections int `json:"connections"`
	// DeleteFirst: each chunk deletes its range before it writes (after a reset).
	DeleteFirst bool `json:"delete_first,omitempty"`
	// Start is the start position: every connection proves that its server has it,
	// or the checkpoint when the apply has begun.
	Start position.Position `json:"start"`
	// ApplyBeside: the apply runs at the same time and has connections of its own.
	ApplyBeside bool `json:"apply_beside,omitempty"`
	// Group is the apply group whose chunks are copied, 0 for those that are in no other.
	Group int `json:"group,omitempty"`
}

// CopyLaneOut says whether chunks are left.
type CopyLaneOut struct {
	// Done: no unclaimed chunk is left for any lane.
	Done  bool  `json:"done"`
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
}

// HeadOut is the source's position now with what could still come before it.
type HeadOut struct {
	Position         position.Position `json:"position"`
	OpenTransactions int               `json:"open_transactions"` // -1 unknown
	PreparedXA       int               `json:"prepared_xa"`       // -1 unknown
	At               time.Time         `json:"at"`
}

// WatchIn runs WatchSource until it is cancelled.
type WatchIn struct {
	TaskRef
	Start position.Position `json:"start"`
	// ApplyDuring: the apply runs beside the copy and judges statements itself.
	ApplyDuring bool `json:"apply_during,omitempty"`
}

// WatchOut is the last look of WatchSource, which ends by cancellation only: it
// is the detail of its CanceledError.
type WatchOut struct {
	Progress CopyProgress `json:"progress"`
	// PurgeAt is when the source may purge binlog that is needed from the
	// cancellation on; nil when it never does, or does not say.
	PurgeAt *time.Time `json:"purge_at,omitempty"`
}

// ApplyIn runs the apply of one group for a time box.
type ApplyIn struct {
	TaskRef
	Owner
	// Group is the apply group, 0 for the task itself.
	Group int               `json:"group"`
	Box   time.Duration     `json:"box_duration"`
	Start position.Position `json:"start"`
	// CopyEnd is the end-of-copy position: safe mode lasts until it has passed.
	CopyEnd position.Position `json:"copy_end"`
	// Stop is where to end; nil to go on.
	Stop *position.Position `json:"stop,omitempty"`
	// PassDDL is the position of a statement the operator has applied on the destination.
	PassDDL *position.Position `json:"pass_ddl,omitempty"`
	// BesideCopy: the copy has not ended; nothing passes the low position of a chunk that is being copied.
	BesideCopy bool `json:"beside_copy,omitempty"`
	// CopyLanes are the lanes of the copy beside it.
	CopyLanes int `json:"copy_lanes,omitempty"`
}

// ApplyOut is where the box ended.
type ApplyOut struct {
	// Applied is the committed position.
	Applied position.Position `json:"applied"`
	// Drained: Applied covers Stop.
	Drained      bool  `json:"drained"`
	Rows         int64 `json:"rows"`
	Transactions int64 `json:"transactions"`
	Divergences  int64 `json:"divergences"`
}

// SequencesIn refreshes sequences; All uses `fresh all sequence start value`.
type SequencesIn struct {
	TaskRef
	All bool `json:"all,omitempty"`
}

// SequencesOut counts what was refreshed and verified.
type SequencesOut struct {
	Refreshed int      `json:"refreshed"`
	Total     int      `json:"total"`
	Warnings  []string `json:"warnings,omitempty"`
}

// LimitsIn writes the control row.
type LimitsIn struct {
	TaskRef
	Limits task.Limits `json:"limits"`
	// Alarms are the thresholds of alarms; nil leaves those of the specification.
	Alarms *task.Alarms `json:"alarms,omitempty"`
}

// ResetIn clears the task's progress; with Truncate the destination tables too.
type ResetIn struct {
	TaskRef
	Owner
	Truncate bool `json:"truncate,omitempty"`
}

// CleanUpOut says what could not be removed.
type CleanUpOut struct {
	// Warnings say what remains, why, and with which statement it goes.
	Warnings []string `json:"warnings,omitempty"`
	// Remaining are the tables that remain on the destination, quoted.
	Remaining []string `json:"remaining,omitempty"`
}

// ReportIn makes the final report.
type ReportIn struct {
	TaskRef
	Forced       bool               `json:"forced,omitempty"`
	Incomplete   bool               `json:"incomplete,omitempty"`
	StopPosition *position.Position `json:"stop_position,omitempty"`
	Head         *HeadOut           `json:"head,omitempty"`
	Sequences    SequenceSummary    `json:"sequences"`
	Warnings     []string           `json:"warnings,omitempty"`
	StartedAt    *time.Time         `json:"started_at,omitempty"`
}

// Report is the final word on a task.
type Report struct {
	Forced      bool  `json:"forced"`
	Incomplete  bool  `json:"incomplete"`
	Tables      int   `json:"tables"`
	RowsCopied  int64 `json:"rows_copied"`
	BytesCopied int64 `json:"bytes_copied"`
	RowsApplied int64 `json:"rows_applied"`
	Divergences int64 `json:"divergences"`
	// WritesAfterStop: "none", "some", "not verifiable".
	WritesAfterStop  string             `json:"writes_after_stop"`
	OpenTransactions int                `json:"open_transactions"`
	PreparedXA       int                `json:"prepared_xa"`
	StopPosition     *position.Position `json:"stop_position,omitempty"`
	Sequences        SequenceSummary    `json:"sequences"`
	Warnings         []string           `json:"warnings,omitempty"`
	At               time.Time          `json:"at"`
}

// Kinds of inspection.
const (
	InspectTest        = "test"        // TestAnswer
	InspectTables      = "tables"      // TablesAnswer
	InspectDifferences = "differences" // ComparisonAnswer
	InspectApplied     = "applied"     // position.Position up to which the destination has every table, zero while some stand apart
	InspectLogs        = "logs"        // LogsAnswer
	InspectObjects     = "objects"     // ObjectsAnswer
	InspectSamples     = "samples"     // SamplesAnswer
)

// InspectIn asks one question; the answer is sealed for AnswerKey when it holds
// names or rows of the databases.
type InspectIn struct {
	Kind string `json:"kind"`
	// WorkerGroup says whose workers reach the databases; "" is "default".
	WorkerGroup string  `json:"worker_group,omitempty"`
	Task        TaskRef `json:"task"`
	// Endpoint and Side are for InspectTest without a task (sealed under InspectUse).
	Endpoint   *secret.Sealed   `json:"endpoint,omitempty"`
	RequestID  string           `json:"request_id"`
	Side       string           `json:"side,omitempty"`
	Comparison string           `json:"comparison,omitempty"`
	After      string           `json:"after,omitempty"`
	Limit      int              `json:"limit,omitempty"`
	Level      string           `json:"level,omitempty"`
	Search     string           `json:"search,omitempty"`
	AnswerKey  secret.PublicKey `json:"answer_key"`
}

// InspectOut is the sealed JSON of the kind's answer.
type InspectOut struct {
	Answer secret.Sealed `json:"answer"`
}

// InspectUse is the use that an inspection's endpoint and answer are sealed for.
func InspectUse(requestID, field string) secret.Use {
	return secret.Use{Task: "inspect/" + requestID, Field: field}
}

// TestAnswer is the outcome of a connection test.
type TestAnswer struct {
	OK      bool       `json:"ok"`
	Kind    string     `json:"kind,omitempty"`
	Version string     `json:"version,omitempty"`
	TLS     string     `json:"tls,omitempty"`
	Millis  int64      `json:"millis"`
	Error   *ErrorInfo `json:"error,omitempty"`
}

// TableProgress is one line of `tables`.
type TableProgress struct {
	Schema        string `json:"schema"`
	Table         string `json:"table"`
	ToSchema      string `json:"to_schema,omitempty"`
	ToTable       string `json:"to_table,omitempty"`
	State         string `json:"state"` // waiting, copying, copied, applying, parked
	RowsDone      int64  `json:"rows_done"`
	RowsEstimated int64  `json:"rows_estimated"`
	Percent       int    `json:"percent"`
	Error         string `json:"error,omitempty"`
	Compare       string `json:"compare,omitempty"`
}

// TablesAnswer is one page of tables.
type TablesAnswer struct {
	Tables []TableProgress `json:"tables"`
	Next   *string         `json:"next"`
}

// LogLine is one line of the task's log.
type LogLine struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // info, warn, error
	Message string    `json:"message"`
}

// LogsAnswer is one page of the log.
type LogsAnswer struct {
	Lines []LogLine `json:"lines"`
	Next  *string   `json:"next"`
}

// SourceObject is one table of the source. Estimates are nil where the server
// would have to open every table for them.
type SourceObject struct {
	Name           table.Name  `json:"name"`
	Engine         string      `json:"engine,omitempty"`
	RowsEstimated  *int64      `json:"rows_estimated,omitempty"`
	BytesEstimated *int64      `json:"bytes_estimated,omitempty"`
	To             *table.Name `json:"to,omitempty"` // nil: not selected
}

// ObjectsAnswer is one page of the source's tables.
type ObjectsAnswer struct {
	Objects []SourceObject `json:"objects"`
	Next    *string        `json:"next"`
}

// CompareIn compares tables for a time box; progress is in the destination.
type CompareIn struct {
	TaskRef
	ID     string        `json:"id"`
	Type   string        `json:"type"`
	Tables string        `json:"tables,omitempty"`
	Box    time.Duration `json:"box_duration"`
	// Group is the apply group whose position settles moving differences.
	Group int `json:"group"`
}

// CompareOut is the outcome; Done is false when the box ended first.
type CompareOut struct {
	Done   bool   `json:"done"`
	Result string `json:"result"`
	Tables int    `json:"tables"`
	// Inconsistent counts tables that differ.
	Inconsistent int `json:"inconsistent"`
}

// ComparedTable is one table of a comparison.
type ComparedTable struct {
	Schema          string `json:"schema"`
	Table           string `json:"table"`
	SourceRows      *int64 `json:"source_rows"`
	DestinationRows *int64 `json:"destination_rows"`
	Result          string `json:"result"`
	Differences     int64  `json:"differences"`
}

// Difference is one row that differs; Key is shown on authenticated pages only.
type Difference struct {
	Table table.Name `json:"table"`
	Key   string     `json:"key"`
	Kind  string     `json:"kind"` // only-source, only-destination, different, misplaced
}

// ComparisonAnswer is one comparison.
type ComparisonAnswer struct {
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Result      string          `json:"result"`
	StartedAt   *time.Time      `json:"started_at"`
	FinishedAt  *time.Time      `json:"finished_at"`
	Tables      []ComparedTable `json:"tables"`
	Differences []Difference    `json:"difference_rows,omitempty"`
	Next        *string         `json:"next"`
}

// NotifyIn tells people that a task needs them, or no longer does.
type NotifyIn struct {
	TaskID string `json:"task_id"`
	Name   string `json:"name"`
	// Kind is failed, or the kind of a TaskAlarm.
	Kind   string           `json:"kind"`
	Active bool             `json:"active"`
	Status lifecycle.Status `json:"status"`
	Code   string           `json:"code,omitempty"`
	Text   string           `json:"text"`
	Remedy string           `json:"remedy,omitempty"`
	At     time.Time        `json:"at"`
}

// TriggerIn is the input of TriggerWorkflow: a Temporal Schedule's way to command a task.
type TriggerIn struct {
	Task    string            `json:"task"` // name or id
	Command string            `json:"command"`
	Args    map[string]string `json:"args,omitempty"`
}

// DeleteIn removes everything of a task.
type DeleteIn struct {
	TaskID string `json:"task_id"`
	Name   string `json:"name"`
	Actor  string `json:"actor"`
	// WorkerGroup says whose workers reach the destination; "" is "default".
	WorkerGroup string `json:"worker_group,omitempty"`
}

// NameIn reserves a name for a task.
type NameIn struct {
	Name   string `json:"name"`
	TaskID string `json:"task_id"`
}
