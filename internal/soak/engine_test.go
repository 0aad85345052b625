//go:build faultpoint

package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/applier"
	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/copier"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// endpoint is how to reach a database; a child process gets it as JSON.
type endpoint struct {
	Host, User, Password string
	Port                 int
}

func (e endpoint) config(connections int) mysqlconn.Config {
	return mysqlconn.Config{
		Host: e.Host, Port: e.Port, User: e.User, Password: secret.NewText(e.Password),
		TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}, MaxConnections: connections,
	}
}

// engine is what one attempt needs to know, as a worker does.
type engine struct {
	Source, Destination endpoint
	Schema, To          string
	// Metadata is the schema of the metadata.
	Metadata string
	Task     string
	// Plan is how far the planning came.
	Plan   plan
	Lanes  int
	Window int
	// Beside applies while the copy goes on, behind the gate.
	Beside bool
	// FullOnly copies and applies nothing.
	FullOnly bool
	// Stop ends the attempt once it is covered; nil: it goes on until drained.
	Stop *position.Position
	// Attempt is counted by Temporal.
	Attempt int32

	// drain asks for an end at a transaction's end.
	drain <-chan struct{}
	// under gives the context of a unit's work; owned is told when it is its owner.
	under func(ctx context.Context, unit string) context.Context
	owned func(unit string)
	// planned is told how far the plan is.
	planned func(plan)
	// say tells how far it has come.
	say func(format string, args ...any)
}

// works is an engine with its connections.
type works struct {
	engine
	selected selection.Selection
	src      *source.Source
	dst      *destination.Destination
	store    *checkpoint.Store
	tables   []checkpoint.Table

	mu     sync.Mutex
	mapped map[*table.Table]*dialect.Mapping
}

// errMore says that the attempt ended as it was asked to, and another has to go on.
var errMore = errors.New("drained on request")

// run is one attempt of a worker with everything a task has: lanes, then the
// apply, or both side by side.
func (e engine) run(ctx context.Context) (err error) {
	w := &works{engine: e, selected: selection.Selection{{Schema: e.Schema, To: e.To}}, mapped: map[*table.Table]*dialect.Mapping{}}
	if w.src, err = source.Open(ctx, e.Source.config(0), 4); err != nil {
		return err
	}
	defer func() { _ = w.src.Close() }()
	if !e.Plan.Done {
		return w.plan(e.under(ctx, planning))
	}
	if err := w.src.CheckHistory(ctx, e.Plan.Start); err != nil {
		return err
	}
	w.src.Pin(e.Plan.Start)
	if w.dst, err = destination.Open(ctx, e.Destination.config(20), "auto"); err != nil {
		return err
	}
	defer func() { _ = w.dst.Close() }()
	if w.store, err = checkpoint.Open(e.under(ctx, "open"), w.dst, e.Metadata, e.Task); err != nil {
		return err
	}
	if w.tables, err = w.store.Tables(ctx); err != nil {
		return err
	}
	w.say("open")
	left, err := w.store.Unfinished(ctx)
	if err != nil {
		return err
	}
	if left > 0 {
		if err := w.copyAll(ctx); err != nil {
			return err
		}
	}
	if e.FullOnly {
		return nil
	}
	w.say("copied")
	end, err := w.src.Head(ctx)
	if err != nil {
		return err
	}
	return w.apply(ctx, func(c *applier.Config) { c.CopyEnd = end })
}

// copyAll runs the lanes, and the apply beside them until they are done.
func (w *works) copyAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var lanes sync.WaitGroup
	copied := make(chan struct{})
	for lane := range w.Lanes {
		lanes.Add(1)
		g.Go(func() error { defer lanes.Done(); return w.lane(ctx, lane) })
	}
	go func() { lanes.Wait(); close(copied) }()
	if w.Beside {
		g.Go(func() error {
			err := w.apply(ctx, func(c *applier.Config) {
				c.Gate = &applier.Gate{Visible: w.src.Low, Lows: w.store.Lows}
				c.Stop, c.Drain = nil, copied
			})
			if errors.Is(err, errMore) {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

func (w *works) lane(ctx context.Context, lane int) error {
	unit := fmt.Sprintf("copy/%d", lane)
	ctx = w.under(ctx, unit)
	fence, err := w.store.Acquire(ctx, unit, checkpoint.Token{Epoch: w.Plan.Epoch, Box: 1, Attempt: w.Attempt}, []string{w.To}, false)
	if err != nil {
		return err
	}
	w.owned(unit)
	w.say("%s is owned", unit)
	if err := w.store.CheckPlan(ctx, 0, w.Plan.Epoch); err != nil {
		return err
	}
	out, err := copier.Run(ctx, copier.Config{
		Source: w.src, Destination: w.dst, Store: w.store, Fence: fence, Mapping: w.planned,
		Lane: lane, Lanes: w.Lanes, Box: time.Minute, Writers: 2, FullOnly: w.FullOnly,
	})
	if err == nil && !out.Done {
		return errors.New("the lane's box ended")
	}
	if err == nil {
		err = w.store.CheckPlan(ctx, 0, w.Plan.Epoch)
	}
	return err
}

// planned maps a table of the plan by its number.
func (w *works) planned(ctx context.Context, no int) (*dialect.Mapping, error) {
	return w.mapping(ctx, w.tables[no-1].Definition)
}

func (w *works) mapping(ctx context.Context, t *table.Table) (*dialect.Mapping, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.mapped[t]; m != nil {
		return m, nil
	}
	to, _, _ := w.selected.Match(t.Name)
	there, err := w.dst.Table(ctx, to)
	if err != nil {
		return nil, err
	}
	p, err := w.dst.Placement(ctx, to)
	if err != nil {
		return nil, err
	}
	m, err := dialect.NewMapping(t, there, p)
	if err == nil {
		w.mapped[t] = m
	}
	return m, err
}

// Table gives the stream the definitions of the plan.
func (w *works) Table(n table.Name) (*table.Table, error) {
	for _, t := range w.tables {
		if t.Source == n {
			return t.Definition, nil
		}
	}
	return nil, fmt.Errorf("no table %s", n)
}

func (w *works) apply(ctx context.Context, edit func(*applier.Config)) error {
	const unit = "apply/0"
	ctx = w.under(ctx, unit)
	fence, err := w.store.Acquire(ctx, unit, checkpoint.Token{Epoch: w.Plan.Epoch, Box: 1, Attempt: w.Attempt}, []string{w.To}, false)
	if err != nil {
		return err
	}
	w.owned(unit)
	w.say("%s is owned", unit)
	c := applier.Config{
		Start: w.Plan.Start, Stop: w.Stop, Box: time.Minute, Lanes: 3, WindowBytes: w.Window, Drain: w.drain,
		Head: w.src.Head, Mapping: w.mapping, Open: w.stream, DDL: refuse,
		Destination: w.dst, Store: w.store, Fence: fence,
	}
	edit(&c)
	out, err := applier.Run(ctx, c)
	switch {
	case errors.Is(err, applier.ErrDrained):
		return errMore
	case err != nil:
		return err
	case out.Divergences > 0:
		return fmt.Errorf("%d rows diverge, though nobody else writes", out.Divergences)
	case c.Stop != nil && !out.Drained:
		return errors.New("the run ended before its stop position")
	}
	return nil
}

func (w *works) stream(ctx context.Context, from position.Position) (applier.Stream, error) {
	if err := w.src.CheckHistory(ctx, from); err != nil {
		return nil, err
	}
	w.src.Pin(from)
	return binlog.Open(ctx, binlog.Config{
		Conn: w.Source.config(0), Capabilities: w.src.Capabilities(), ServerID: binlog.ServerID(w.Task, 0), From: from,
		Selection: w.selected, Tables: w, Heartbeat: time.Second,
	})
}

func refuse(_ context.Context, ev binlog.Event) (applier.Verdict, []*table.Table, error) {
	if ev.Kind == binlog.Truncate {
		return applier.TruncateDDL, []*table.Table{ev.Table}, nil
	}
	return 0, nil, fmt.Errorf("a statement that no schedule has: %s", ev.Statement)
}
