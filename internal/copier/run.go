package copier

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/source"
	"shardlift/internal/throttle"
)

// Defaults of a Config's zero fields.
const (
	DefaultWriters   = 3
	DefaultReadBytes = 16 << 20
	// DefaultReadTime is how long one SELECT on the source stays open, so that
	// no ALTER there waits behind us for longer (rule 3).
	DefaultReadTime = 5 * time.Second
)

// Config is one run of one lane.
type Config struct {
	Source      *source.Source
	Destination *destination.Destination
	Store       *checkpoint.Store
	Fence       *checkpoint.Fence
	// Mapping joins a planned table, by its number, with its destination.
	Mapping func(ctx context.Context, table int) (*dialect.Mapping, error)
	Lane    int
	Lanes   int
	// Box is how long the run lasts at most; it ends at a chunk's end.
	Box time.Duration
	// FullOnly: no binlog is replayed after the copy, so an attempted chunk
	// deletes its range first. DeleteFirst does so for every chunk: the
	// destination was not empty (after a reset).
	FullOnly    bool
	DeleteFirst bool
	// Writers is the number of destination sessions of this lane.
	Writers int
	// ReadBytes and ReadTime bound one SELECT on the source.
	ReadBytes int
	ReadTime  time.Duration
	Throttle  *throttle.Limiter // may be nil
	// Beat is called after every part that was written.
	Beat func(contract.CopyBeat)
	// Drain asks for an end at the next chunk boundary (worker stop, pause).
	Drain <-chan struct{}
}

// ErrDrained is returned when Drain closed and no chunk is half-way.
var ErrDrained = errors.New("copy drained on request")

// maxRedos is how often a chunk is tried again in place after a lost
// connection; then the error goes to the caller, who retries more slowly.
const maxRedos = 3

type lane struct {
	Config
	sessions []*destination.Session
	// replacing is held by the writer that replaces rows of a table with a
	// secondary unique key: parallel REPLACE statements on it deadlock (rule 5).
	replacing sync.Mutex
	// trails are the steps of this lane's writers as they should be, by schema; each
	// writer raises its own ones.
	trails  map[string]checkpoint.Steps
	out     contract.CopyLaneOut
	current checkpoint.Chunk
}

// Run copies chunks until none is left for the lane (Done), its box ends, Drain
// closes (ErrDrained), ctx ends, or an error stops it. What was claimed and not
// finished is written again by the next attempt.
func Run(ctx context.Context, c Config) (contract.CopyLaneOut, error) {
	setDefault(&c.Writers, DefaultWriters)
	setDefault(&c.ReadBytes, DefaultReadBytes)
	setDefault(&c.ReadTime, DefaultReadTime)
	l := &lane{Config: c, sessions: make([]*destination.Session, c.Writers), trails: map[string]checkpoint.Steps{}}
	defer l.closeSessions()
	end := time.Now().Add(c.Box)
	for time.Now().Before(end) {
		select {
		case <-c.Drain:
			return l.out, ErrDrained
		case <-ctx.Done():
			return l.out, context.Cause(ctx)
		default:
		}
		claimed, err := l.claim(ctx)
		if err != nil {
			return l.out, fmt.Errorf("claim a chunk: %w", err)
		}
		if claimed == nil {
			again, err := l.reopenLost(ctx)
			if err != nil {
				return l.out, err
			}
			if again {
				continue
			}
			l.out.Done = true
			return l.out, nil
		}
		if err := l.copyClaimed(ctx, *claimed); err != nil {
			return l.out, l.ofTable(ctx, fmt.Errorf("copy chunk %d: %w", claimed.No, err), claimed.Table)
		}
	}
	return l.out, nil
}

// ofTable names the source table that an error of a chunk concerns alone.
func (l *lane) ofTable(ctx context.Context, err error, no int) error {
	if m, unmapped := l.Mapping(ctx, no); unmapped == nil {
		return fault.CausedByTable(err, m.Source.Name.String())
	}
	return err // a mapping error names its table itself
}

// reopenLost puts back the finished chunks of which a shard has lost rows: a data
// node that came back without its last commits (docs/decisions/0007).
func (l *lane) reopenLost(ctx context.Context) (bool, error) {
	lost, err := l.Fence.LostChunks(ctx)
	if err != nil || len(lost) == 0 {
		return false, err
	}
	text := fmt.Sprintf("a data node lost commits: %d chunks are copied again", len(lost))
	if err := l.Store.AppendLog(ctx, "warn", text); err != nil {
		return false, err
	}
	return true, l.Store.Reopen(ctx, lost)
}

// claim takes the next chunk. Its low position is read first and stored with the
// claim: nothing that is read for the chunk is older, and an apply that runs
// beside the copy keeps behind it from then on (rule 2). Connections that are
// opened later prove that their server has it.
func (l *lane) claim(ctx context.Context) (*checkpoint.Chunk, error) {
	low, err := l.Source.Low(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the source's position: %w", err)
	}
	l.Source.Pin(low)
	var claimed *checkpoint.Chunk
	err = faultpoint.Around(ctx, "copier.claim", func(ctx context.Context) error {
		claimed, err = l.Store.Claim(ctx, l.Fence, l.Lane, l.Lanes, low)
		return err
	})
	return claimed, err
}

// copyClaimed copies a chunk, again as after a crash when a connection was lost,
// or rows that a data node had committed.
func (l *lane) copyClaimed(ctx context.Context, c checkpoint.Chunk) error {
	for redo := 0; ; redo++ {
		err := l.copyChunk(ctx, c)
		if err == nil {
			return nil
		}
		forgotten := errors.Is(err, fault.LostCommits)
		lost := forgotten || mysqlconn.IsConnectionLost(err) || errors.Is(err, destination.ErrUnknownOutcome)
		if !lost || errors.Is(err, fault.Fenced) || ctx.Err() != nil || redo == maxRedos {
			return err
		}
		c.Attempted = true
		if err := l.renewSessions(ctx); err != nil {
			return err
		}
		clear(l.trails) // what was counted last is not known, or gone
		if forgotten {
			if err := l.Store.AppendLog(ctx, "warn", fmt.Sprintf("a data node lost commits: chunk %d is copied again", c.No)); err != nil {
				return err
			}
		}
	}
}

// session returns a writer's connection, registered with the fence.
func (l *lane) session(ctx context.Context, writer int) (*destination.Session, error) {
	if l.sessions[writer] != nil {
		return l.sessions[writer], nil
	}
	s, err := l.Destination.Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("open destination session: %w", err)
	}
	if err := l.Fence.Register(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("register session: %w", err), s.Close())
	}
	l.sessions[writer] = s
	return s, nil
}

// renewSessions drops all connections and waits until none of their
// transactions can still commit.
func (l *lane) renewSessions(ctx context.Context) error {
	var ids []string
	for _, s := range l.sessions {
		if s != nil {
			ids = append(ids, s.ID())
		}
	}
	l.closeSessions()
	if err := l.Fence.Settle(ctx, ids); err != nil {
		return fmt.Errorf("end lost sessions: %w", err)
	}
	return nil
}

func (l *lane) closeSessions() {
	for i, s := range l.sessions {
		if s != nil {
			_ = s.Close()
			l.sessions[i] = nil
		}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
