package contract

import (
	"encoding/json"
	"time"

	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/task"
)

// MigrationInput starts a MigrationWorkflow. Carry is the workflow's own state
// at continue-as-new, nil at the first run.
type MigrationInput struct {
	TaskID           string          `json:"task_id"`
	Spec             task.Spec       `json:"spec"`
	Actor            string          `json:"actor"`
	HeartbeatTimeout time.Duration   `json:"heartbeat_timeout"`
	Carry            json.RawMessage `json:"carry,omitempty"`
}

// View is what a task's page shows of the workflow's own state. Live numbers
// come from heartbeats (CopyBeat, ApplyBeat, WatchBeat).
type View struct {
	TaskID      string           `json:"task_id"`
	Spec        task.Spec        `json:"spec"` // endpoints sealed
	Revision    int              `json:"revision"`
	Status      lifecycle.Status `json:"status"`
	StatusSince time.Time        `json:"status_since"`
	Phase       lifecycle.Phase  `json:"phase"`
	CreatedAt   time.Time        `json:"created_at"`
	StartAt     *time.Time       `json:"start_at,omitempty"`
	StartedAt   *time.Time       `json:"started_at,omitempty"`
	EndedAt     *time.Time       `json:"ended_at,omitempty"`
	// Source and Destination are known after the first successful pre-check.
	Source      ServerFacts     `json:"source"`
	Destination ServerFacts     `json:"destination"`
	Precheck    PrecheckSummary `json:"precheck"`
	Plan        *PlanCopyOut    `json:"plan,omitempty"`
	Copy        CopyTotals      `json:"copy"`
	// Progress is the copy as it was known last, without rates; WatchBeat is newer.
	Progress *CopyProgress `json:"progress,omitempty"`
	// PurgeAt is set while nothing watches the source: WatchBeat is newer.
	PurgeAt *time.Time `json:"purge_at,omitempty"`
	// Alarms are the ones that last, by kind.
	Alarms []TaskAlarm `json:"alarms,omitempty"`
	// ExpiresAt is when a failed task is ended (expired_days).
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Applied is the last position an apply box returned; the heartbeat is newer.
	Applied *position.Position `json:"applied,omitempty"`
	// Groups are the tables that have a position of their own.
	Groups       []Group            `json:"groups,omitempty"`
	StopPosition *position.Position `json:"stop_position,omitempty"`
	Divergences  int64              `json:"divergences"`
	Comparison   *ComparisonSummary `json:"comparison,omitempty"`
	Comparisons  []string           `json:"comparisons,omitempty"`
	Sequences    SequenceSummary    `json:"sequences"`
	LastError    *ErrorInfo         `json:"last_error,omitempty"`
	Warnings     []string           `json:"warnings,omitempty"`
	SyncPoints   []SyncPoint        `json:"sync_points,omitempty"`
	Report       *Report            `json:"report,omitempty"`
}

// ServerFacts is what pre-check learnt of a server.
type ServerFacts struct {
	Kind    string `json:"kind,omitempty"` // mysql, mariadb, ddm, …
	Version string `json:"version,omitempty"`
	// Side is "source" or "destination".
	Side string `json:"side,omitempty"`
}

// ErrorInfo is the last error of a task, ready to show.
type ErrorInfo struct {
	Code   string `json:"code"`
	Class  string `json:"class"`
	Object string `json:"object,omitempty"`
	// Table is the source table that alone is concerned, "schema.table"; empty when more is.
	Table       string     `json:"table,omitempty"`
	Message     string     `json:"message"`
	Remedy      string     `json:"remedy,omitempty"`
	Attempt     int        `json:"attempt"`
	At          time.Time  `json:"at"`
	NextRetryAt *time.Time `json:"next_retry_at,omitempty"`
	// Position is where the source's history holds what stopped the task (a DDL statement).
	Position *position.Position `json:"position,omitempty"`
}

// Event is one line of a task's history with its actor.
type Event struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	Text  string    `json:"text"`
}

// Endpoints answers QueryEndpoints: what an activity needs to resolve a TaskRef.
type Endpoints struct {
	Revision         int           `json:"revision"`
	Spec             task.Spec     `json:"spec"`
	HeartbeatTimeout time.Duration `json:"heartbeat_timeout"`
}

// SyncPoint is a position of the source that a user waits for.
type SyncPoint struct {
	Number   int               `json:"number"`
	Position position.Position `json:"position"`
	At       time.Time         `json:"at"`
}

// ComparisonSummary is the outcome of the last comparison.
type ComparisonSummary struct {
	ID         string     `json:"id"`
	Type       string     `json:"type"`
	Result     string     `json:"result"` // drs.md C-16
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// SequenceSummary counts refreshed sequences. State: pending, done, skipped, failed.
type SequenceSummary struct {
	State     string `json:"state"`
	Refreshed int    `json:"refreshed"`
	Total     int    `json:"total"`
}

// CopyTotals are the sums of finished copy boxes.
type CopyTotals struct {
	Done bool `json:"done"`
	// EndPosition is the source's position after the last read.
	EndPosition *position.Position `json:"end_position,omitempty"`
}

// MemoryView is the memo `view`: enough for a list when no worker answers.
type MemoryView struct {
	Status      lifecycle.Status `json:"status"`
	StatusSince time.Time        `json:"status_since"`
	Phase       lifecycle.Phase  `json:"phase"`
	ErrorCode   string           `json:"error_code,omitempty"`
	Type        task.Type        `json:"type"`
	WorkerGroup string           `json:"worker_group"`
	Source      secret.Sealed    `json:"source"`      // Shown, for web's key
	Destination secret.Sealed    `json:"destination"` // Shown, for web's key
}

// Kinds of TaskAlarm.
const (
	AlarmPurge = "purge" // the source may soon purge binlog that is still needed
	AlarmDelay = "delay" // the delay is above the task's threshold
	// AlarmOutage: nothing could be read or written for a while; it is retried until it can.
	AlarmOutage = "outage"
	// AlarmParked: tables wait for somebody, with their errors, while the task goes on.
	AlarmParked = "parked"
)

// TaskAlarm is something that somebody should know of though the task goes on. A
// signal with Active false ends it.
type TaskAlarm struct {
	Kind   string    `json:"kind"`
	Active bool      `json:"active"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}
