package workflows

import (
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/position"
)

// applyPhase applies box after box. It has no end of its own: a stop interrupts
// it, and the stop phase drains.
func (m *migration) applyPhase(ctx workflow.Context) error {
	return m.beside(ctx, m.applyFrom(), func(ctx workflow.Context) error {
		for {
			if _, err := m.applyBox(ctx, nil); err != nil {
				return err
			}
		}
	})
}

// applyFrom is where the apply goes on as far as the workflow knows; the
// checkpoint row knows better.
func (m *migration) applyFrom() position.Position {
	if m.Applied != nil {
		return *m.Applied
	}
	return m.Plan.Start
}

// applyBox runs one box of group 0. The stop position is part of its input, so
// that "drained" can never be said of another one.
func (m *migration) applyBox(ctx workflow.Context, stop *position.Position) (contract.ApplyOut, error) {
	summary := "apply changes"
	if stop != nil {
		summary = "apply changes up to the stop position"
	}
	in := contract.ApplyIn{
		TaskRef: m.ref(), Owner: m.owner(), Box: applyBox, Start: m.Plan.Start, Stop: stop, PassDDL: m.PassDDL,
	}
	if m.CopyEnd != nil {
		in.CopyEnd = *m.CopyEnd
	}
	out, err := call(ctx, m.place, contract.ApplyBinlog, summary, in)
	if err != nil {
		return out, err
	}
	if !out.Applied.IsZero() {
		m.Applied = &out.Applied
	}
	m.Divergences = max(m.Divergences, out.Divergences)
	return out, nil
}
