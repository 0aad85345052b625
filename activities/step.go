package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/destination"
	"shardlift/internal/fault"
)

const (
	// stallLimit is how long nothing may move before a step counts as hung.
	stallLimit = 10 * time.Minute
	// drainGrace is how long a step may take to reach the end of its chunk or
	// window after a pause, before its context is cancelled: a pause takes effect
	// within a second, and a chunk or window that was cut off is repeated.
	drainGrace = 700 * time.Millisecond
	// patientGrace is for destinations where nobody can tell when a statement
	// that was cut off has ended.
	patientGrace = 8 * time.Second
	pulseEvery   = time.Second
	// showEvery is how old the numbers of a live step may be, showTime how long one
	// sending of them may take.
	showEvery = 2 * time.Second
	showTime  = 2 * time.Second
)

// step is the life of one long activity. Its context outlives the activity's
// by the time to drain: a pause or the worker's stop closes drain first.
//
// Heartbeats are sent while something moves: a ticker alone would keep a hung
// step alive for ever. Whoever works calls beat or moved.
type step struct {
	parent context.Context // the activity's
	ctx    context.Context // the work's
	limit  time.Duration
	cancel context.CancelCauseFunc
	drain  chan struct{}
	ended  chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex
	grace   time.Duration
	details any
	mark    any
	at      time.Time
	show    func(ctx context.Context, details any) error // of a live step
	fresh   bool                                         // details were not shown yet
	shown   time.Time
	meter   client.MetricsHandler // nil: not measured
}

// begin starts a step; the caller works with the context it returns and calls
// end when the work has returned.
func begin(parent context.Context) (context.Context, *step) {
	return beginWith(parent, stallLimit, drainGrace, pulseEvery)
}

func beginWith(parent context.Context, limit, grace, every time.Duration) (context.Context, *step) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	s := &step{
		parent: parent, ctx: ctx, limit: limit, grace: grace, cancel: cancel,
		drain: make(chan struct{}), ended: make(chan struct{}), at: time.Now(),
	}
	activity.RecordHeartbeat(parent)
	s.done.Go(func() { s.pulse(every) })
	s.done.Go(s.follow)
	return ctx, s
}

// end waits for the step's goroutines and returns the work's error; a stall says
// more than the cancellation that it caused.
func (s *step) end(err error) error {
	close(s.ended)
	s.done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.details != nil { // the last numbers, for whoever looks before the next step's first
		activity.RecordHeartbeat(s.parent, s.details)
	}
	if stalled, ok := errors.AsType[*fault.Error](context.Cause(s.ctx)); ok && err != nil {
		err = stalled
	}
	s.cancel(nil)
	return err
}

// beat shows details. mark is what has to change for the step to count as
// moving, comparable; excused is true while there is nothing to move (caught
// up, throttled).
func (s *step) beat(details, mark any, excused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.details, s.fresh = details, true
	if s.meter != nil {
		record(s.meter, details)
	}
	if mark != s.mark || excused {
		s.mark, s.at = mark, time.Now()
	}
}

// patient gives a step that writes more time to drain where neither locks nor
// KILL pass the destination: the operator would have to confirm the next start.
func (s *step) patient(i destination.Info) {
	if i.Lock != destination.LockNone || i.Kill == destination.KillConnection {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grace = patientGrace
}

// live shows what beat is given within showEvery. The SDK sends heartbeats every
// 10 s only, because one that fails ends the step (temporal.md 0.3); nothing
// hangs on what is sent beside them. It costs a call to Temporal every two
// seconds, so only what a page shows of a task as a whole is live.
func (s *step) live(c client.Client) {
	if c == nil {
		return
	}
	token := activity.GetInfo(s.parent).TaskToken
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show = func(ctx context.Context, details any) error {
		ctx, cancel := context.WithTimeout(ctx, showTime)
		defer cancel()
		return c.RecordActivityHeartbeat(ctx, token, details) //nolint:wrapcheck // nobody reads it
	}
}

// showFresh sends the details of a live step when it is time to.
func (s *step) showFresh() {
	s.mu.Lock()
	show, details := s.show, s.details
	if show == nil || !s.fresh || time.Since(s.shown) < showEvery-pulseEvery/2 {
		s.mu.Unlock()
		return
	}
	s.fresh, s.shown = false, time.Now()
	s.mu.Unlock()
	_ = show(s.parent, details) // the next ones are sent anyway
}

// moved notes progress of a step that has no details.
func (s *step) moved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = time.Now()
}

func (s *step) pulse(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		details, still := s.details, time.Since(s.at)
		s.mu.Unlock()
		if still > s.limit {
			s.cancel(fault.Stalled.New(activity.GetInfo(s.parent).ActivityType.Name, "nothing moved for %s", s.limit))
			return
		}
		if details == nil {
			activity.RecordHeartbeat(s.parent)
		} else {
			activity.RecordHeartbeat(s.parent, details)
		}
		s.showFresh()
	}
}

// follow turns the activity's end into a drain, then into a cancellation.
func (s *step) follow() {
	select {
	case <-s.ended:
		return
	case <-activity.GetWorkerStopChannel(s.parent):
		close(s.drain) // the SDK cancels the activity when the worker's stop time is over
		select {
		case <-s.ended:
		case <-s.parent.Done():
			s.cancel(context.Cause(s.parent))
		}
		return
	case <-s.parent.Done():
	}
	close(s.drain)
	cause := context.Cause(s.parent)
	if _, asked := errors.AsType[*temporal.CanceledError](cause); asked {
		s.mu.Lock()
		grace := s.grace
		s.mu.Unlock()
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-s.ended:
			return
		case <-timer.C:
		}
	}
	// Anything else means that another attempt may run: nothing more is written.
	s.cancel(cause)
}

// draining returns a context that ends when the step is to drain.
func (s *step) draining(ctx context.Context) context.Context {
	out, cancel := context.WithCancel(ctx)
	s.done.Go(func() {
		defer cancel()
		select {
		case <-s.drain:
		case <-s.ended:
		case <-ctx.Done():
		}
	})
	return out
}
