package contract

import (
	"time"

	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// MaxGroups bounds the apply groups beside the task's own: each has a reader of
// the binlog. One table more that fails stops the task.
const MaxGroups = 20

// MaxTables bounds what one TablesRequest names: it stands in events.
const MaxTables = 100

// GroupState says what an apply group is doing.
type GroupState string

// The states of a group (docs/decisions/0011).
const (
	GroupParked   GroupState = "parked"   // waits for somebody, with its error
	GroupPlanning GroupState = "planning" // start position and chunks are being taken
	GroupCopying  GroupState = "copying"
	GroupApplying GroupState = "applying" // catches up with group 0
	GroupMerging  GroupState = "merging"
	GroupDropped  GroupState = "dropped" // left out for good; its rows stay on the destination
)

// Group is an apply group beside the task's own (group 0): tables with a binlog
// position of their own. Numbers begin at 1 and are never used again.
type Group struct {
	No int `json:"no"`
	// Tables are names on the source.
	Tables []table.Name `json:"tables"`
	State  GroupState   `json:"state"`
	Since  time.Time    `json:"since"`
	// Position is where the group's stream stood last.
	Position *position.Position `json:"position,omitempty"`
	// Error is why it is parked.
	Error *ErrorInfo `json:"error,omitempty"`
	// Copied: every chunk of its tables is done.
	Copied bool `json:"copied,omitempty"`
	// CopyEnd is the source's position after the last read, once its own copy has ended.
	CopyEnd *position.Position `json:"copy_end,omitempty"`
	// DeleteFirst: its rows are on the destination already, each chunk deletes its range before it writes.
	DeleteFirst bool `json:"delete_first,omitempty"`
	// PassDDL is the position of a statement that the operator has applied on the destination.
	PassDDL *position.Position `json:"pass_ddl,omitempty"`
	// Added: its tables were added to the running task; those of other groups were parked.
	Added bool `json:"added,omitempty"`
	// Replan: its chunks have to be planned before it goes on.
	Replan bool `json:"replan,omitempty"`
	// FenceConfirmed is the operator's word for the group's next step only.
	FenceConfirmed bool `json:"fence_confirmed,omitempty"`
}

// Open says whether the group is still to be merged or dropped.
func (g Group) Open() bool { return g.State != GroupDropped }

// The activities of groups. Each acquires the fences of the units whose state it
// changes; the units' boxes have returned before. Each may be repeated.
var (
	ParkTables = Activity[ParkIn, ParkOut]{"ParkTables"}
	PlanGroup  = Activity[PlanGroupIn, PlanCopyOut]{"PlanGroup"}
	MergeGroup = Activity[MergeIn, MergeOut]{"MergeGroup"}
	DropGroup  = Activity[MergeIn, Nothing]{"DropGroup"}
)

// ParkIn takes tables out of group 0 into a new group, whose checkpoint is group
// 0's, or Start when group 0 has none yet.
type ParkIn struct {
	TaskRef
	Owner
	Group  int               `json:"group"`
	Tables []table.Name      `json:"tables"`
	Start  position.Position `json:"start"`
}

// ParkOut is where the new group goes on.
type ParkOut struct {
	Position position.Position `json:"position"`
	// Copied: every chunk of the tables is done.
	Copied bool `json:"copied"`
}

// PlanGroupIn plans a copy of the group's tables: those of a parked group that
// are copied anew, or tables that were added to the task (the revision has them).
type PlanGroupIn struct {
	TaskRef
	Owner
	Group  int          `json:"group"`
	Tables []table.Name `json:"tables"`
}

// MergeIn merges a group into group 0, or drops it.
type MergeIn struct {
	TaskRef
	Owner
	Group int `json:"group"`
}

// MergeOut is where group 0 goes on: at the older of both positions, in safe
// mode, which converges from any of them.
type MergeOut struct {
	Position position.Position `json:"position"`
}

// Kinds of TablesRequest.
const (
	TablesRetry  = "retry"  // a parked group goes on
	TablesRecopy = "recopy" // a parked group is copied anew
	TablesDrop   = "drop"   // a parked group leaves the task; its rows stay
	TablesAdd    = "add"    // tables that are not selected yet join the task
)

// TablesRequest changes which tables the task moves, or lets parked ones go on.
type TablesRequest struct {
	Command
	Kind string `json:"kind"`
	// Tables are names on the source; a group goes on, or leaves, as a whole.
	Tables []table.Name `json:"tables"`
	// Objects select exactly the tables of a TablesAdd; they become rules of the new revision's Spec.
	Objects selection.Selection `json:"objects,omitempty"`
	// FenceConfirmed is the operator's word that no older writer of the group lives (retry, recopy).
	FenceConfirmed bool `json:"fence_confirmed,omitempty"`
}
