package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/applier"
	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/schema"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/throttle"
)

// Connections of the destination that the apply leaves to comparison,
// inspection and its own metadata.
const applyReserve = compareAtDestination + shortConnections + applyOwn

const (
	// applyOwn are the apply's connections besides those of its lanes.
	applyOwn = 2
	// lanesBesideCopy are the apply's lanes while the copy goes on.
	lanesBesideCopy = 2
)

// ApplyBinlog brings the stream of changes to the destination for a time box.
func (a *Activities) ApplyBinlog(ctx context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.ApplyOut{}, err
	}
	work, step := begin(ctx)
	out, err := a.apply(work, t, in, activity.GetInfo(ctx).Attempt, step)
	return out, step.end(err)
}

func (a *Activities) apply(ctx context.Context, t *resolved, in contract.ApplyIn, attempt int32, step *step) (out contract.ApplyOut, err error) {
	lanes := min(max(t.Spec.Destination.MaxConnections-applyReserve, 1), applier.DefaultLanes)
	if in.BesideCopy {
		lanes = min(lanes, lanesBesideCopy)
	}
	d, s, err := openStore(ctx, t, lanes+applyOwn)
	if err != nil {
		return out, err
	}
	defer func() { _ = d.Close() }()
	step.patient(d.Info())
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return out, err
	}
	defer func() { _ = src.Close() }()
	defer func() { a.noteEnd(ctx, s, fmt.Sprintf("apply, group %d", in.Group), err) }()
	if in.Group > 0 {
		apart, err := s.Group(ctx, in.Group)
		if err != nil {
			return out, err
		}
		if apart == nil || apart.Dropped { // an answer was lost: it is group 0's by now
			return a.merged(ctx, s)
		}
		in.Start = apart.From
		lanes = min(lanes, lanesBesideCopy)
	}
	f := &follower{t: t, in: in, src: src, dst: d, store: s, moved: step.moved, mapped: map[*table.Table]*dialect.Mapping{}}
	if f.selected, err = effectiveSelection(ctx, s, t.Spec.Objects, in.Group); err != nil {
		return out, err
	}
	step.live(a.temporal)
	step.measure(t)
	turn := a.takeTurn(ctx, step)
	alarm := newDelayAlarm(t.Spec.Alarms)
	watchDelay := a.watchDelay(ctx, step, t, alarm)
	var gate *applier.Gate
	if in.BesideCopy { // the copy holds the apply back, which is no delay to be alarmed about
		gate = &applier.Gate{Visible: src.Low, Lows: s.Lows}
		watchDelay = func(contract.ApplyBeat) {}
	}
	limiter := throttle.New(sourceLoad(src))
	stop := limited{s, limiter, forApply(s, in, newSharing(s, checkpoint.ApplyUnit(in.Group), in.Owner, attempt, in.Group, false)), func() {}, alarm.set}.follow(ctx)
	defer stop()
	err = fenced(ctx, s, checkpoint.ApplyUnit(in.Group), in.Owner, attempt, t.Spec.Objects, func(fence *checkpoint.Fence) error {
		if in.Group > 0 { // merged before the fence was this attempt's
			if apart, err := s.Group(ctx, in.Group); err != nil || apart == nil || apart.Dropped {
				return errors.Join(err, fault.Fenced.New(fence.Unit(), ""))
			}
		}
		out, err = applier.Run(ctx, applier.Config{
			Group: in.Group, Start: in.Start, CopyEnd: in.CopyEnd, Gate: gate, Stop: in.Stop, Box: in.Box, Lanes: lanes,
			ReportDivergence: t.Spec.Policy.Divergence == "report",
			Open:             f.open, Head: src.Head, Mapping: f.mapping, DDL: f.judge,
			Destination: d, Store: s, Fence: fence, Drain: turn.drain, Throttle: limiter,
			Beat: func(b contract.ApplyBeat) {
				mark := fmt.Sprint(b.Applied, b.Read, b.Rows, b.Transactions)
				still := b.CaughtUp || b.Throttle != ""
				b.CaughtUp = b.CaughtUp && !in.BesideCopy // nobody is synced before the copy has ended
				step.beat(b, mark, still)
				watchDelay(b)
			},
		})
		return err
	})
	if turn.over.Load() && errors.Is(err, applier.ErrDrained) {
		err = nil // the box ends, the next one waits for its slot
	}
	if err == nil && out.Drained && in.Group > 0 {
		out.Drained, err = awaitMerge(ctx, s, in.Group, turn.drain, step)
		return out, err
	}
	if err == nil && out.Drained {
		a.note(ctx, s, levelInfo, "applied everything up to the stop position %s", *in.Stop)
	}
	return out, err
}

// follower gives the applier what depends on the task: the stream, the
// definitions as of its place, and the verdict on statements.
type follower struct {
	t        *resolved
	in       contract.ApplyIn
	selected selection.Selection
	src      *source.Source
	dst      *destination.Destination
	store    *checkpoint.Store
	moved    func() // something is still being read

	mu      sync.Mutex
	history *schema.History // of the present stream
	mapped  map[*table.Table]*dialect.Mapping
}

// open checks that the source still has everything after from, and reads on
// with the definitions as of there.
func (f *follower) open(ctx context.Context, from position.Position) (applier.Stream, error) {
	if err := f.src.CheckHistory(ctx, from); err != nil {
		return nil, err
	}
	f.src.Pin(from)
	if err := checkSeen(ctx, f.src, f.store, f.in.CopyEnd); err != nil {
		return nil, err
	}
	history, err := schema.Open(ctx, f.store, f.in.Group, from)
	if err != nil {
		return nil, err
	}
	stream, err := binlog.Open(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(f.t.Source), Capabilities: f.src.Capabilities(),
		ServerID: binlog.ServerID(f.t.TaskID, f.in.Group), From: from, Selection: f.selected, Tables: history,
	})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = history
	clear(f.mapped)
	return stream, nil
}

// mapping is the same for the same definition: the stream gives one pointer for each.
func (f *follower) mapping(ctx context.Context, t *table.Table) (*dialect.Mapping, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.mapped[t]; m != nil {
		return m, nil
	}
	to, _, ok := f.selected.Match(t.Name)
	if !ok {
		return nil, fault.TableUnplanned.New(t.Name.String(), "")
	}
	m, err := mapping(ctx, f.dst, t, to)
	if err == nil {
		f.mapped[t] = m
	}
	return m, err
}

func (f *follower) judge(ctx context.Context, ev binlog.Event) (applier.Verdict, []*table.Table, error) {
	f.mu.Lock()
	history := f.history
	f.mu.Unlock()
	rules := schema.Rules{Selection: f.selected, StopAtTruncate: f.t.Spec.Policy.Truncate == "stop", Passed: f.in.PassDDL}
	verdict, concerned, err := history.Judge(ev, rules)
	switch {
	case err != nil:
		return 0, nil, err
	case verdict == schema.Truncate:
		return applier.TruncateDDL, []*table.Table{ev.Table}, nil
	case verdict == schema.Refresh:
		if err := history.Refresh(ctx, f.src, f.ahead, ev, concerned); err != nil {
			return 0, nil, err
		}
	}
	return applier.PassDDL, nil, nil
}
