package activities

import (
	"context"

	"shardlift/internal/contract"
	"shardlift/internal/sequence"
)

// UpdateSequences moves what gives ids beyond every id in use, table by table.
func (a *Activities) UpdateSequences(ctx context.Context, in contract.SequencesIn) (contract.SequencesOut, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.SequencesOut{}, err
	}
	work, step := begin(ctx)
	out, err := a.updateSequences(work, t, in, step)
	return out, step.end(err)
}

func (a *Activities) updateSequences(ctx context.Context, t *resolved, in contract.SequencesIn, step *step) (out contract.SequencesOut, err error) {
	d, s, err := openStore(ctx, t, shortConnections)
	if err != nil {
		return out, err
	}
	defer func() { _ = d.Close() }()
	defer func() { a.noteEnd(ctx, s, "sequences", err) }()
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return out, err
	}
	defer func() { _ = src.Close() }()
	tables, err := s.Tables(ctx)
	if err != nil {
		return out, err
	}
	for i := range tables {
		// One by one, so that a long list shows progress; the refresh of all comes once.
		part, err := sequence.Update(ctx, src, d, tables[i:i+1], in.All && i == 0)
		if err != nil {
			return out, err
		}
		out.Refreshed += part.Refreshed
		out.Total += part.Total
		out.Warnings = append(out.Warnings, part.Warnings...)
		step.moved()
	}
	a.note(ctx, s, levelInfo, "sequences: %d of %d stand beyond every id in use", out.Refreshed, out.Total)
	return out, nil
}
