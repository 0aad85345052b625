//go:build faultpoint

package soak

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/checkpoint"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/source"
)

// A schedule hangs when no point is reached for idle, or when it lasts longer
// than limit. Both are long because the machine may be busy with other things.
const (
	idle  = time.Minute
	limit = 10 * time.Minute
)

// run is one schedule under way.
type run struct {
	*place
	schedule schedule
	engine   engine
	breaker  *breaker
	starts   int32 // attempts so far
	drained  chan struct{}
	began    time.Time

	mu       sync.Mutex
	wrong    []string
	attempts []*attempt
	stop     *position.Position
	refused  bool // the engine said that it cannot go on
}

// outcome is what a schedule came to.
type outcome struct {
	wrong   []string  // what the oracle found; empty: all is well
	done    []trouble // those that happened
	reached []string  // points
	starts  int32
	refused bool
}

// execute runs a schedule and lets the oracle judge. An error is one of the test
// itself.
func (p *place) execute(ctx context.Context, s schedule) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &run{place: p, schedule: s, drained: make(chan struct{}), began: time.Now()}
	rng := rand.New(rand.NewPCG(s.Seed, 1))
	first := &writer{db: p.db, rng: rng, shapes: s.shapes}
	var err error
	if r.engine, err = p.prepare(ctx, &s, first); err != nil {
		return outcome{}, fmt.Errorf("prepare: %w", err)
	}
	r.say("prepared")
	r.breaker = newBreaker(s.faults, p.breaks)
	if p.named != nil {
		r.breaker.patience = math.MaxInt
	}
	var g errgroup.Group
	store, err := p.store(ctx, r.engine.Task)
	if err != nil {
		return outcome{}, err
	}
	watching, stopWatching := context.WithCancel(ctx)
	var watch errgroup.Group
	watch.Go(func() error { r.guard(watching, cancel); return nil })
	watch.Go(func() error { r.watch(watching, store); return nil })
	g.Go(func() error { return r.traffic(ctx) })
	r.serve(ctx)
	r.say("served")
	err = g.Wait()
	stopWatching()
	_ = watch.Wait()
	if err == nil && len(r.wrong) == 0 && !r.refused {
		err = r.judge(ctx)
	}
	if err == nil && len(r.wrong) == 0 && !r.refused && s.Seed%agreeEvery == 0 {
		err = r.agree(ctx)
	}
	r.checkOwners()
	return outcome{refused: r.refused, wrong: r.wrong, done: r.breaker.done, reached: r.breaker.points(), starts: r.starts}, err
}

// guard ends a schedule that hangs.
func (r *run) guard(ctx context.Context, cancel context.CancelFunc) {
	last, since := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		now := r.breaker.heard()
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > idle {
			dump(r.schedule.Seed)
			cancel()
			return
		}
	}
}

// dump writes what every goroutine does.
func dump(seed uint64) {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	_ = os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprintf("soak-%d.stacks", seed)), stacks, 0o600)
}

// traffic writes the source, then lets the attempts end at its last position.
func (r *run) traffic(ctx context.Context) error {
	var g errgroup.Group
	for n := range r.schedule.writers {
		w := &writer{
			db: r.db, rng: rand.New(rand.NewPCG(r.schedule.Seed, uint64(n+2))), shapes: r.schedule.shapes,
			load: r.load, patient: r.schedule.patient, plain: r.schedule.patient, pace: r.breaker.pace, xid: fmt.Sprintf("%s-%d", r.engine.Task, n),
		}
		g.Go(func() error { return w.write(ctx, r.schedule.length) })
	}
	err := g.Wait()
	end, e := r.head(ctx)
	r.say("traffic ends")
	r.mu.Lock()
	r.stop = &end
	r.mu.Unlock()
	close(r.drained)
	if err = errors.Join(err, e); err != nil {
		return fmt.Errorf("traffic: %w", err)
	}
	return nil
}

// head is the source's position now.
func (r *run) head(ctx context.Context) (position.Position, error) {
	src, err := source.Open(ctx, r.reader.config(0), 2)
	if err != nil {
		return position.Position{}, err
	}
	defer func() { _ = src.Close() }()
	return src.Head(ctx)
}

// maxStarts bounds the attempts of a schedule; while a server is away they are many.
const maxStarts = 200

// serve makes attempts, as Temporal does, until one ends well.
func (r *run) serve(ctx context.Context) {
	for {
		err := r.attempt(ctx)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			r.note("hangs: nothing happened for %s (see soak-%d.stacks in %s), or not done within %s; the last attempt said: %v", idle, r.schedule.Seed, os.TempDir(), limit, err)
			return
		case r.starts > maxStarts:
			r.note("attempt %d still fails: %v", r.starts, err)
			return
		case errors.Is(err, errMore), errors.Is(err, errDead):
		case strings.Contains(err.Error(), fault.XAPrepared.Code): // another test's, on the shared server
		case r.forgot.Load() > 0 && strings.Contains(err.Error(), fault.LostCopy.Code):
			r.refused = true // rightly: what was copied is gone
			return
		case strings.Contains(err.Error(), fault.ServerFull.Code) && r.named[full] != nil:
			pause(100 * time.Millisecond) // until the operator resumes
		case errors.Is(err, fault.Fenced) && r.forgot.Load() > 0: // the fence's own token is lost
		case errors.Is(err, fault.Fenced), errors.Is(err, errStopped), fault.ClassOf(err) != fault.Retry:
			r.note("attempt %d stops for good: %v", r.starts, err)
			return
		default:
			pause(20 * time.Millisecond)
		}
	}
}

// attempt makes one, and those that take over from it when it freezes.
func (r *run) attempt(ctx context.Context) error {
	a := r.begin(ctx)
	select {
	case <-a.ended:
		return a.err
	case <-a.froze:
	}
	// Heartbeats are missing: the next attempt begins while this one stands still. A
	// planner may go on as late as when the copy is under way.
	next := make(chan error, 1)
	go func() {
		err := r.attempt(ctx)
		if a.planning && errors.Is(err, errMore) {
			err = r.attempt(ctx)
		}
		next <- err
	}()
	var err error
	select {
	case err = <-next:
		next = nil
	case <-time.After(400 * time.Millisecond):
	}
	a.thaw()
	select {
	case <-a.ended:
	case <-time.After(time.Second): // it had nothing more to write
		a.die()
		<-a.ended
	}
	if next != nil {
		err = <-next
	}
	return err
}

func (r *run) begin(ctx context.Context) *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	a := newAttempt(r.starts, r.breaker)
	older := append([]*attempt{}, r.attempts...)
	r.attempts = append(r.attempts, a)
	r.say("attempt %d begins", a.no)
	e := r.engine
	e.say = r.say
	e.planned = func(p plan) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.starts != a.no { // Temporal hears the newest attempt only
			return
		}
		if p.Done || !r.schedule.deaf { // a heartbeat may be lost, a result is not
			r.engine.Plan = p
		}
	}
	e.Attempt, e.Stop, e.under = a.no, r.stop, a.under
	if e.Stop == nil {
		e.drain = r.drained
	}
	e.owned = func(unit string) {
		for _, o := range older {
			o.superseded(unit)
		}
	}
	life, cancel := context.WithCancelCause(ctx)
	a.cancel, a.planning = cancel, !e.Plan.Done
	go func() {
		defer close(a.ended)
		defer cancel(nil)
		if r.schedule.process {
			a.err = r.spawn(a, e)
		} else {
			a.err = e.run(life)
		}
		if a.dead.Load() {
			a.err = errDead
		}
		r.say("attempt %d ends: %v", a.no, a.err)
	}()
	return a
}

// say tells what happens when when SAY is set.
func (r *run) say(format string, args ...any) {
	if os.Getenv("SAY") != "" {
		fmt.Fprintf(os.Stderr, "%8.3f "+format+"\n", append([]any{time.Since(r.began).Seconds()}, args...)...)
	}
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// watch sees to it that the checkpoint only moves forward.
func (r *run) watch(ctx context.Context, store *checkpoint.Store) {
	var last *checkpoint.Checkpoint
	for ctx.Err() == nil {
		now, err := store.Load(ctx, 0)
		if err == nil && now != nil { // else the middleware is away
			if last != nil && r.forgot.Load() == 0 {
				if ahead, bad := now.Position.Covers(last.Position); bad != nil || !ahead {
					r.note("the checkpoint went back from %s to %s (%v)", last.Position, now.Position, bad)
				}
			}
			last = now
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// judge compares both sides.
func (r *run) judge(ctx context.Context) error {
	for i := range r.schedule.shapes {
		found, err := r.differences(ctx, &r.schedule.shapes[i])
		if err != nil {
			return fmt.Errorf("compare %s: %w", r.schedule.shapes[i].name, err)
		}
		for _, one := range found[:min(len(found), 5)] {
			r.note("%s", one)
		}
	}
	return nil
}

// checkOwners: unless a fence was forgotten, no attempt committed anything after a newer one was the owner.
func (r *run) checkOwners() {
	if r.forgot.Load() > 0 {
		return
	}
	for _, a := range r.attempts {
		for _, unit := range a.late() {
			r.note("attempt %d committed as %s after a newer owner was there", a.no, unit)
		}
	}
}
