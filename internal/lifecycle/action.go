package lifecycle

import "slices"

// Action is what a user can ask of a task.
type Action string

// The actions.
const (
	Edit           Action = "edit"
	TestConnection Action = "test"
	Precheck       Action = "precheck"
	Confirm        Action = "confirm"
	Start          Action = "start"
	Reschedule     Action = "reschedule"
	Pause          Action = "pause"
	Resume         Action = "resume"
	Retry          Action = "retry"
	RetryTable     Action = "retry-table"
	RecopyTable    Action = "recopy"
	DropTable      Action = "drop"
	AddTables      Action = "add"
	SetCredentials Action = "set-credentials"
	Limit          Action = "limit"
	Compare        Action = "compare"
	Stop           Action = "stop"
	ForceStop      Action = "force-stop"
	Reset          Action = "reset"
	Delete         Action = "delete"
)

// Actions returns every action in the order menus show them.
func Actions() []Action {
	return []Action{
		Edit, TestConnection, Precheck, Confirm, Start, Reschedule, Pause, Resume, Retry,
		RetryTable, RecopyTable, DropTable, AddTables,
		SetCredentials, Limit, Compare, Stop, ForceStop, Reset, Delete,
	}
}

// allowed lists the statuses in which an action is allowed (drs.md 3.2, L-01 to
// L-21); what the table does not list is refused.
func (a Action) allowed() []Status {
	switch a {
	case Edit:
		return []Status{
			Configuration, WaitingForStart, Starting, StartFailed, FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed,
			Rebuild, Paused, Releasing, ReleaseFailed,
		}
	case TestConnection:
		return []Status{Configuration, WaitingForStart, StartFailed, FullFailed, IncreFailed, Paused}
	case Precheck:
		return []Status{Configuration, WaitingForStart}
	case Confirm: // a scheduled start may meet a new alarm
		return []Status{Configuration, WaitingForStart, StartFailed}
	case Start:
		return []Status{Configuration}
	case Reschedule:
		return []Status{WaitingForStart}
	case Pause:
		return []Status{Starting, FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed, Rebuild}
	case Resume:
		return []Status{StartFailed, FullFailed, IncreFailed, ReleaseFailed, Paused}
	case Retry:
		return []Status{StartFailed, FullFailed, IncreFailed, ReleaseFailed}
	case RetryTable, DropTable: // tables that are parked
		return []Status{FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed, Rebuild, Paused}
	case RecopyTable: // while the full copy goes on, a retry copies again what is missing
		return []Status{FullComplete, IncreStarted, IncreFailed, Rebuild, Paused}
	case AddTables:
		return []Status{IncreStarted, Rebuild}
	case SetCredentials:
		return []Status{Configuration, WaitingForStart, Starting, StartFailed, FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed, Rebuild, Paused, ReleaseFailed}
	case Limit:
		return []Status{Configuration, WaitingForStart, Starting, FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed, Rebuild, Paused}
	case Compare:
		return []Status{FullComplete, IncreStarted, IncreFailed, Paused}
	case Stop:
		return []Status{Configuration, WaitingForStart, Starting, StartFailed, FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed, Paused, ReleaseFailed}
	case ForceStop:
		return []Status{Configuration, WaitingForStart, Starting, StartFailed, FullStarted, FullFailed, FullComplete, IncreStarted, IncreFailed, Rebuild, Paused, Releasing, ReleaseFailed}
	case Reset:
		return []Status{StartFailed, FullFailed, IncreFailed, Paused}
	case Delete:
		return []Status{ReleaseDone}
	default:
		return nil
	}
}

// Allowed says whether the action may be taken in the status.
func (a Action) Allowed(s Status) bool { return slices.Contains(a.allowed(), s) }

// Reason says why an action is not allowed in a status, and where it is; empty
// when it is allowed.
func (a Action) Reason(s Status) string {
	if a.Allowed(s) {
		return ""
	}
	switch {
	case s.Ended() && a != Delete:
		return "the task has ended and is never restarted"
	case a == Delete:
		return "stop the task first"
	case a == Start && s == WaitingForStart:
		return "the task is scheduled; use reschedule"
	case a == Start:
		return "the task was started already"
	case a == Reschedule && s == Configuration:
		return "the task is not scheduled; use start"
	case a == Resume || a == Retry:
		return "the task is neither paused nor failed"
	case a == RetryTable || a == DropTable:
		return "no table is parked before the full copy runs, nor while the task stops"
	case a == RecopyTable:
		return "tables are copied anew after the full copy; until then use retry --table"
	case a == AddTables:
		return "tables are added while changes are applied; before the start edit the objects"
	case a == Reset:
		return "only a paused or failed task can be reset"
	case a == Compare:
		return "there is nothing to compare before the full copy is complete"
	case a == Precheck || a == Confirm || a == Reschedule:
		return "not after the start"
	default:
		return "not while the task is " + s.Label()
	}
}

// Available returns the actions allowed in a status.
func Available(s Status) []Action {
	var out []Action
	for _, a := range Actions() {
		if a.Allowed(s) {
			out = append(out, a)
		}
	}
	return out
}
