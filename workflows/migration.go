package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// system is the actor of what the task does by itself.
const system = "shardlift"

// migration is one run of a MigrationWorkflow.
type migration struct {
	state
	in    Input
	place place
	// release is the version of the program that began this run.
	release workflow.Version

	// interrupt cancels the phase that runs; nil while none does.
	interrupt workflow.CancelFunc
	// adding cancels the addition of tables that runs; joining are its tables while
	// the revision has them and the destination's metadata may not.
	adding  workflow.CancelFunc
	joining []table.Name
	// generation is raised by every command, so that waiting ends.
	generation int
	told       told
}

// Input is contract.MigrationInput with its Carry decoded.
type Input struct {
	contract.MigrationInput
	Carry *state `json:"carry,omitempty"`
}

// MigrationWorkflow is one task, from its creation to its end.
func MigrationWorkflow(ctx workflow.Context, in Input) error {
	m := newMigration(ctx, in)
	if err := m.register(ctx); err != nil {
		return err
	}
	// What a cancellation means is decided by requestedFromOutside; nothing else sees it.
	free, _ := workflow.NewDisconnectedContext(ctx)
	m.release = workflow.GetVersion(free, changeRelease, workflow.DefaultVersion, release)
	workflow.GoNamed(free, "cancellation", func(free workflow.Context) { m.cancelledFromOutside(ctx, free) })
	workflow.GoNamed(free, "comparisons", m.hearComparisons)
	workflow.GoNamed(free, "alarms", m.hearAlarms)
	workflow.GoNamed(free, "continue-as-new", func(free workflow.Context) {
		_ = workflow.Await(free, func() bool { return suggested(free) })
		m.wake()
		m.stopPhaseWork()
	})
	return m.run(free)
}

func newMigration(ctx workflow.Context, in Input) *migration {
	m := &migration{in: in}
	if in.Carry == nil {
		m.state = newState(in.Spec, workflow.Now(ctx))
		m.record(ctx, in.Actor, "created")
	} else {
		m.state = *in.Carry
	}
	m.place = newPlace(in.TaskID, m.Spec.WorkerGroup, in.HeartbeatTimeout)
	return m
}

func suggested(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// run is the loop: one step at a time until the task has ended.
func (m *migration) run(ctx workflow.Context) error {
	m.settle(ctx)
	for m.Phase != lifecycle.PhaseDone {
		if suggested(ctx) && !m.forced() {
			return m.continueAsNew(ctx)
		}
		m.step(ctx)
		m.settle(ctx)
	}
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

func (m *migration) step(ctx workflow.Context) {
	switch {
	case m.forced():
		m.endByForce(ctx)
	case m.idle():
		m.rest(ctx)
	case m.RetryAt != nil:
		m.awaitRetry(ctx)
	default:
		m.work(ctx)
	}
}

// idle says whether nothing happens before a command or the scheduled start.
func (m *migration) idle() bool {
	return m.Mode == paused || m.Mode == failed || m.Phase == lifecycle.PhaseConfiguration && !m.Precheck.Wanted
}

// rest waits for a command, the next thing that is due, or the time to continue
// as new.
func (m *migration) rest(ctx workflow.Context) {
	seen := m.generation
	woken := func() bool { return m.generation != seen || suggested(ctx) }
	due := m.due()
	if due == nil {
		_ = workflow.Await(ctx, woken)
		return
	}
	options := workflow.AwaitOptions{
		Timeout:      due.at.Sub(workflow.Now(ctx)),
		TimerOptions: workflow.TimerOptions{Summary: due.what + " at " + due.at.UTC().Format(time.RFC3339)},
	}
	if ok, err := workflow.AwaitWithOptions(ctx, options, woken); err == nil && !ok {
		due.do(ctx)
	}
}

func (m *migration) scheduledStart(ctx workflow.Context) {
	m.record(ctx, system, "scheduled start")
	m.begin(ctx)
	m.PrecheckFirst = true
}

// begin leaves the configuration.
func (m *migration) begin(ctx workflow.Context) {
	now := workflow.Now(ctx)
	m.StartedAt = &now
	m.Phase, m.Mode = lifecycle.PhaseStart, running
}

// work runs the phase until it has ended, failed, or a command interrupts it.
// It returns with no activity left behind, except when the stop is forced.
func (m *migration) work(ctx workflow.Context) {
	phaseCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	m.interrupt = cancel
	var done bool
	var err error
	workflow.GoNamed(phaseCtx, string(m.Phase), func(ctx workflow.Context) {
		err = m.phase(ctx)
		done = true
	})
	_ = workflow.Await(ctx, func() bool { return done || m.forced() })
	if !done {
		options := workflow.AwaitOptions{Timeout: forceGrace, TimerOptions: workflow.TimerOptions{Summary: "wait for activities to end"}}
		_, _ = workflow.AwaitWithOptions(ctx, options, func() bool { return done })
	}
	m.interrupt = nil
	if done && err != nil && phaseCtx.Err() == nil {
		m.fail(ctx, err)
	}
	if m.Mode == pausing {
		_ = workflow.Await(ctx, func() bool { return m.adding == nil || m.forced() })
		m.Mode = paused
		m.record(ctx, system, "paused")
	}
}

func (m *migration) phase(ctx workflow.Context) error {
	switch m.Phase {
	case lifecycle.PhaseConfiguration:
		return m.precheckOnCommand(ctx)
	case lifecycle.PhaseStart:
		return m.startPhase(ctx)
	case lifecycle.PhaseFull:
		return m.copyPhase(ctx)
	case lifecycle.PhaseIncremental:
		return m.applyPhase(ctx)
	case lifecycle.PhaseStop:
		return m.stopPhase(ctx)
	default:
		return nil
	}
}

// fail makes the phase wait for an automatic retry, or for somebody.
func (m *migration) fail(ctx workflow.Context, err error) {
	info := errorInfo(ctx, err)
	m.FenceConfirmed = false
	if m.retryLater(ctx, info) {
		return
	}
	m.LastError = &info
	m.Mode = failed
	m.record(ctx, system, "failed: "+info.Code+" "+info.Message)
	workflow.GetLogger(ctx).Warn("task stopped", "phase", m.Phase, "code", info.Code)
}

// stopPhaseWork cancels what the phase runs; the loop goes on when it has returned.
func (m *migration) stopPhaseWork() {
	if m.adding != nil {
		m.adding()
	}
	if m.interrupt != nil {
		m.interrupt()
	}
}

func (m *migration) wake() { m.generation++ }

func (m *migration) forced() bool {
	return m.Stop != nil && m.Stop.Force && m.Phase != lifecycle.PhaseDone
}

// cancelledFromOutside turns "Request Cancellation" in the Web UI into a stop,
// incomplete where the task is not that far.
func (m *migration) cancelledFromOutside(ctx, free workflow.Context) {
	ctx.Done().Receive(free, nil)
	if m.Phase == lifecycle.PhaseDone || m.Stop != nil {
		return
	}
	m.stop(free, "temporal", contract.StopRequest{Incomplete: m.Phase == lifecycle.PhaseFull && !m.CopyDone || m.openGroups() > 0})
}

// continueAsNew starts the next run once nothing of this one is in flight.
// Phase work has returned already; comparisons go on.
func (m *migration) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	m.drainSignals(ctx)
	m.drainAlarms(ctx)
	next := m.in
	next.Spec = task.Spec{} // the state has it
	next.Carry = &m.state
	return workflow.NewContinueAsNewError(ctx, contract.MigrationWorkflow, next)
}

// record adds a line to the task's history.
func (m *migration) record(ctx workflow.Context, actor, text string) {
	const longest = 300
	if len(text) > longest {
		text = text[:longest]
	}
	m.Events = last(append(m.Events, contract.Event{At: workflow.Now(ctx), Actor: actor, Text: text}), keptEvents)
}

// ref names the task's present revision to an activity.
func (m *migration) ref() contract.TaskRef {
	return contract.TaskRef{TaskID: m.in.TaskID, Revision: m.Revision}
}

// planner numbers the next plan or reset.
func (m *migration) planner() contract.Owner {
	m.Box++
	return contract.Owner{Box: m.Box}
}

// owner numbers the next box of the apply. The operator's word on fences is
// good for one box.
func (m *migration) owner() contract.Owner {
	m.Box++
	o := contract.Owner{Box: m.Box, FenceConfirmed: m.FenceConfirmed}
	if m.Plan != nil {
		o.Epoch = m.Plan.Epoch
	}
	m.FenceConfirmed = false
	return o
}
