package lifecycle

// Status is a task's API code.
type Status string

// The statuses a task can have.
const (
	Configuration   Status = "CONFIGURATION"
	WaitingForStart Status = "WAITING_FOR_START"
	Starting        Status = "STARTJOBING"
	StartFailed     Status = "START_JOB_FAILED"
	FullStarted     Status = "FULL_TRANSFER_STARTED"
	FullFailed      Status = "FULL_TRANSFER_FAILED"
	FullComplete    Status = "FULL_TRANSFER_COMPLETE"
	IncreStarted    Status = "INCRE_TRANSFER_STARTED"
	IncreFailed     Status = "INCRE_TRANSFER_FAILED"
	// Rebuild is shown when no live worker took the task's work for 60 s.
	Rebuild Status = "REBUILD_NODE_STARTED"
	// Paused is a task that was paused; DRS spells it so.
	Paused        Status = "PAUSING"
	Releasing     Status = "RELEASE_RESOURCE_STARTED"
	ReleaseFailed Status = "RELEASE_RESOURCE_FAILED"
	ReleaseDone   Status = "RELEASE_RESOURCE_COMPLETE"
	Deleted       Status = "DELETED"
)

// All returns every status, in the order of a task's life.
func All() []Status {
	return []Status{
		Configuration, WaitingForStart, Starting, StartFailed, FullStarted, FullFailed, FullComplete,
		IncreStarted, IncreFailed, Rebuild, Paused, Releasing, ReleaseFailed, ReleaseDone, Deleted,
	}
}

// Label is the word of the DRS console.
func (s Status) Label() string {
	switch s {
	case Configuration:
		return "Configuration"
	case WaitingForStart:
		return "Pending start"
	case Starting:
		return "Starting"
	case StartFailed:
		return "Start failed"
	case FullStarted:
		return "Full migration"
	case FullFailed:
		return "Full migration failed"
	case FullComplete:
		return "Full migration complete"
	case IncreStarted:
		return "Incremental migration"
	case IncreFailed:
		return "Incremental migration failed"
	case Rebuild:
		return "Fault rectification"
	case Paused:
		return "Paused"
	case Releasing:
		return "Stopping"
	case ReleaseFailed:
		return "Stopping task failed"
	case ReleaseDone:
		return "Completed"
	case Deleted:
		return "Deleted"
	default:
		return string(s)
	}
}

// Failed says whether the task waits for somebody because of an error.
func (s Status) Failed() bool {
	return s == StartFailed || s == FullFailed || s == IncreFailed || s == ReleaseFailed
}

// Ended says whether the task can never run again.
func (s Status) Ended() bool { return s == ReleaseDone || s == Deleted }

// Phase is the stretch of a migration that runs or will run next.
type Phase string

// The phases, in order; a full-only task has no PhaseIncremental.
const (
	PhaseConfiguration Phase = "configuration"
	PhaseStart         Phase = "start" // start position and chunk plan
	PhaseFull          Phase = "full"
	PhaseIncremental   Phase = "incremental"
	PhaseStop          Phase = "stop" // drain, sequences, report
	PhaseDone          Phase = "done"
)

// Running returns the status of a phase that is at work.
func (p Phase) Running() Status {
	switch p {
	case PhaseStart:
		return Starting
	case PhaseFull:
		return FullStarted
	case PhaseIncremental:
		return IncreStarted
	case PhaseStop:
		return Releasing
	case PhaseDone:
		return ReleaseDone
	default:
		return Configuration
	}
}

// FailedStatus returns the status of a phase that waits because of an error.
func (p Phase) FailedStatus() Status {
	switch p {
	case PhaseStart:
		return StartFailed
	case PhaseFull:
		return FullFailed
	case PhaseIncremental:
		return IncreFailed
	case PhaseStop:
		return ReleaseFailed
	default:
		return Configuration
	}
}
