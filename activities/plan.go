package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// planBatch is how many chunks are written at once.
const planBatch = 200

// planner is one run of PlanCopy.
type planner struct {
	t     *resolved
	src   *source.Source
	dst   *destination.Destination
	store *checkpoint.Store
	step  *step
	beat  contract.PlanBeat
	last  int64 // highest chunk number
	// group is the apply group that is planned, 0 for the task itself.
	group int
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
	turn, end, err := s.Turn(ctx, token)
	if err != nil {
		return contract.PlanCopyOut{}, err
	}
	defer func() { err = errors.Join(err, end(ctx)) }()
	p := &planner{t: t, src: src, dst: d, store: turn, step: step, beat: former}
	// A plan is carried on only when everything but its chunks was stored: the
	// epoch is taken last but for them.
	epoch, err := s.Epoch(ctx)
	if err != nil {
		return contract.PlanCopyOut{}, err
	}
	if former.Epoch == 0 || former.Epoch != epoch {
		if err := p.begin(ctx); err != nil {
			return contract.PlanCopyOut{}, err
		}
	}
	out, err = p.cut(ctx)
	if err == nil {
		out.ApplyDuring, err = p.appliesDuring(ctx)
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
	low, err := p.src.Low(ctx)
	return err == nil && low.HasGTID() && p.beat.Start.HasGTID(), err
}

// begin drops what an older plan left, takes the start position and stores the
// tables with their definitions.
//
// The definitions are read after the position: a statement between the two is
// in the stream and stops the apply, while one before a definition that was read
// first would go unseen.
func (p *planner) begin(ctx context.Context) error {
	if err := p.store.Reset(ctx); err != nil {
		return err
	}
	tables, err := p.src.Catalogue(ctx, p.t.Spec.Objects)
	if err != nil {
		return err
	}
	moved, skipped, err := p.split(ctx, tables)
	if err != nil {
		return err
	}
	if err := p.takePosition(ctx, names(moved)); err != nil {
		return err
	}
	p.src.Pin(p.beat.Start)
	if tables, err = p.src.Catalogue(ctx, p.t.Spec.Objects); err != nil {
		return err
	}
	var planned []checkpoint.Table
	for _, t := range tables {
		if !slices.ContainsFunc(moved, func(m *table.Table) bool { return m.Name == t.Name }) {
			continue
		}
		to, _, _ := p.t.Spec.Objects.Match(t.Name)
		if err := p.fits(ctx, t, to); err != nil {
			return err
		}
		planned = append(planned, checkpoint.Table{
			No: len(planned) + 1, Source: t.Name, Destination: to, Definition: t, RowsEstimated: max(t.Rows, 0), BytesEstimated: max(t.Bytes, 0),
		})
		p.step.moved()
	}
	if err := p.store.PutTables(ctx, planned); err != nil {
		return err
	}
	for _, t := range planned {
		if err := p.store.AddDefinition(ctx, checkpoint.Definition{Name: t.Source, Table: t.Definition}); err != nil {
			return err
		}
	}
	// A selected table that the destination lacks is noted as none of the task's.
	for _, n := range skipped {
		if err := p.store.AddDefinition(ctx, checkpoint.Definition{Name: n}); err != nil {
			return err
		}
	}
	if err := p.store.PrepareFences(ctx, p.t.Spec.Objects.DestinationSchemas()); err != nil {
		return err
	}
	p.beat.Epoch, err = p.store.NewEpoch(ctx)
	p.show()
	return err
}

// split separates the tables that the destination has from those that a
// wildcard matches only; one that is named has to be there.
func (p *planner) split(ctx context.Context, tables []*table.Table) (moved []*table.Table, skipped []table.Name, err error) {
	there := map[string][]table.Name{}
	for _, t := range tables {
		to, named, _ := p.t.Spec.Objects.Match(t.Name)
		if _, read := there[to.Schema]; !read {
			if there[to.Schema], err = p.dst.Tables(ctx, to.Schema); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case slices.ContainsFunc(there[to.Schema], func(n table.Name) bool { return strings.EqualFold(n.Table, to.Table) }):
			moved = append(moved, t)
		case named:
			return nil, nil, fault.DestinationTable.New(to.String(), "")
		default:
			skipped = append(skipped, t.Name)
		}
	}
	if len(moved) == 0 {
		return nil, nil, fault.NothingToMove.New("objects", "")
	}
	return moved, skipped, nil
}

func names(tables []*table.Table) []table.Name {
	out := make([]table.Name, 0, len(tables))
	for _, t := range tables {
		out = append(out, t.Name)
	}
	return out
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
		_ = p.store.AppendLog(ctx, levelWarn, text) // the wait itself counts
	}
}

// takePosition is rule 1. A full-only task takes the plain position where the
// account may see it: it only tells later whether the source was written.
func (p *planner) takePosition(ctx context.Context, tables []table.Name) error {
	var err error
	if p.t.Spec.Type == task.Full {
		if head, err := p.src.Head(ctx); err == nil {
			p.beat.Start = head
		}
		return ctx.Err()
	}
	patience := source.Patience{For: startPatience, Tell: p.tellOfXA(ctx)}
	if p.beat.Start, err = p.src.StartPositionWithin(ctx, tables, patience); err != nil {
		return err
	}
	p.beat.Start, err = binlog.Stamp(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(p.t.Source), Capabilities: p.src.Capabilities(),
		ServerID: binlog.ServerID(p.t.TaskID, aheadOf(p.group)), From: p.beat.Start,
	})
	return err
}

// fits says now what would stop the first row.
func (p *planner) fits(ctx context.Context, t *table.Table, to table.Name) error {
	_, err := mapping(ctx, p.dst, t, to)
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

// cut plans the chunks of every table that is not planned yet.
func (p *planner) cut(ctx context.Context) (contract.PlanCopyOut, error) {
	p.src.Pin(p.beat.Start)
	tables, err := p.store.Tables(ctx)
	if err != nil {
		return contract.PlanCopyOut{}, err
	}
	if p.last, err = p.store.LastNumber(ctx); err != nil {
		return contract.PlanCopyOut{}, err
	}
	for _, t := range tables {
		if !t.Planned {
			if err := p.cutTable(ctx, t); err != nil {
				return contract.PlanCopyOut{}, err
			}
		}
		p.beat.Tables++
		p.show()
	}
	sums, err := p.store.Progress(ctx)
	return contract.PlanCopyOut{
		Epoch: p.beat.Epoch, Start: p.beat.Start, Tables: sums.Tables, Chunks: sums.Chunks,
		RowsEstimated: sums.RowsEstimated, BytesEstimated: sums.BytesEstimated,
	}, err
}

func (p *planner) cutTable(ctx context.Context, t checkpoint.Table) error {
	last, err := p.store.LastChunk(ctx, t.No)
	if err != nil {
		return err
	}
	var after *table.KeyRange
	if last != nil {
		after = &last.Range
	}
	var batch []checkpoint.Chunk
	flush := func() error {
		err := p.store.AddChunks(ctx, batch)
		batch = batch[:0]
		p.show()
		return err
	}
	err = chunk.Plan(ctx, p.src, t.Definition, after, chunk.Budget{}, func(r table.KeyRange, _ int64) error {
		p.last++
		batch = append(batch, checkpoint.Chunk{No: p.last, Table: t.No, Range: r})
		if len(batch) < planBatch {
			p.step.moved()
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	return p.store.SetPlanned(ctx, t.No)
}

func (p *planner) show() {
	p.beat.At, p.beat.Chunks = time.Now().UTC(), int(p.last)
	p.step.beat(p.beat, p.beat.At, false)
}
