package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/task"
)

// copyPhase runs the full copy, then takes the end-of-copy position: after the
// last read (rule 2), since safe mode lasts until it has passed.
func (m *migration) copyPhase(ctx workflow.Context) error {
	if !m.CopyDone {
		if err := m.copyAll(ctx); err != nil {
			return err
		}
		m.CopyDone = true
		m.record(ctx, system, "full copy complete")
		m.settle(ctx)
	}
	if m.Spec.Type == task.Full {
		if m.Stop == nil {
			m.Stop = &stopState{From: lifecycle.PhaseFull}
		}
		m.advance(lifecycle.PhaseFull, lifecycle.PhaseStop)
		return nil
	}
	head, err := call(ctx, m.place, contract.ReadHead, "read the end-of-copy position", m.ref())
	if err != nil {
		return err
	}
	m.CopyEnd = &head.Position
	m.advance(lifecycle.PhaseFull, lifecycle.PhaseIncremental)
	return nil
}

// copyAll copies until no chunk of group 0 is left. A table that fails may leave
// it; one that comes back interrupts the phase, and the lanes then take its chunks.
func (m *migration) copyAll(ctx workflow.Context) error {
	for {
		if err := m.regroup(ctx); err != nil {
			return err
		}
		start, work := m.Plan.Start, m.copyTables
		if m.Plan.ApplyDuring { // set by the plan, so histories without it replay as they were
			start, work = m.applyFrom(), m.copyAndApply
		}
		err := m.beside(ctx, start, work)
		switch {
		case err != nil:
			if err := m.goWithout(ctx, err); err != nil {
				return err
			}
		case m.groupIn(contract.GroupMerging) == nil:
			return m.stopsForGroups()
		}
	}
}

func (m *migration) copyTables(ctx workflow.Context) error {
	lanes, each := connections(m.Spec.Source.MaxConnections, m.Spec.Destination.MaxConnections)
	m.Box += copyBoxes
	in := CopyInput{
		TaskRef: m.ref(), Epoch: m.Plan.Epoch, Box: m.Box, FenceConfirmed: m.FenceConfirmed,
		WorkerGroup: m.place.Group, HeartbeatTimeout: m.place.Heartbeat, Lanes: lanes, Connections: each,
		DeleteFirst: m.DeleteFirst, Start: m.Plan.Start, ApplyBeside: m.Plan.ApplyDuring,
	}
	m.FenceConfirmed = false
	ctx = copyChild(ctx, m.place, 0, fmt.Sprintf("copy %d tables in %d chunks", m.Plan.Tables, m.Plan.Chunks))
	return workflow.ExecuteChildWorkflow(ctx, contract.CopyWorkflow, in).Get(ctx, nil)
}

// beside runs work with WatchSource next to it. When one of them fails, the
// other is cancelled; it returns when both have returned.
func (m *migration) beside(parent workflow.Context, start position.Position, work func(workflow.Context) error) error {
	ctx, cancel := workflow.WithCancel(parent)
	defer cancel()
	var workErr, watchErr error
	var worked, watched bool
	workflow.GoNamed(ctx, "work", func(ctx workflow.Context) {
		workErr = work(ctx)
		worked = true
		cancel()
	})
	workflow.GoNamed(ctx, "watch", func(ctx workflow.Context) {
		if watchErr = m.watch(ctx, start); watchErr != nil {
			cancel()
		}
		watched = true
	})
	free, _ := workflow.NewDisconnectedContext(parent)
	if err := workflow.Await(free, func() bool { return worked && watched }); err != nil {
		return err
	}
	if workErr != nil && watchErr != nil && temporal.IsCanceledError(workErr) {
		return watchErr
	}
	return workErr
}

// watch keeps WatchSource running until it is cancelled or says that the
// source's history no longer allows to go on.
func (m *migration) watch(ctx workflow.Context, start position.Position) error {
	for ctx.Err() == nil {
		m.PurgeAt = nil // its heartbeats tell
		out, err := call(ctx, m.place, contract.WatchSource, "watch binlog retention, statements and load of the source",
			contract.WatchIn{TaskRef: m.ref(), Start: start, ApplyDuring: m.Plan.ApplyDuring})
		m.keepLastLook(ctx, out, err)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := workflow.NewTimerWithOptions(ctx, watchRestart, workflow.TimerOptions{Summary: "watch again"}).Get(ctx, nil); err != nil {
			return nil
		}
	}
	return nil
}

// expectPurge takes the time of the purge from the retention that the plan saw: a
// task that fails because its source is away or refuses it must warn all the same.
func (m *migration) expectPurge(ctx workflow.Context) {
	if m.PurgeAt == nil && m.Plan != nil && m.Plan.RetentionSeconds > 0 { // plans of older programs have none
		at := workflow.Now(ctx).Add(time.Duration(m.Plan.RetentionSeconds) * time.Second)
		m.PurgeAt = &at
	}
}

// keepLastLook keeps what WatchSource saw last, which its heartbeats take along
// when it ends: cancelled, or because others wait for its slot. A watch that was
// between two attempts, or has failed, has nothing to tell; then the source's
// retention counts from now on.
func (m *migration) keepLastLook(ctx workflow.Context, look contract.WatchOut, err error) {
	if err != nil {
		ended, ok := errors.AsType[*temporal.CanceledError](err)
		if !ok || !ended.HasDetails() || ended.Details(&look) != nil {
			m.expectPurge(ctx)
			return
		}
	}
	m.PurgeAt = look.PurgeAt
	if look.Progress.Chunks > 0 {
		look.Progress.RowsRate, look.Progress.BytesRate = 0, 0
		m.Progress = &look.Progress
	}
}
