package workflows

import (
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/task"
)

// Bounds of what a task remembers.
const (
	keptEvents      = 50
	keptSyncPoints  = 20
	keptWarnings    = 20
	keptComparisons = 50
	// copyBoxes is how many boxes one run of CopyWorkflow may count before it
	// would meet the next run's.
	copyBoxes = 1 << 20
)

// mode says whether the phase is at work.
type mode string

const (
	running mode = "running"
	pausing mode = "pausing" // told to pause, activities have not all returned
	paused  mode = "paused"
	failed  mode = "failed"
)

// state is everything a task remembers, carried through continue-as-new.
// Fields are added, never renamed.
type state struct {
	Spec      task.Spec       `json:"spec"`
	Revision  int             `json:"revision"`
	Phase     lifecycle.Phase `json:"phase"`
	Mode      mode            `json:"mode"`
	Since     time.Time       `json:"since"` // of the status
	CreatedAt time.Time       `json:"created_at"`
	// StartAt is set while a start is scheduled, and stays for display after it.
	StartAt   *time.Time `json:"start_at,omitempty"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`

	Precheck precheckState `json:"precheck"`
	// PrecheckFirst: the start was scheduled or failed in its pre-check, which is run (again) before the plan.
	PrecheckFirst bool                 `json:"precheck_first,omitempty"`
	Source        contract.ServerFacts `json:"source"`
	Destination   contract.ServerFacts `json:"destination"`

	// Plan is nil until PlanCopy has returned and after a reset.
	Plan *contract.PlanCopyOut `json:"plan,omitempty"`
	// DeleteFirst: the task was reset, the destination holds rows of the former copy.
	DeleteFirst bool  `json:"delete_first,omitempty"`
	Box         int64 `json:"box"`
	// FenceConfirmed is the operator's word for the next attempt only.
	FenceConfirmed bool               `json:"fence_confirmed,omitempty"`
	CopyDone       bool               `json:"copy_done,omitempty"`
	CopyEnd        *position.Position `json:"copy_end,omitempty"`
	Applied        *position.Position `json:"applied,omitempty"`
	Divergences    int64              `json:"divergences,omitempty"`
	// Groups are the tables that have a position of their own (docs/decisions/0011); GroupNo counts them.
	Groups  []contract.Group `json:"groups,omitempty"`
	GroupNo int              `json:"group_no,omitempty"`
	// Left are numbers of groups that an addition has left in the metadata when it could not be taken back.
	Left []int `json:"left,omitempty"`
	// Progress of the copy and PurgeAt are what WatchSource saw last; PurgeAt only while it does not run.
	Progress *contract.CopyProgress `json:"progress,omitempty"`
	PurgeAt  *time.Time             `json:"purge_at,omitempty"`
	Alarms   []contract.TaskAlarm   `json:"alarms,omitempty"`
	// RetryAt is set while the phase waits for an automatic retry; Retries counts them, RetriedAt is the last one's time.
	RetryAt   *time.Time         `json:"retry_at,omitempty"`
	Retries   int                `json:"retries,omitempty"`
	RetriedAt time.Time          `json:"retried_at"`
	PassDDL   *position.Position `json:"pass_ddl,omitempty"`

	// Reset is a reset that has not been carried out yet.
	Reset *contract.ResetIn `json:"reset,omitempty"`
	// Stop is set from the stop command on; StopPosition is read once.
	Stop         *stopState               `json:"stop,omitempty"`
	StopPosition *position.Position       `json:"stop_position,omitempty"`
	StopHead     *contract.HeadOut        `json:"stop_head,omitempty"`
	Sequences    contract.SequenceSummary `json:"sequences"`
	Report       *contract.Report         `json:"report,omitempty"`
	LastError    *contract.ErrorInfo      `json:"last_error,omitempty"`
	Warnings     []string                 `json:"warnings,omitempty"`
	// Notified is the reason that people were told last; NotifyNo counts.
	Notified     string                      `json:"notified,omitempty"`
	NotifyNo     int                         `json:"notify_no,omitempty"`
	PurgeTold    bool                        `json:"purge_told,omitempty"` // beside another reason
	Events       []contract.Event            `json:"events,omitempty"`
	SyncPoints   []contract.SyncPoint        `json:"sync_points,omitempty"`
	SyncPointNo  int                         `json:"sync_point_no,omitempty"`
	Comparing    string                      `json:"comparing,omitempty"` // id of the one that runs
	ComparisonNo int                         `json:"comparison_no,omitempty"`
	Comparisons  []string                    `json:"comparisons,omitempty"`
	Comparison   *contract.ComparisonSummary `json:"comparison,omitempty"`
}

// stopState is how a task ends.
type stopState struct {
	// From is the phase that was stopped: only the incremental one drains.
	From       lifecycle.Phase `json:"from"`
	Incomplete bool            `json:"incomplete,omitempty"`
	Force      bool            `json:"force,omitempty"`
	Drained    bool            `json:"drained,omitempty"`
}

// precheckState is the pre-check of one revision.
type precheckState struct {
	// Wanted is a run that was asked for; Only limits it to some items.
	Wanted   bool                          `json:"wanted,omitempty"`
	Only     []string                      `json:"only,omitempty"`
	Revision int                           `json:"revision,omitempty"`
	At       time.Time                     `json:"at"` // of the oldest result
	Items    []contract.PrecheckItemResult `json:"items,omitempty"`
}

func newState(spec task.Spec, now time.Time) state {
	return state{
		Spec: spec, Revision: 1, Phase: lifecycle.PhaseConfiguration, Mode: running, Since: now, CreatedAt: now,
		Sequences: contract.SequenceSummary{State: sequencesPending},
	}
}

// status follows from phase and mode; it is stored nowhere else.
func (s *state) status() lifecycle.Status {
	switch {
	case s.Mode == paused:
		return lifecycle.Paused
	case s.Mode == failed:
		return s.Phase.FailedStatus()
	case s.Phase == lifecycle.PhaseConfiguration && s.StartAt != nil:
		return lifecycle.WaitingForStart
	case s.Phase == lifecycle.PhaseFull && s.CopyDone:
		return lifecycle.FullComplete
	default:
		return s.Phase.Running()
	}
}

// advance ends a phase, unless a command has moved the task elsewhere meanwhile.
func (s *state) advance(from, to lifecycle.Phase) {
	if s.Phase == from {
		s.Phase, s.Retries = to, 0
	}
}

// drains says whether the stop applies everything up to a stop position first.
func (s *state) drains() bool {
	return s.Stop != nil && s.Stop.From == lifecycle.PhaseIncremental && !s.Stop.Incomplete && !s.Stop.Force
}

// complete says whether a stopped task has moved everything it had to.
func (s *state) complete() bool {
	if s.Spec.Type == task.Full {
		return s.CopyDone
	}
	return s.Stop != nil && s.Stop.Drained
}

func (s *state) warn(text string) {
	s.Warnings = last(append(s.Warnings, text), keptWarnings)
}

// last returns the last n elements in a slice of their own.
func last[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	return append([]T(nil), list[len(list)-n:]...)
}
