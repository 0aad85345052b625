//go:build faultpoint

package soak

import (
	"context"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/chunk"
	"shardlift/internal/contract"
	"shardlift/internal/copyplan"
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

// plan makes the plan as the planning activity does, in small pieces so that
// crashes meet it, and ends with errMore: the copy is another attempt's. An attempt
// that hears of the epoch of the metadata carries the plan on, any other begins it
// anew.
func (w *works) plan(ctx context.Context) (err error) {
	if w.dst, err = destination.Open(ctx, w.Destination.config(20), "auto"); err != nil {
		return err
	}
	defer func() { _ = w.dst.Close() }()
	if w.store, err = checkpoint.Open(ctx, w.dst, w.Metadata, w.Task); err != nil {
		return err
	}
	m := copyplan.Maker{
		Source: w.src, Destination: w.dst, Store: w.store, Objects: w.selected, Position: w.start,
		Fits: func(ctx context.Context, t *table.Table, _ table.Name) error { _, err := w.mapping(ctx, t); return err },
		Tell: func(b contract.PlanBeat) { // a heartbeat
			w.Plan.Epoch, w.Plan.Start = b.Epoch, b.Start
			w.engine.planned(w.Plan)
		},
		Moved: func() {}, Budget: chunk.Budget{Rows: 4}, Batch: 3,
		Beat: contract.PlanBeat{Epoch: w.Plan.Epoch, Start: w.Plan.Start},
	}
	if err := m.Make(ctx, checkpoint.Token{Box: 1, Attempt: w.Attempt}); err != nil {
		return err
	}
	w.Plan.Done = true
	w.engine.planned(w.Plan)
	return errMore
}

// start is where the stream begins, with what tells its file from a later one of
// the same name.
func (w *works) start(ctx context.Context, tables []table.Name) (position.Position, error) {
	from, err := w.src.StartPosition(ctx, tables)
	if err != nil {
		return from, err
	}
	return binlog.Stamp(ctx, binlog.Config{
		Conn: w.Source.config(0), Capabilities: w.src.Capabilities(), ServerID: binlog.ServerID(w.Task, 1), From: from,
	})
}
