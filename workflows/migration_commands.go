package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

// answerLimit is how long a command that needs a database may take.
const answerLimit = 20 * time.Second

// pauseAnswer is how long a pause waits before it answers; without pushed
// cancellation an activity hears of it with its next heartbeat, 10 s at most.
const pauseAnswer = 3 * time.Second

// request is what all requests have in common: their embedded Command.
type request interface{ Base() contract.Command }

// command ties an update to its action in the lifecycle table, to what else has
// to hold, and to what it does. A refusal leaves nothing behind.
type command[R request] struct {
	update contract.Update[R]
	about  string
	action func(R) lifecycle.Action
	check  func(ctx workflow.Context, r R) error
	do     func(ctx workflow.Context, r R) (contract.CommandResult, error)
}

func always[R request](a lifecycle.Action) func(R) lifecycle.Action {
	return func(R) lifecycle.Action { return a }
}

// register makes every update and query answer. It comes before the first
// blocking call, so that a command may travel with the start of the workflow.
func (m *migration) register(ctx workflow.Context) error {
	if err := m.registerQueries(ctx); err != nil {
		return err
	}
	registrations := []func() error{
		func() error {
			return handle(ctx, m, command[contract.EditRequest]{contract.UpdateEdit, "change the specification", always[contract.EditRequest](lifecycle.Edit), m.checkEdit, m.edit})
		},
		func() error {
			return handle(ctx, m, command[contract.PrecheckRequest]{contract.UpdatePrecheck, "run the pre-check", always[contract.PrecheckRequest](lifecycle.Precheck), m.checkPrecheck, m.precheck})
		},
		func() error {
			return handle(ctx, m, command[contract.ConfirmRequest]{contract.UpdateConfirm, "confirm alarms of the pre-check", always[contract.ConfirmRequest](lifecycle.Confirm), m.checkConfirm, m.confirm})
		},
		func() error {
			return handle(ctx, m, command[contract.StartRequest]{contract.UpdateStart, "start now or at a time", always[contract.StartRequest](lifecycle.Start), m.checkStart, m.start})
		},
		func() error {
			return handle(ctx, m, command[contract.StartRequest]{contract.UpdateReschedule, "change the time of the start", always[contract.StartRequest](lifecycle.Reschedule), m.checkTime, m.reschedule})
		},
		func() error {
			return handle(ctx, m, command[contract.PauseRequest]{contract.UpdatePause, "pause", always[contract.PauseRequest](lifecycle.Pause), checkPause, m.pause})
		},
		func() error {
			return handle(ctx, m, command[contract.ResumeRequest]{contract.UpdateResume, "go on from the checkpoints", always[contract.ResumeRequest](lifecycle.Resume), nil, m.resume})
		},
		func() error {
			return handle(ctx, m, command[contract.RetryRequest]{contract.UpdateRetry, "try again after a failure", retryAction, m.checkRetry, m.retry})
		},
		func() error {
			return handle(ctx, m, command[contract.CredentialsRequest]{contract.UpdateSetCredentials, "replace the credentials of one side", always[contract.CredentialsRequest](lifecycle.SetCredentials), m.checkCredentials, m.setCredentials})
		},
		func() error {
			return handle(ctx, m, command[contract.LimitRequest]{contract.UpdateLimit, "change the limits", always[contract.LimitRequest](lifecycle.Limit), nil, m.limit})
		},
		func() error {
			return handle(ctx, m, command[contract.CompareRequest]{contract.UpdateCompare, "compare source and destination", always[contract.CompareRequest](lifecycle.Compare), m.checkCompare, m.compare})
		},
		func() error {
			return handle(ctx, m, command[contract.StopRequest]{contract.UpdateStop, "end the task", stopAction, m.checkStop, m.onStop})
		},
		func() error {
			return handle(ctx, m, command[contract.ResetRequest]{contract.UpdateReset, "begin anew", always[contract.ResetRequest](lifecycle.Reset), nil, m.onReset})
		},
		func() error {
			return handle(ctx, m, command[contract.TablesRequest]{contract.UpdateTables, "retry, recopy, drop or add tables", tablesAction, m.checkTables, m.tables})
		},
		func() error {
			return handle(ctx, m, command[contract.SyncPointRequest]{contract.UpdateSyncPoint, "note the source's position", nil, m.checkSyncPoint, m.syncPoint})
		},
	}
	for _, r := range registrations {
		if err := r(); err != nil {
			return err
		}
	}
	return nil
}

func handle[R request](ctx workflow.Context, m *migration, c command[R]) error {
	handler := func(ctx workflow.Context, r R) (contract.CommandResult, error) {
		free, _ := workflow.NewDisconnectedContext(ctx)
		result, err := c.do(free, r)
		if err != nil {
			return contract.CommandResult{}, m.refuse(errorOf(free, err))
		}
		m.wake()
		m.settle(free)
		result.Status, result.Phase, result.Revision = m.status(), m.Phase, m.Revision
		return result, nil
	}
	validator := func(ctx workflow.Context, r R) error {
		if c.action != nil {
			if err := m.allowed(c.action(r), r.Base()); err != nil {
				return m.refuse(err)
			}
		}
		if c.check != nil {
			if err := c.check(ctx, r); err != nil {
				return m.refuse(err)
			}
		}
		return nil
	}
	options := workflow.UpdateHandlerOptions{Validator: validator, Description: c.about}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, c.update.Name, handler, options); err != nil {
		return fmt.Errorf("register update %s: %w", c.update.Name, err)
	}
	return nil
}

// allowed asks the lifecycle table, then compares the revision. An automatic
// retry that waits for its time may be taken at once, whatever the status.
func (m *migration) allowed(a lifecycle.Action, c contract.Command) error {
	if s := m.status(); !a.Allowed(s) && (a != lifecycle.Retry || m.RetryAt == nil) {
		return fault.RefusedInState.New(string(a), "%s", a.Reason(s))
	}
	if c.Revision != 0 && c.Revision != m.Revision {
		return fault.LateRevision.New("", "it has revision %d, the command is based on %d", m.Revision, c.Revision)
	}
	return nil
}

// refuse turns a fault into the update's error: type is the code, the detail a
// contract.Refusal.
func (m *migration) refuse(err error) error {
	f, ok := fault.As(err)
	if !ok {
		return err
	}
	status := m.status()
	detail := contract.Refusal{
		Code: f.Code, Object: f.Object, Message: f.Message, Remedy: f.Remedy,
		Status: status, Phase: m.Phase, Revision: m.Revision, AvailableActions: lifecycle.Available(status),
	}
	return temporal.NewApplicationErrorWithOptions(f.Error(), f.Code,
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{detail}})
}

func (m *migration) checkTime(ctx workflow.Context, r contract.StartRequest) error {
	if r.At != nil && !r.At.After(workflow.Now(ctx)) {
		return fault.StartInPast.New("at", "")
	}
	return nil
}

func (m *migration) checkStart(ctx workflow.Context, r contract.StartRequest) error {
	s := m.precheckSummary(ctx)
	switch {
	case m.missing() != "":
		return fault.NotConfigured.New(m.missing(), "")
	case s.State == precheckRunning:
		return fault.PrecheckRunning.New("", "")
	case s.State == precheckExpired:
		return fault.PrecheckExpired.New("", "")
	case s.State == precheckNone:
		return fault.PrecheckMissing.New("", "")
	case s.PassedRate < 100:
		return fault.PrecheckBelow.New("", "%d failed, %d alarms not confirmed, %d %% passed", s.Failed, s.Unconfirmed, s.PassedRate)
	}
	return m.checkTime(ctx, r)
}

func (m *migration) start(ctx workflow.Context, r contract.StartRequest) (contract.CommandResult, error) {
	if r.At == nil {
		m.record(ctx, r.Actor, "start")
		m.begin(ctx)
		return contract.CommandResult{}, nil
	}
	m.StartAt = r.At
	m.record(ctx, r.Actor, "start scheduled for "+r.At.UTC().Format(time.RFC3339))
	return contract.CommandResult{}, nil
}

// reschedule changes the time; without one the task starts now. Either way the
// pre-check runs again first: the one that allowed the start may be old.
func (m *migration) reschedule(ctx workflow.Context, r contract.StartRequest) (contract.CommandResult, error) {
	if r.At != nil {
		m.StartAt = r.At
		m.record(ctx, r.Actor, "start rescheduled for "+r.At.UTC().Format(time.RFC3339))
		return contract.CommandResult{}, nil
	}
	m.record(ctx, r.Actor, "start now")
	m.stopPhaseWork() // a pre-check that runs: the start runs its own
	m.Precheck.Wanted = false
	m.begin(ctx)
	m.PrecheckFirst = true
	return contract.CommandResult{}, nil
}

func checkPause(_ workflow.Context, r contract.PauseRequest) error {
	if r.Mode != "" && r.Mode != "all" {
		return fault.PauseMode.New("mode "+r.Mode, "capture without apply would fill a relay log on a worker")
	}
	return nil
}

// pause answers when every activity has returned, or after a while with the
// status as it is then.
func (m *migration) pause(ctx workflow.Context, r contract.PauseRequest) (contract.CommandResult, error) {
	m.record(ctx, r.Actor, "pause")
	m.noRetry()
	if m.interrupt == nil || m.Mode == failed {
		m.Mode = paused
		return contract.CommandResult{}, nil
	}
	m.Mode = pausing
	m.stopPhaseWork()
	options := workflow.AwaitOptions{Timeout: pauseAnswer, TimerOptions: workflow.TimerOptions{Summary: "answer the pause command"}}
	_, err := workflow.AwaitWithOptions(ctx, options, func() bool { return m.Mode != pausing })
	return contract.CommandResult{}, err
}

func (m *migration) resume(ctx workflow.Context, r contract.ResumeRequest) (contract.CommandResult, error) {
	m.FenceConfirmed = r.FenceConfirmed
	m.goOn(ctx, r.Actor, "resume")
	return contract.CommandResult{}, nil
}

// goOn runs the phase again. A statement that stopped the apply is passed: the
// operator has made the same change on the destination.
func (m *migration) goOn(ctx workflow.Context, actor, text string) {
	if m.LastError != nil && m.LastError.Position != nil {
		m.PassDDL = m.LastError.Position
		text += ", past the statement at " + m.PassDDL.String()
	}
	m.LastError = nil
	m.RetryAt, m.Retries = nil, 0
	m.Mode = running
	m.record(ctx, actor, text)
}

func (m *migration) checkCredentials(_ workflow.Context, r contract.CredentialsRequest) error {
	if r.Side != task.SourceSide && r.Side != task.DestinationSide {
		return fault.InvalidField.New("side", "must be source or destination")
	}
	if r.Endpoint.Endpoint.IsZero() {
		return fault.InvalidField.New("endpoint", "missing")
	}
	return nil
}

// setCredentials replaces one sealed side. The phase starts again, so that no
// connection of the old credentials goes on.
func (m *migration) setCredentials(ctx workflow.Context, r contract.CredentialsRequest) (contract.CommandResult, error) {
	m.replaceSide(r.Side, r.Endpoint)
	m.Spec.GiveCredentials(r.Side)
	m.Revision++
	m.record(ctx, r.Actor, "credentials of the "+string(r.Side)+" changed")
	m.retryNow()
	m.stopPhaseWork()
	return contract.CommandResult{}, nil
}

func (m *migration) replaceSide(which task.Side, endpoint task.SealedSide) {
	side := &m.Spec.Source
	if which == task.DestinationSide {
		side = &m.Spec.Destination
	}
	schema := side.MetadataSchema
	*side = endpoint
	if m.Plan != nil {
		side.MetadataSchema = schema // where the progress is
	}
	m.Spec.GiveCredentials(which)
}

func (m *migration) limit(ctx workflow.Context, r contract.LimitRequest) (contract.CommandResult, error) {
	if err := m.tellLimits(ctx, r.Limits, m.Spec.Alarms); err != nil {
		return contract.CommandResult{}, err
	}
	m.Spec.Limits = r.Limits
	m.record(ctx, r.Actor, fmt.Sprintf("limits: %d MB/s, %d rows/s", r.Limits.MBPerSecond, r.Limits.RowsPerSecond))
	return contract.CommandResult{}, nil
}

// tellLimits writes the control row that running steps read; before the plan
// there is none, and the start writes it.
func (m *migration) tellLimits(ctx workflow.Context, l task.Limits, a task.Alarms) error {
	if m.Plan == nil || l.Equal(m.Spec.Limits) && !m.alarmsChange(ctx, a) {
		return nil
	}
	_, err := callBriefly(ctx, m.place, answerLimit, contract.StoreLimits, "store the limits",
		contract.LimitsIn{TaskRef: m.ref(), Limits: l, Alarms: &a})
	return err
}

func stopAction(r contract.StopRequest) lifecycle.Action {
	if r.Force {
		return lifecycle.ForceStop
	}
	return lifecycle.Stop
}

// checkStop refuses a normal stop of a copy that is not complete, and one while
// tables stand apart; what the
// incremental phase has not applied yet, the stop drains.
func (m *migration) checkStop(_ workflow.Context, r contract.StopRequest) error {
	if r.Force || r.Incomplete || m.Plan == nil {
		return nil
	}
	if n := m.openGroups(); n > 0 {
		return fault.GroupsOpen.New("", "%d tables or groups of tables", n)
	}
	if m.CopyDone {
		return nil
	}
	return fault.NotSynced.New("", "the full copy is not complete")
}

func (m *migration) onStop(ctx workflow.Context, r contract.StopRequest) (contract.CommandResult, error) {
	m.stop(ctx, r.Actor, r)
	return contract.CommandResult{}, nil
}

func (m *migration) stop(ctx workflow.Context, actor string, r contract.StopRequest) {
	if m.Stop == nil {
		from := m.Phase
		if m.CopyDone && m.Spec.Type == task.FullIncremental {
			from = lifecycle.PhaseIncremental
		}
		m.Stop = &stopState{From: from}
	}
	m.Stop.Incomplete = r.Incomplete
	m.Stop.Force = r.Force
	text := "stop"
	switch {
	case r.Force:
		text = "stop by force"
	case r.Incomplete:
		text = "stop, incomplete"
	}
	m.record(ctx, actor, text)
	m.Phase, m.Mode, m.LastError = lifecycle.PhaseStop, running, nil
	m.RetryAt, m.Retries = nil, 0
	m.stopPhaseWork()
	m.wake()
}

func (m *migration) onReset(ctx workflow.Context, r contract.ResetRequest) (contract.CommandResult, error) {
	text := "reset"
	if r.TruncateDestination {
		text = "reset, with the destination's tables"
	}
	m.record(ctx, r.Actor, text)
	m.cancelComparison(ctx)
	m.Reset = &contract.ResetIn{Truncate: r.TruncateDestination}
	m.Phase, m.Mode, m.LastError = lifecycle.PhaseStart, running, nil
	return contract.CommandResult{}, nil
}

func (m *migration) checkSyncPoint(_ workflow.Context, r contract.SyncPointRequest) error {
	if r.Revision != 0 && r.Revision != m.Revision {
		return fault.LateRevision.New("", "it has revision %d, the command is based on %d", m.Revision, r.Revision)
	}
	if m.Spec.Type != task.FullIncremental || m.Plan == nil || m.Phase == lifecycle.PhaseDone {
		return fault.NoSyncPoint.New("", "")
	}
	return nil
}

// syncPoint reads the source's position now: whoever waits for it waits for
// every change committed before the command.
func (m *migration) syncPoint(ctx workflow.Context, _ contract.SyncPointRequest) (contract.CommandResult, error) {
	head, err := callBriefly(ctx, m.place, answerLimit, contract.ReadHead, "read a sync point", m.ref())
	if err != nil {
		return contract.CommandResult{}, err
	}
	m.SyncPointNo++
	m.SyncPoints = last(append(m.SyncPoints, contract.SyncPoint{Number: m.SyncPointNo, Position: head.Position, At: head.At}), keptSyncPoints)
	return contract.CommandResult{SyncPoint: m.SyncPointNo}, nil
}
