package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

// States of the sequences.
const (
	sequencesPending = "pending"
	sequencesDone    = "done"
	sequencesSkipped = "skipped"
	sequencesFailed  = "failed"
)

// reportLimit bounds the report of a forced stop, whose databases may be away.
const reportLimit = 30 * time.Second

// stopPhase ends the task: drain up to the stop position, sequences, report.
// Each step is done once; a resume after a failure goes on with the next. The
// metadata stays on the destination until the task is deleted.
func (m *migration) stopPhase(ctx workflow.Context) error {
	m.cancelComparison(ctx)
	if m.Plan != nil {
		if m.drains() {
			if err := m.drain(ctx); err != nil {
				return err
			}
		}
		if err := m.updateSequences(ctx); err != nil {
			return err
		}
		report, err := call(ctx, m.place, contract.StoreReport, "store the final report", m.reportIn())
		if err != nil {
			return err
		}
		m.Report = &report
	}
	m.end(ctx, "completed")
	return nil
}

// drain reads the stop position once and applies until it is covered: only
// ApplyOut.Drained ends it.
func (m *migration) drain(ctx workflow.Context) error {
	if m.StopPosition == nil {
		head, err := call(ctx, m.place, contract.ReadHead, "read the stop position", m.ref())
		if err != nil {
			return err
		}
		m.StopHead, m.StopPosition = &head, &head.Position
		if m.CopyEnd == nil { // stopped between the last chunk and the reading of this position
			m.CopyEnd = &head.Position
		}
	}
	for !m.Stop.Drained {
		out, err := m.applyBox(ctx, m.StopPosition)
		if err != nil {
			return err
		}
		m.Stop.Drained = out.Drained
	}
	return nil
}

func (m *migration) updateSequences(ctx workflow.Context) error {
	if m.Sequences.State == sequencesDone {
		return nil
	}
	out, err := call(ctx, m.place, contract.UpdateSequences, "move the sequences beyond every id in use",
		contract.SequencesIn{TaskRef: m.ref(), All: m.Spec.Policy.Sequences == "all"})
	if err != nil {
		if ctx.Err() == nil {
			m.Sequences.State = sequencesFailed
		}
		return err
	}
	m.Sequences = contract.SequenceSummary{State: sequencesDone, Refreshed: out.Refreshed, Total: out.Total}
	for _, w := range out.Warnings {
		m.warn(w)
	}
	return nil
}

func (m *migration) reportIn() contract.ReportIn {
	in := contract.ReportIn{
		TaskRef: m.ref(), Forced: m.Stop.Force, Incomplete: !m.complete(), StopPosition: m.StopPosition, Head: m.StopHead,
		Sequences: m.Sequences, Warnings: m.Warnings, StartedAt: m.StartedAt,
	}
	// A full-only task drains nothing: what was written since its start is missing.
	if m.Spec.Type == task.Full && !m.Plan.Start.IsZero() {
		in.StopPosition = &m.Plan.Start
	}
	return in
}

// endByForce ends the task at once: no drain, no sequences, and a report if the
// destination answers soon.
func (m *migration) endByForce(ctx workflow.Context) {
	m.cancelComparison(ctx)
	if m.Plan != nil {
		if m.Sequences.State != sequencesDone {
			m.Sequences.State = sequencesSkipped
			m.warn("forced stop: the sequences were not refreshed; the next insert may meet an id in use")
		}
		report, err := callBriefly(ctx, m.place, reportLimit, contract.StoreReport, "store the report of the forced stop", m.reportIn())
		if err == nil {
			m.Report = &report
		} else {
			m.warn("the report could not be stored on the destination: " + errorInfo(ctx, err).Code)
		}
	}
	m.end(ctx, "stopped by force")
}

func (m *migration) end(ctx workflow.Context, text string) {
	now := workflow.Now(ctx)
	m.EndedAt = &now
	m.Mode = running
	m.Phase = lifecycle.PhaseDone
	m.LastError = nil
	m.record(ctx, system, text)
}
