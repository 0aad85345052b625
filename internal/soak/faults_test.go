//go:build faultpoint

package soak

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"shardlift/internal/faultpoint"
)

// kind is what a fault does at its point.
type kind string

const (
	kill   kind = "kill"   // the process ends
	lose   kind = "lose"   // the connection is lost: before the statement is sent, or before its answer
	leave  kind = "leave"  // the statement waits for a lock and is left alone on the server
	delay  kind = "delay"  // everything else gets ahead
	freeze kind = "freeze" // the process stops, another attempt takes over, then it goes on
	nodes  kind = "nodes"  // the middleware loses its connections to a data node
	down   kind = "down"   // a data node is away for a moment
	router kind = "router" // the middleware starts anew
	cut    kind = "cut"    // all connections to the source are killed
	forget kind = "forget" // a data node comes back as it was when it had to remember
	// remember is for the node without the metadata, rememberAll for the one with it.
	remember    kind = "remember"
	rememberAll kind = "remember all"
)

var kinds = []kind{kill, kill, kill, lose, lose, lose, leave, leave, delay, freeze, nodes, down, router, cut, forget, forget}

// trouble happens when its point is reached for the nth time since the trouble
// before it happened.
type trouble struct {
	Point string `json:"point"` // of planning: empty, any
	Nth   int    `json:"nth"`
	Kind  kind   `json:"kind"`
	// Planning: it happens while the plan is made, the others later.
	Planning bool `json:"planning,omitempty"`
}

func (f trouble) String() string {
	if f.Planning {
		return fmt.Sprintf("%s while planning #%d", f.Kind, f.Nth)
	}
	return fmt.Sprintf("%s at %s #%d", f.Kind, f.Point, f.Nth)
}

// queue is troubles that wait for their points.
type queue struct {
	faults []trouble
	seen   int // how often the first one's point was reached
	waited int
}

// defaultPatience is how many points a trouble may be waited for; then the next
// one has its turn.
const defaultPatience = 300

// breaker carries out a schedule's faults one after the other, whatever attempt
// reaches their points.
type breaker struct {
	mu       sync.Mutex
	queues   map[bool]*queue // true: while planning
	all      int             // points that were reached
	patience int
	done     []trouble
	reached  map[string]int
	// consumed is told how many are left; a worker tells its parent.
	consumed func(left int, hit bool)
	// environment does what is outside the process.
	environment func(ctx context.Context, k kind)
}

func newBreaker(faults []trouble, environment func(context.Context, kind)) *breaker {
	b := &breaker{queues: map[bool]*queue{true: {}, false: {}}, patience: defaultPatience, reached: map[string]int{}, environment: environment}
	for _, f := range faults {
		q := b.queues[f.Planning]
		q.faults = append(q.faults, f)
	}
	return b
}

// next says what is to happen at a point that is reached.
func (b *breaker) next(planning bool, point string) (trouble, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reached[point]++
	b.all++
	q := b.queues[planning]
	if len(q.faults) == 0 {
		return trouble{}, false
	}
	f := q.faults[0]
	here := f.Point == point || f.Planning && f.Point == ""
	if q.waited++; here {
		q.seen++
	}
	hit := q.seen >= f.Nth && here
	if hit {
		b.done = append(b.done, f)
	}
	if hit || q.waited >= b.patience {
		q.faults, q.seen, q.waited = q.faults[1:], 0, 0
		if b.consumed != nil {
			b.consumed(len(q.faults), hit)
		}
	}
	f.Point = point
	return f, hit
}

// rest are the troubles to come.
func (b *breaker) rest(planning bool) []trouble {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.queues[planning].faults)
}

// leave forgets what a worker has met.
func (b *breaker) leave(planning bool, text string) {
	var left int
	var hit bool
	_, err := fmt.Sscan(text, &left, &hit)
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[planning]
	if gone := len(q.faults) - left; err == nil && gone > 0 {
		if hit {
			b.done = append(b.done, q.faults[gone-1])
		}
		q.faults = q.faults[gone:]
	}
}

// heard counts the points that were reached, and what workers said.
func (b *breaker) heard() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all
}

func (b *breaker) hear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all++
}

// pace returns after so many more points, or a tenth of a second: the traffic
// keeps in step with the engine, however busy the machine is.
func (b *breaker) pace(ctx context.Context, more int) {
	b.mu.Lock()
	until := b.all + more
	b.mu.Unlock()
	for end := time.Now().Add(100 * time.Millisecond); ctx.Err() == nil && time.Now().Before(end); pause(time.Millisecond) {
		b.mu.Lock()
		passed := b.all >= until
		b.mu.Unlock()
		if passed {
			return
		}
	}
}

func (b *breaker) points() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.reached))
}

// errDead is what everything gets in an attempt whose process was killed.
var errDead = errors.New("the process was killed")

// attempt is one life of a worker's process.
type attempt struct {
	no      int32
	breaker *breaker
	cancel  context.CancelCauseFunc
	dead    atomic.Bool
	// planning: it makes the plan.
	planning bool
	ended    chan struct{}
	err      error

	worker *worker // nil: it is in this process

	mu      sync.Mutex
	thawed  chan struct{} // nil: not frozen
	froze   chan struct{}
	commits map[string]*commits
}

// commits counts the data transactions of a unit that were sent and that
// succeeded, in all and after a newer attempt was the owner.
type commits struct {
	open       int
	superseded bool
	allowed    int // open ones when the newer owner came: the server may have had them before
	after      int
}

func newAttempt(no int32, b *breaker) *attempt {
	return &attempt{no: no, breaker: b, ended: make(chan struct{}), froze: make(chan struct{}), commits: map[string]*commits{}}
}

// die is kill -9 within this process: nothing that the attempt does from now on
// reaches a server.
func (a *attempt) die() {
	a.dead.Store(true)
	a.cancel(errDead)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.worker == nil:
	case a.worker.process != nil:
		_ = a.worker.process.Kill()
	default: // we are it
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// freeze holds the attempt at its points until thaw.
func (a *attempt) freeze() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.thawed == nil {
		a.thawed = make(chan struct{})
		close(a.froze)
	}
}

func (a *attempt) thaw() {
	close(a.thawed)
	if a.worker != nil {
		_ = a.worker.process.Signal(syscall.SIGCONT)
	}
}

func (a *attempt) wait() {
	a.mu.Lock()
	thawed := a.thawed
	a.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
}

// superseded notes that a newer attempt owns a unit.
func (a *attempt) superseded(unit string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.worker != nil {
		_ = os.WriteFile(a.worker.mark(unit), nil, 0o600)
		return
	}
	c := a.unit(unit)
	c.superseded, c.allowed = true, c.open
}

func (a *attempt) unit(unit string) *commits {
	if a.commits[unit] == nil {
		a.commits[unit] = &commits{}
	}
	return a.commits[unit]
}

// count follows the data transactions of a unit.
func (a *attempt) count(unit, point string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.unit(unit)
	switch point {
	case "session.commit.before":
		if a.worker != nil && !c.superseded && a.worker.superseded(unit) {
			c.superseded, c.allowed = true, c.open
		}
		c.open++
	case "session.commit.after":
		c.open--
		if c.superseded {
			c.after++
		}
		if a.worker != nil && c.after > c.allowed {
			a.worker.tell("late", unit)
		}
	}
}

// late returns the units in which the attempt committed more after a newer owner
// came than was under way then.
func (a *attempt) late() (units []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for unit, c := range a.commits {
		if c.after > c.allowed {
			units = append(units, unit)
		}
	}
	return units
}

// under gives the points of a unit's work to the breaker.
func (a *attempt) under(ctx context.Context, unit string) context.Context {
	return faultpoint.With(ctx, func(ctx context.Context, point string) error {
		if a.dead.Load() {
			return errDead
		}
		a.count(unit, point) // before a freeze: what the server has said counts when it said it
		a.wait()
		if f, ok := a.breaker.next(unit == planning, point); ok {
			return a.happen(ctx, f)
		}
		return nil
	})
}

func (a *attempt) happen(ctx context.Context, f trouble) error {
	before := strings.HasSuffix(f.Point, ".before")
	switch f.Kind {
	case kill:
		a.die()
		return errDead
	case lose:
		return mysql.ErrInvalidConn
	case leave:
		a.breaker.environment(ctx, leave)
		if !before {
			return mysql.ErrInvalidConn
		}
		return &faultpoint.Leave{After: 20 * time.Millisecond, Err: mysql.ErrInvalidConn}
	case delay:
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	case freeze:
		if a.worker != nil {
			a.worker.tell("froze", "")
			pause(50 * time.Millisecond) // until the signal comes
			return nil
		}
		a.freeze()
		a.wait()
	default:
		a.breaker.environment(ctx, f.Kind)
	}
	return nil
}
