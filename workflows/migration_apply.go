package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/position"
)

// applyPhase applies box after box. It has no end of its own: a stop interrupts
// it, and the stop phase drains.
func (m *migration) applyPhase(ctx workflow.Context) error {
	return m.beside(ctx, m.applyFrom(), func(ctx workflow.Context) error {
		end := m.groupsBeside(ctx)
		defer end()
		return m.applyOwn(ctx)
	})
}

// applyOwn applies group 0. Between its boxes tables leave it and come back.
func (m *migration) applyOwn(ctx workflow.Context) error {
	for {
		// A box that began now would take tables that join for its own.
		if err := workflow.Await(ctx, func() bool { return m.joining == nil }); err != nil {
			return err
		}
		if err := m.regroup(ctx); err != nil {
			return err
		}
		if _, err := m.applyBox(ctx, nil); err != nil {
			if err := m.goWithout(ctx, err); err != nil {
				return err
			}
		}
	}
}

// copyAndApply applies the stream beside the copy (rule 2). The end of the copy
// ends it: the incremental phase goes on at its checkpoint. It returns when both
// have returned; an error of one cancels the other.
func (m *migration) copyAndApply(parent workflow.Context) error {
	ctx, cancel := workflow.WithCancel(parent)
	defer cancel()
	confirmed := m.FenceConfirmed // the copy takes the operator's word, which is about both
	var copyErr, applyErr error
	var copied, applied bool
	workflow.GoNamed(ctx, "copy", func(ctx workflow.Context) {
		copyErr = m.copyTables(ctx)
		copied = true
		cancel()
	})
	workflow.GoNamed(ctx, "apply", func(ctx workflow.Context) {
		m.FenceConfirmed = confirmed
		for applyErr == nil && ctx.Err() == nil {
			applyErr = m.applyBeside(ctx)
		}
		applied = true
		cancel()
	})
	free, _ := workflow.NewDisconnectedContext(parent)
	if err := workflow.Await(free, func() bool { return copied && applied }); err != nil {
		return err
	}
	if copyErr != nil && applyErr != nil && temporal.IsCanceledError(copyErr) {
		return applyErr
	}
	return copyErr
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
	in := m.applyIn()
	in.Stop = stop
	if m.CopyEnd != nil {
		in.CopyEnd = *m.CopyEnd
	}
	return m.runApply(ctx, summary, in)
}

// applyBeside runs one box while the copy goes on.
func (m *migration) applyBeside(ctx workflow.Context) error {
	in := m.applyIn()
	in.BesideCopy = true
	in.CopyLanes, _ = connections(m.Spec.Source.MaxConnections, m.Spec.Destination.MaxConnections)
	_, err := m.runApply(ctx, "apply changes beside the copy", in)
	return err
}

func (m *migration) applyIn() contract.ApplyIn {
	return contract.ApplyIn{TaskRef: m.ref(), Owner: m.owner(), Box: applyBox, Start: m.Plan.Start, PassDDL: m.PassDDL}
}

func (m *migration) runApply(ctx workflow.Context, summary string, in contract.ApplyIn) (contract.ApplyOut, error) {
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
