//go:build faultpoint

package soak

import (
	"context"

	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/destination"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// planning is the unit of the plan's work.
const planning = "plan"

// plan is what is known of it outside of the metadata.
type plan struct {
	Epoch int64
	Start position.Position
	Done  bool
}

// planBatch is how many chunks are written at once: few, so that crashes meet it.
const planBatch = 3

// plan does what the planning activity does, in its order, and ends with errMore:
// the copy is another attempt's. An attempt that hears of the epoch of the
// metadata carries the plan on, any other begins it anew.
func (w *works) plan(ctx context.Context) (err error) {
	if w.dst, err = destination.Open(ctx, w.Destination.config(20), "auto"); err != nil {
		return err
	}
	defer func() { _ = w.dst.Close() }()
	if w.store, err = checkpoint.Open(ctx, w.dst, w.Metadata, w.Task); err != nil {
		return err
	}
	epoch, err := w.store.Epoch(ctx)
	if err != nil {
		return err
	}
	if w.Plan.Epoch == 0 || w.Plan.Epoch != epoch {
		if err := w.beginPlan(ctx); err != nil {
			return err
		}
		w.engine.planned(w.Plan) // a heartbeat
	}
	if err := w.cutTables(ctx); err != nil {
		return err
	}
	w.Plan.Done = true
	w.engine.planned(w.Plan)
	return errMore
}

func (w *works) beginPlan(ctx context.Context) error {
	if err := w.store.Reset(ctx); err != nil {
		return err
	}
	found, err := w.src.Catalogue(ctx, w.selected)
	if err != nil {
		return err
	}
	var names []table.Name
	for _, t := range found {
		names = append(names, t.Name)
	}
	if w.Plan.Start, err = w.src.StartPosition(ctx, names); err != nil {
		return err
	}
	w.src.Pin(w.Plan.Start)
	if found, err = w.src.Catalogue(ctx, w.selected); err != nil {
		return err
	}
	var tables []checkpoint.Table
	for i, t := range found {
		to, _, _ := w.selected.Match(t.Name)
		if _, err := w.mapping(ctx, t); err != nil {
			return err
		}
		tables = append(tables, checkpoint.Table{No: i + 1, Source: t.Name, Destination: to, Definition: t})
	}
	if err := w.store.PutTables(ctx, tables); err != nil {
		return err
	}
	if err := w.store.PrepareFences(ctx, []string{w.To}); err != nil {
		return err
	}
	w.Plan.Epoch, err = w.store.NewEpoch(ctx)
	return err
}

func (w *works) cutTables(ctx context.Context) error {
	w.src.Pin(w.Plan.Start)
	tables, err := w.store.Tables(ctx)
	if err != nil {
		return err
	}
	no, err := w.store.LastNumber(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Planned {
			continue
		}
		if no, err = w.cutTable(ctx, t, no); err != nil {
			return err
		}
	}
	return nil
}

func (w *works) cutTable(ctx context.Context, t checkpoint.Table, no int64) (int64, error) {
	last, err := w.store.LastChunk(ctx, t.No)
	if err != nil {
		return no, err
	}
	var after *table.KeyRange
	if last != nil {
		after = &last.Range
	}
	var batch []checkpoint.Chunk
	err = chunk.Plan(ctx, w.src, t.Definition, after, chunk.Budget{Rows: 4}, func(r table.KeyRange, _ int64) error {
		no++
		batch = append(batch, checkpoint.Chunk{No: no, Table: t.No, Range: r})
		if len(batch) < planBatch {
			return nil
		}
		err := w.store.AddChunks(ctx, batch)
		batch = batch[:0]
		return err
	})
	if err == nil {
		err = w.store.AddChunks(ctx, batch)
	}
	if err == nil {
		err = w.store.SetPlanned(ctx, t.No)
	}
	return no, err
}
