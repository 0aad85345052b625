package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/copyplan"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// planner is one run of PlanCopy or PlanGroup.
type planner struct {
	copyplan.Maker
	t    *resolved
	step *step
	// group is the apply group that is planned, 0 for the task itself.
	group int
}

func newPlanner(t *resolved, src *source.Source, dst *destination.Destination, store *checkpoint.Store, step *step) *planner {
	p := &planner{t: t, step: step}
	p.Maker = copyplan.Maker{
		Source: src, Destination: dst, Store: store, Objects: t.Spec.Objects, Position: p.takePosition, Fits: p.fits,
		Tell: func(b contract.PlanBeat) { step.beat(b, b.At, false) }, Moved: step.moved,
	}
	return p
}

// PlanCopy takes the start position, then cuts the tables into chunks. An
// attempt that was interrupted is carried on by the next one.
func (a *Activities) PlanCopy(ctx context.Context, in contract.PlanCopyIn) (contract.PlanCopyOut, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.PlanCopyOut{}, err
	}
	work, step := begin(ctx)
	out, err := a.plan(work, t, planToken(in.Owner, activity.GetInfo(ctx).Attempt), formerPlan(ctx), step)
	return out, step.end(err)
}

// formerPlan is what the attempt before this one told last.
func formerPlan(ctx context.Context) (b contract.PlanBeat) {
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &b) != nil {
		return contract.PlanBeat{}
	}
	return b
}

func (a *Activities) plan(ctx context.Context, t *resolved, token checkpoint.Token, former contract.PlanBeat, step *step) (out contract.PlanCopyOut, err error) {
	d, s, err := openStore(ctx, t, shortConnections)
	if err != nil {
		return contract.PlanCopyOut{}, err
	}
	defer func() { _ = d.Close() }()
	defer func() { a.noteEnd(ctx, s, "plan", err) }()
	src, err := openSource(ctx, t, shortConnections)
	if err != nil {
		return contract.PlanCopyOut{}, err
	}
	defer func() { _ = src.Close() }()
	p := newPlanner(t, src, d, s, step)
	p.Beat = former
	if err := p.Make(ctx, token); err != nil {
		return contract.PlanCopyOut{}, err
	}
	out, err = p.sums(ctx)
	if err == nil {
		out.ApplyDuring, err = p.appliesDuring(ctx)
	}
	if err == nil && t.Spec.Type == task.FullIncremental {
		r, unread := src.Retention(ctx)
		if unread == nil { // it is for a warning only
			out.RetentionSeconds = int64(r.For.Seconds())
		}
	}
	if err == nil {
		if p.asksForDuring() && !out.ApplyDuring {
			a.note(ctx, s, levelWarn, "policy.apply during-copy needs a source with GTIDs, MySQL 5.7 or newer or MariaDB: the binlog is applied after the copy")
		}
		a.note(ctx, s, levelInfo, "planned %d chunks of %d tables from position %s", out.Chunks, out.Tables, out.Start)
	}
	return out, err
}

// asksForDuring says whether the task wants the stream applied beside the copy.
func (p *planner) asksForDuring() bool {
	return p.t.Spec.Type == task.FullIncremental && p.t.Spec.Policy.Apply == task.DuringCopy
}

// appliesDuring says whether it is: where the source can tell what a SELECT sees
// (decisions/0004).
func (p *planner) appliesDuring(ctx context.Context) (bool, error) {
	if !p.asksForDuring() {
		return false, nil
	}
	low, err := p.Source.Low(ctx)
	return err == nil && low.HasGTID() && p.Beat.Start.HasGTID(), err
}

// sums is what came of the plan.
func (p *planner) sums(ctx context.Context) (contract.PlanCopyOut, error) {
	sums, err := p.Store.Progress(ctx)
	return contract.PlanCopyOut{
		Epoch: p.Beat.Epoch, Start: p.Beat.Start, Tables: sums.Tables, Chunks: sums.Chunks,
		RowsEstimated: sums.RowsEstimated, BytesEstimated: sums.BytesEstimated,
	}, err
}

// How long a start waits for a moment without XA transactions under way, and how
// often the task's log says so.
const (
	startPatience = 10 * time.Minute
	tellEvery     = time.Minute
)

// tellOfXA says in the task's log why the start waits.
func (p *planner) tellOfXA(ctx context.Context) func(prepared int) {
	next := time.Now().Add(5 * time.Second)
	return func(prepared int) {
		p.step.moved()
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(tellEvery)
		text := fmt.Sprintf("the start waits for a moment without XA transactions that are prepared on the source: %d now (XA RECOVER lists them)", prepared)
		_ = p.Store.AppendLog(ctx, levelWarn, text) // the wait itself counts
	}
}

// takePosition is rule 1. A full-only task takes the plain position where the
// account may see it: it only tells later whether the source was written.
func (p *planner) takePosition(ctx context.Context, tables []table.Name) (start position.Position, err error) {
	if p.t.Spec.Type == task.Full {
		if head, err := p.Source.Head(ctx); err == nil {
			start = head
		}
		return start, ctx.Err()
	}
	patience := source.Patience{For: startPatience, Tell: p.tellOfXA(ctx)}
	if start, err = p.Source.StartPositionWithin(ctx, tables, patience); err != nil {
		return start, err
	}
	return binlog.Stamp(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(p.t.Source), Capabilities: p.Source.Capabilities(),
		ServerID: binlog.ServerID(p.t.TaskID, aheadOf(p.group)), From: start,
	})
}

// fits says now what would stop the first row.
func (p *planner) fits(ctx context.Context, t *table.Table, to table.Name) error {
	_, err := mapping(ctx, p.Destination, t, to)
	return ofTable(err, t.Name)
}

// mapping joins a source table with its destination.
func mapping(ctx context.Context, d *destination.Destination, t *table.Table, to table.Name) (*dialect.Mapping, error) {
	there, err := d.Table(ctx, to)
	if err != nil {
		return nil, err
	}
	placement, err := d.Placement(ctx, to)
	if err != nil {
		return nil, err
	}
	return dialect.NewMapping(t, there, placement)
}
