package workflows

import (
	"slices"
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
		m.take(report)
	} else {
		m.Report = m.ownReport(ctx)
	}
	m.end(ctx, "completed")
	return nil
}

// drain reads the stop position once and applies until it is covered: only
// ApplyOut.Drained ends it.
func (m *migration) drain(ctx workflow.Context) error {
	// Tables of an addition that is being taken back are none of the task's.
	if err := workflow.Await(ctx, func() bool { return m.joining == nil }); err != nil {
		return err
	}
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
		Sequences: m.Sequences, Warnings: slices.Concat(m.Warnings, m.groupWarnings()), StartedAt: m.StartedAt,
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
			m.take(report)
		} else {
			m.warn("the report could not be stored on the destination: " + errorInfo(ctx, err).Code)
			m.Report = m.ownReport(ctx)
		}
	} else {
		m.Report = m.ownReport(ctx)
	}
	m.end(ctx, "stopped by force")
}

// take keeps the report, and the copy's sums, which are exact in it.
func (m *migration) take(r contract.Report) {
	m.Report = &r
	p := contract.CopyProgress{
		RowsEstimated: m.Plan.RowsEstimated, BytesEstimated: m.Plan.BytesEstimated, Chunks: m.Plan.Chunks, Tables: m.Plan.Tables,
	}
	if m.Progress != nil {
		p = *m.Progress
	}
	if m.CopyDone {
		p.ChunksDone, p.TablesCopied, p.TablesCopying = p.Chunks, p.Tables, 0
	}
	p.RowsDone, p.BytesDone = r.RowsCopied, r.BytesCopied
	m.Progress = &p
}

// ownReport is the report of a task that has nothing on its destination, or
// whose destination is away: what the workflow knows.
func (m *migration) ownReport(ctx workflow.Context) *contract.Report {
	if m.Plan == nil {
		m.Sequences.State = sequencesSkipped
		text := "it was stopped before its copy began: nothing was copied"
		if m.DeleteFirst {
			text += " since the reset; rows of the former copy remain on the destination"
		}
		m.warn(text)
	}
	r := contract.Report{
		Forced: m.Stop.Force, Incomplete: !m.complete(), WritesAfterStop: "not verifiable", OpenTransactions: -1, PreparedXA: -1,
		StopPosition: m.StopPosition, Sequences: m.Sequences, Warnings: slices.Concat(m.Warnings, m.groupWarnings()), Divergences: m.Divergences, At: workflow.Now(ctx),
	}
	if m.Plan != nil {
		r.Tables = m.Plan.Tables
	}
	if m.Progress != nil {
		r.RowsCopied, r.BytesCopied = m.Progress.RowsDone, m.Progress.BytesDone
	}
	return &r
}

func (m *migration) end(ctx workflow.Context, text string) {
	now := workflow.Now(ctx)
	m.EndedAt = &now
	m.Mode = running
	m.Phase = lifecycle.PhaseDone
	m.LastError, m.PurgeAt, m.Alarms = nil, nil, nil
	m.record(ctx, system, text)
}
