package contract

import (
	"time"

	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

// Update ties an update's name to its request; every update answers with CommandResult.
type Update[Request any] struct{ Name string }

// Command is part of every request: who asks, and on which revision it is
// based (0: whichever). A late one is refused with SL-7003.
type Command struct {
	Actor    string `json:"actor"`
	Revision int    `json:"revision,omitempty"`
}

// Base returns the command itself: what every request has in common.
func (c Command) Base() Command { return c }

// Refusal is the detail of a refused command's application error, whose type is
// the fault's code. Nothing has changed.
type Refusal struct {
	Code             string             `json:"code"`
	Object           string             `json:"object,omitempty"`
	Message          string             `json:"message"`
	Remedy           string             `json:"remedy,omitempty"`
	Status           lifecycle.Status   `json:"status"`
	Phase            lifecycle.Phase    `json:"phase"`
	Revision         int                `json:"revision"`
	AvailableActions []lifecycle.Action `json:"available_actions"`
}

// CommandResult is what a command left behind.
type CommandResult struct {
	Status   lifecycle.Status `json:"status"`
	Phase    lifecycle.Phase  `json:"phase"`
	Revision int              `json:"revision"`
	// Comparison is the id of the comparison that a compare command started.
	Comparison string `json:"comparison,omitempty"`
	// SyncPoint is the number of a new sync point.
	SyncPoint int `json:"sync_point,omitempty"`
}

// The updates of MigrationWorkflow.
var (
	UpdateEdit           = Update[EditRequest]{"edit"}
	UpdatePrecheck       = Update[PrecheckRequest]{"precheck"}
	UpdateConfirm        = Update[ConfirmRequest]{"confirm"}
	UpdateStart          = Update[StartRequest]{"start"}
	UpdateReschedule     = Update[StartRequest]{"reschedule"}
	UpdatePause          = Update[PauseRequest]{"pause"}
	UpdateResume         = Update[ResumeRequest]{"resume"}
	UpdateRetry          = Update[RetryRequest]{"retry"}
	UpdateSetCredentials = Update[CredentialsRequest]{"set-credentials"}
	UpdateLimit          = Update[LimitRequest]{"limit"}
	UpdateCompare        = Update[CompareRequest]{"compare"}
	UpdateStop           = Update[StopRequest]{"stop"}
	UpdateReset          = Update[ResetRequest]{"reset"}
	UpdateSyncPoint      = Update[SyncPointRequest]{"sync-point"}
	UpdateTables         = Update[TablesRequest]{"tables"}
)

// EditRequest replaces the specification (before the start) or its name,
// description and limits (later).
type EditRequest struct {
	Command
	Spec task.Spec `json:"spec"`
	// Credentials are the sides whose endpoint the edit replaces after the start;
	// host and port are the same. Before the start both are replaced anyway.
	Credentials []task.Side `json:"credentials,omitempty"`
}

// PrecheckRequest runs every item, or the ones named.
type PrecheckRequest struct {
	Command
	Items []string `json:"items,omitempty"`
}

// ConfirmRequest confirms alarms. With Skip it skips failures that are named
// and may be skipped; the note is the reason then.
type ConfirmRequest struct {
	Command
	Items []string `json:"items,omitempty"`
	All   bool     `json:"all,omitempty"`
	Note  string   `json:"note"`
	Skip  bool     `json:"skip,omitempty"`
}

// StartRequest starts now (At nil) or at a time; reschedule has the same form.
type StartRequest struct {
	Command
	At *time.Time `json:"at,omitempty"`
}

// PauseRequest pauses; Mode "" or "all" (drs.md L-07; "target" is refused).
type PauseRequest struct {
	Command
	Mode string `json:"mode,omitempty"`
}

// ResumeRequest goes on from the checkpoints. FenceConfirmed is the operator's
// word that no older writer lives, needed where the middleware has neither KILL
// nor locks.
type ResumeRequest struct {
	Command
	FenceConfirmed bool `json:"fence_confirmed,omitempty"`
}

// RetryRequest is resume for failed tasks; with Table ("schema.table") it is the
// TablesRetry of a parked one.
type RetryRequest struct {
	Command
	Table          string `json:"table,omitempty"`
	FenceConfirmed bool   `json:"fence_confirmed,omitempty"`
}

// CredentialsRequest replaces one side's sealed endpoint.
type CredentialsRequest struct {
	Command
	Side     task.Side       `json:"side"`
	Endpoint task.SealedSide `json:"endpoint"`
}

// LimitRequest changes the limits of a running task.
type LimitRequest struct {
	Command
	Limits task.Limits `json:"limits"`
}

// Comparison types.
const (
	CompareObjects = "objects"
	CompareRows    = "rows"
	CompareValues  = "values"
)

// CompareRequest starts a comparison of the tables that match Tables (a glob on
// schema.table; empty: all).
type CompareRequest struct {
	Command
	Type   string `json:"type"`
	Tables string `json:"tables,omitempty"`
}

// StopRequest ends the task: normal when synced; Incomplete ends it though it
// is not; Force ends at once without sequences.
type StopRequest struct {
	Command
	Incomplete bool `json:"incomplete,omitempty"`
	Force      bool `json:"force,omitempty"`
}

// ResetRequest begins anew: fresh pre-check, fresh copy.
type ResetRequest struct {
	Command
	TruncateDestination bool `json:"truncate_destination,omitempty"`
}

// SyncPointRequest notes the source's position now.
type SyncPointRequest struct{ Command }
