package copyplan

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
)

// Batch is how many chunks are written at once unless a Maker says.
const Batch = 200

// Maker makes one plan. It is not safe for concurrent use.
type Maker struct {
	Source      *source.Source
	Destination *destination.Destination
	Store       *checkpoint.Store
	Objects     selection.Selection
	// Position takes the start position of tables; a zero one is none.
	Position func(ctx context.Context, tables []table.Name) (position.Position, error)
	// Fits says now what would stop a table's first row.
	Fits func(ctx context.Context, t *table.Table, to table.Name) error
	// Tell is given the progress, Moved is called in between.
	Tell  func(contract.PlanBeat)
	Moved func()

	Budget chunk.Budget
	Batch  int // 0: the package's
	// Beat is what the attempt before told last, then how far this one is.
	Beat contract.PlanBeat
	// Last is the highest chunk number so far.
	Last int64
}

// Make takes the turn of planning by the caller's token and makes the plan. A plan
// is carried on only when everything but its chunks was stored: the epoch is taken
// last but for them. Fault Fenced when a newer attempt has had the turn.
func (m *Maker) Make(ctx context.Context, token checkpoint.Token) (err error) {
	plain := m.Store
	turn, end, err := plain.Turn(ctx, token)
	if err != nil {
		return err
	}
	defer func() { m.Store, err = plain, errors.Join(err, end(ctx)) }()
	m.Store = turn
	epoch, err := m.Store.Epoch(ctx)
	if err != nil {
		return err
	}
	if m.Beat.Epoch == 0 || m.Beat.Epoch != epoch {
		if err := m.begin(ctx); err != nil {
			return err
		}
	}
	return m.cut(ctx)
}

// begin drops what an older plan left, takes the start position and stores the
// tables with their definitions.
//
// The definitions are read after the position: a statement between the two is
// in the stream and stops the apply, while one before a definition that was read
// first would go unseen.
func (m *Maker) begin(ctx context.Context) error {
	if err := m.Store.Reset(ctx); err != nil {
		return err
	}
	tables, err := m.Source.Catalogue(ctx, m.Objects)
	if err != nil {
		return err
	}
	moved, skipped, err := m.split(ctx, tables)
	if err != nil {
		return err
	}
	if m.Beat.Start, err = m.Position(ctx, names(moved)); err != nil {
		return err
	}
	m.Source.Pin(m.Beat.Start)
	if tables, err = m.Source.Catalogue(ctx, m.Objects); err != nil {
		return err
	}
	var planned []checkpoint.Table
	for _, t := range tables {
		if !slices.ContainsFunc(moved, func(m *table.Table) bool { return m.Name == t.Name }) {
			continue
		}
		to, _, _ := m.Objects.Match(t.Name)
		if err := m.Fits(ctx, t, to); err != nil {
			return err
		}
		planned = append(planned, checkpoint.Table{
			No: len(planned) + 1, Source: t.Name, Destination: to, Definition: t, RowsEstimated: max(t.Rows, 0), BytesEstimated: max(t.Bytes, 0),
		})
		m.Moved()
	}
	if err := m.put(ctx, planned, skipped); err != nil {
		return err
	}
	if err := m.Store.PrepareFences(ctx, m.Objects.DestinationSchemas()); err != nil {
		return err
	}
	m.Beat.Epoch, err = m.Store.NewEpoch(ctx)
	m.Report()
	return err
}

// put stores the tables. A selected one that the destination lacks is noted as
// none of the task's.
func (m *Maker) put(ctx context.Context, planned []checkpoint.Table, skipped []table.Name) error {
	if err := m.Store.PutTables(ctx, planned); err != nil {
		return err
	}
	for _, t := range planned {
		if err := m.Store.AddDefinition(ctx, checkpoint.Definition{Name: t.Source, Table: t.Definition}); err != nil {
			return err
		}
	}
	for _, n := range skipped {
		if err := m.Store.AddDefinition(ctx, checkpoint.Definition{Name: n}); err != nil {
			return err
		}
	}
	return nil
}

// split separates the tables that the destination has from those that a
// wildcard matches only; one that is named has to be there.
func (m *Maker) split(ctx context.Context, tables []*table.Table) (moved []*table.Table, skipped []table.Name, err error) {
	there := map[string][]table.Name{}
	for _, t := range tables {
		to, named, _ := m.Objects.Match(t.Name)
		if _, read := there[to.Schema]; !read {
			if there[to.Schema], err = m.Destination.Tables(ctx, to.Schema); err != nil {
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

// cut plans the chunks of every table that is not planned yet.
func (m *Maker) cut(ctx context.Context) error {
	m.Source.Pin(m.Beat.Start)
	tables, err := m.Store.Tables(ctx)
	if err != nil {
		return err
	}
	if m.Last, err = m.Store.LastNumber(ctx); err != nil {
		return err
	}
	for _, t := range tables {
		if !t.Planned {
			if err := m.CutTable(ctx, t); err != nil {
				return err
			}
		}
		m.Beat.Tables++
		m.Report()
	}
	return nil
}

// CutTable plans the chunks of a table after those that are in the plan, within
// the turn of planning, with numbers after Last.
func (m *Maker) CutTable(ctx context.Context, t checkpoint.Table) error {
	last, err := m.Store.LastChunk(ctx, t.No)
	if err != nil {
		return err
	}
	var after *table.KeyRange
	if last != nil {
		after = &last.Range
	}
	size := m.Batch
	if size == 0 {
		size = Batch
	}
	var batch []checkpoint.Chunk
	flush := func() error {
		err := m.Store.AddChunks(ctx, batch)
		batch = batch[:0]
		m.Report()
		return err
	}
	var rows int64
	err = chunk.Plan(ctx, m.Source, t.Definition, after, m.Budget, func(r table.KeyRange, estimated int64) error {
		m.Last++
		rows += estimated
		batch = append(batch, checkpoint.Chunk{No: m.Last, Table: t.No, Range: r})
		if len(batch) < size {
			m.Moved()
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
	if after != nil { // a part was cut before, its rows are not known here
		return m.Store.SetPlanned(ctx, t.No)
	}
	return m.Store.SetPlannedRows(ctx, t.No, rows)
}

// Report tells how far the plan is.
func (m *Maker) Report() {
	m.Beat.At, m.Beat.Chunks = time.Now().UTC(), int(m.Last)
	m.Tell(m.Beat)
}
