package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

// startPhase carries out a reset, or takes the start position and the chunk plan.
func (m *migration) startPhase(ctx workflow.Context) error {
	if m.Reset != nil {
		return m.reset(ctx)
	}
	if m.PrecheckFirst {
		if err := m.runPrecheck(ctx, nil); err != nil {
			return err
		}
		if s := m.precheckSummary(ctx); s.PassedRate < 100 {
			return fault.PrecheckBelow.New("", "%d failed, %d alarms not confirmed", s.Failed, s.Unconfirmed)
		}
		m.PrecheckFirst = false
	}
	plan, err := call(ctx, m.place, contract.PlanCopy, "take the start position, cut the tables into chunks",
		contract.PlanCopyIn{TaskRef: m.ref(), Owner: m.planner(), Fresh: true, DeleteFirst: m.DeleteFirst})
	if err != nil {
		return err
	}
	if !m.Spec.Limits.IsZero() {
		if err := m.storeLimits(ctx, m.Spec.Limits); err != nil {
			return err
		}
	}
	m.Plan = &plan
	m.record(ctx, system, fmt.Sprintf("planned %d chunks of %d tables", plan.Chunks, plan.Tables))
	m.advance(lifecycle.PhaseStart, lifecycle.PhaseFull)
	return nil
}

// reset clears the progress; the task is then configured again, and the new
// pre-check runs at once. What the former copy wrote is deleted chunk by chunk.
func (m *migration) reset(ctx workflow.Context) error {
	summary := "clear progress, leave the destination's rows"
	if m.Reset.Truncate {
		summary = "clear progress and the destination's tables"
	}
	in := *m.Reset
	in.TaskRef, in.Owner = m.ref(), m.planner()
	if _, err := call(ctx, m.place, contract.ResetTask, summary, in); err != nil {
		return err
	}
	m.DeleteFirst = !in.Truncate && (m.DeleteFirst || m.Plan != nil)
	m.Reset, m.Plan, m.StartAt, m.StartedAt, m.LastError, m.PassDDL = nil, nil, nil, nil, nil, nil
	m.CopyDone, m.CopyEnd, m.Applied, m.Divergences = false, nil, nil, 0
	m.StopPosition, m.StopHead, m.SyncPoints = nil, nil, nil
	m.Progress, m.PurgeAt, m.Alarms = nil, nil, nil
	m.Comparisons, m.Comparison = nil, nil
	m.Groups, m.Left = nil, nil // their numbers are never used again
	m.Sequences = contract.SequenceSummary{State: sequencesPending}
	m.PrecheckFirst = false
	m.Precheck = precheckState{Wanted: true}
	m.record(ctx, system, "reset")
	m.advance(lifecycle.PhaseStart, lifecycle.PhaseConfiguration)
	return nil
}

func (m *migration) storeLimits(ctx workflow.Context, l task.Limits) error {
	_, err := call(ctx, m.place, contract.StoreLimits, "store the limits",
		contract.LimitsIn{TaskRef: m.ref(), Limits: l, Alarms: &m.Spec.Alarms})
	return err
}
