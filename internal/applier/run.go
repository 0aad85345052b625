package applier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/faultpoint"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/internal/throttle"
)

// Defaults of a Config's zero fields.
const (
	DefaultLanes       = 4
	DefaultWindowBytes = 8 << 20
)

// Stream is what the applier reads; *binlog.Stream is one.
type Stream interface {
	Next(ctx context.Context) (binlog.Event, error)
	Close()
}

// Verdict says what to do with a DDL event.
type Verdict uint8

const (
	// PassDDL: nothing is to be done; definitions were refreshed where needed.
	PassDDL Verdict = iota + 1
	// TruncateDDL: the tables are truncated on the destination, all lanes flushed before and after.
	TruncateDDL
)

// Config is one run of one apply group.
type Config struct {
	Group int
	// Start is where the group's stream begins when there is no checkpoint yet.
	Start position.Position
	// CopyEnd is the end-of-copy position: safe mode lasts until it has passed.
	CopyEnd position.Position
	// Gate keeps the run behind a copy that goes on beside it; nil when the copy
	// has ended. Behind a gate it is always safe mode.
	Gate *Gate
	// Stop ends the run once the checkpoint covers it; nil to go on.
	Stop *position.Position
	// Box is how long the run lasts at most; it ends at a transaction's end.
	Box         time.Duration
	Lanes       int
	WindowBytes int
	// ReportDivergence: divergent rows are noted and set right; otherwise the run stops.
	ReportDivergence bool

	// Open opens the stream after a position. It has checked the source's identity and history.
	Open func(ctx context.Context, from position.Position) (Stream, error)
	// Head reads the source's position now.
	Head func(ctx context.Context) (position.Position, error)
	// Mapping joins a source table as of the stream's place with its destination.
	Mapping func(ctx context.Context, t *table.Table) (*dialect.Mapping, error)
	// DDL judges a statement; a fault stops the run there. For TruncateDDL the
	// selected tables are returned.
	DDL func(ctx context.Context, ev binlog.Event) (Verdict, []*table.Table, error)

	Destination *destination.Destination
	Store       *checkpoint.Store
	Fence       *checkpoint.Fence
	Throttle    *throttle.Limiter // may be nil
	// Beat is called about once a second, and never after Run has returned.
	Beat func(contract.ApplyBeat)
	// Drain asks for an end at the next transaction boundary (worker stop, pause).
	Drain <-chan struct{}
}

// ErrDrained is returned when Drain closed and everything written is in the checkpoint.
var ErrDrained = errors.New("apply drained on request")

type applier struct {
	Config
	sessions []session
	// applied is the checkpoint, from which a restart goes on.
	applied checkpoint.Checkpoint
	saved   time.Time
	// safeUntil are the positions that applied must cover before strict mode.
	safeUntil []position.Position
	// marks are the counters of the marks, by place; marksAt is the position that
	// those of the window being written vouch for. Both stand still while the
	// lanes write.
	marks   map[checkpoint.Place]int64
	marksAt position.Position
	// broadcast says how each schema counts rows of broadcast tables.
	broadcast map[string]checkpoint.Counts
	// limits of the gate, as read last.
	limits []position.Position
	stats  stats
	box    time.Time
}

// Run applies the stream until its box ends, Stop is covered, Drain closes
// (ErrDrained), ctx ends, or an error stops it. The checkpoint row says where
// the next run goes on, whatever happens.
func Run(ctx context.Context, c Config) (contract.ApplyOut, error) {
	a, err := start(ctx, c)
	if err != nil {
		return contract.ApplyOut{}, err
	}
	defer a.closeSessions()
	beats, stopBeats := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error { a.stats.beat(beats, a.give); return nil })
	err = a.serve(ctx)
	stopBeats()
	_ = g.Wait()
	return a.out(), err
}

// give gives the numbers out, with the reason for the present rate.
func (a *applier) give(b contract.ApplyBeat) {
	if a.Beat == nil {
		return
	}
	if b.Throttle == "" && a.Throttle != nil {
		b.Throttle = a.Throttle.Reason()
	}
	a.Beat(b)
}

func start(ctx context.Context, c Config) (*applier, error) {
	setDefault(&c.Lanes, DefaultLanes)
	setDefault(&c.WindowBytes, DefaultWindowBytes)
	a := &applier{Config: c, sessions: make([]session, c.Lanes), broadcast: map[string]checkpoint.Counts{}, box: time.Now().Add(c.Box)}
	loaded, err := c.Store.Load(ctx, c.Group)
	if err != nil {
		return nil, fmt.Errorf("load checkpoint of group %d: %w", c.Group, err)
	}
	if loaded != nil {
		a.applied = *loaded
	} else {
		a.applied = checkpoint.Checkpoint{Group: c.Group, Position: c.Start}
		if err := c.Store.Save(ctx, c.Fence, a.applied); err != nil {
			return nil, fmt.Errorf("save first checkpoint of group %d: %w", c.Group, err)
		}
	}
	if err := a.checkCopied(ctx); err != nil {
		return nil, err
	}
	a.stats.start(a.applied, c.Group)
	return a, nil
}

// maxReconnects is how many streams in a row may end without moving the
// checkpoint before the run gives the error to its caller.
const maxReconnects = 3

// serve reads streams one after the other; each begins at the checkpoint, so a
// half-read transaction is dropped and read again (rule 9).
func (a *applier) serve(ctx context.Context) error {
	failures := 0
	for {
		before := a.applied.Position
		err := a.serveStream(ctx)
		if err == nil {
			rewound, bad := a.checkMarks(ctx)
			if rewound && bad == nil {
				continue
			}
			err = bad
		}
		if err == nil || errors.Is(err, ErrDrained) || ctx.Err() != nil || !retryable(err) {
			return err
		}
		if before != a.applied.Position {
			failures = 0
		}
		if failures++; failures >= maxReconnects {
			return err
		}
		a.stats.reconnected()
		if err := wait(ctx, time.Duration(failures)*500*time.Millisecond); err != nil {
			return err
		}
	}
}

// serveStream applies one stream. Safe mode holds until the source's position
// at this moment has passed, because a former attempt may have written up to it.
func (a *applier) serveStream(ctx context.Context) error {
	if _, err := a.checkMarks(ctx); err != nil {
		return err
	}
	if done, err := a.drained(); done || err != nil {
		return err
	}
	head, err := a.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the source's position: %w", err)
	}
	a.safeUntil = []position.Position{head}
	if !a.CopyEnd.IsZero() {
		a.safeUntil = append(a.safeUntil, a.CopyEnd)
	}
	var stream Stream
	err = faultpoint.Around(ctx, "applier.open", func(ctx context.Context) error {
		stream, err = a.Open(ctx, a.applied.Position)
		return err
	})
	if err != nil {
		return fmt.Errorf("open binlog stream: %w", err)
	}
	r := &reader{applier: a, windows: make(chan *window), judged: make(chan struct{})}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { r.run(ctx, stream); return nil })
	g.Go(func() error { return a.applyAll(ctx, r.windows) })
	err = g.Wait()
	stream.Close()
	switch {
	case errors.Is(err, errStopped):
		return nil
	case errors.Is(err, errGateLeft):
		if errors.Is(err, ErrDrained) {
			return ErrDrained
		}
		return nil
	case err != nil:
		return err
	case r.err != nil:
		return r.err
	case r.drainedEarly:
		return ErrDrained
	default:
		return nil
	}
}

// applyAll writes windows until the reader ends or there is nothing more to do.
func (a *applier) applyAll(ctx context.Context, windows <-chan *window) error {
	for w := range windows {
		if err := a.apply(ctx, w); err != nil {
			return err
		}
		if done, err := a.drained(); done || err != nil {
			return errors.Join(errStopped, err)
		}
	}
	return nil
}

// errStopped ends the reader when the applier has reached Stop.
var errStopped = errors.New("stop position reached")

// drained says whether the checkpoint covers Stop.
func (a *applier) drained() (bool, error) {
	if a.Stop == nil {
		return false, nil
	}
	return a.applied.Position.Covers(*a.Stop)
}

func (a *applier) out() contract.ApplyOut {
	done, err := a.drained()
	return contract.ApplyOut{
		Applied: a.applied.Position, Drained: done && err == nil,
		Rows: a.applied.Rows, Transactions: a.applied.Transactions, Divergences: a.applied.Divergences,
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
