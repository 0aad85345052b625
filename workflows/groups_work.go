package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/position"
)

const (
	// closeEnough is how long a group's last turn may take for the merge: so much
	// does group 0 replay.
	closeEnough = time.Minute
	// groupLanes bounds the lanes of a group's copy, which runs beside the apply.
	groupLanes = 4
)

// groupsBeside brings groups on, one at a time, beside group 0's apply. The
// function it returns ends that and waits until their steps have returned.
func (m *migration) groupsBeside(parent workflow.Context) func() {
	ctx, cancel := workflow.WithCancel(parent)
	busy := false
	workflow.GoNamed(ctx, "groups", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return m.atWork() != nil }) == nil && ctx.Err() == nil {
			busy = true
			m.bringOn(ctx, m.atWork().No)
			busy = false
		}
	})
	return func() {
		cancel()
		free, _ := workflow.NewDisconnectedContext(parent)
		_ = workflow.Await(free, func() bool { return !busy })
	}
}

// bringOn takes a group's next step. What passes by itself is tried again; any
// other error parks the group.
func (m *migration) bringOn(ctx workflow.Context, no int) {
	if !m.waitOut(ctx, no) {
		return
	}
	err := m.groupStep(ctx, no)
	g := m.group(no)
	if g == nil || err == nil || ctx.Err() != nil {
		return
	}
	info := errorInfo(ctx, err)
	if info.Class != string(fault.Retry) {
		m.parkAgain(ctx, no, info)
		return
	}
	m.tryLater(ctx, g, info)
}

// tryLater notes when a group's step is tried again.
func (m *migration) tryLater(ctx workflow.Context, g *contract.Group, info contract.ErrorInfo) {
	at := workflow.Now(ctx).Add(passingWait)
	info.Attempt, info.NextRetryAt = 1, &at
	g.Error = &info
	m.settle(ctx)
}

// waitOut waits until a group's step is to be tried again; false when that was
// interrupted.
func (m *migration) waitOut(ctx workflow.Context, no int) bool {
	g := m.group(no)
	if g.Error == nil || g.Error.NextRetryAt == nil {
		return true
	}
	if wait := g.Error.NextRetryAt.Sub(workflow.Now(ctx)); wait > 0 {
		timer := workflow.NewTimerWithOptions(ctx, wait, workflow.TimerOptions{Summary: "try the group again after " + g.Error.Code})
		if timer.Get(ctx, nil) != nil {
			return false
		}
	}
	if g = m.group(no); g != nil {
		g.Error = nil
	}
	return g != nil
}

func (m *migration) groupStep(ctx workflow.Context, no int) error {
	switch m.group(no).State {
	case contract.GroupPlanning:
		return m.planGroup(ctx, no)
	case contract.GroupCopying:
		return m.copyGroup(ctx, no)
	case contract.GroupApplying:
		return m.catchUp(ctx, no)
	default: // merging: regroup does it when the phase begins again
		return workflow.Await(ctx, func() bool { g := m.group(no); return g == nil || g.State != contract.GroupMerging })
	}
}

// groupOwner numbers a group's next box; the operator's word is good for one.
func (m *migration) groupOwner(g *contract.Group) contract.Owner {
	m.Box++
	o := contract.Owner{Epoch: m.Plan.Epoch, Box: m.Box, FenceConfirmed: g.FenceConfirmed}
	g.FenceConfirmed = false
	return o
}

func (m *migration) planGroup(ctx workflow.Context, no int) error {
	g := m.group(no)
	out, err := call(ctx, m.place, contract.PlanGroup, "plan the copy of "+names(g.Tables),
		contract.PlanGroupIn{TaskRef: m.ref(), Owner: m.groupOwner(g), Group: no, Tables: g.Tables})
	if err != nil {
		return err
	}
	m.planned(ctx, no, out)
	return nil
}

// planned notes a group's plan; its copy is next.
func (m *migration) planned(ctx workflow.Context, no int, plan contract.PlanCopyOut) {
	g := m.group(no)
	g.Position, g.Copied, g.Replan, g.CopyEnd = &plan.Start, false, false, nil
	m.record(ctx, system, fmt.Sprintf("planned %d chunks of %s", plan.Chunks, names(g.Tables)))
	m.enter(ctx, g, contract.GroupCopying)
}

// copyGroup copies a group's chunks, then takes its end-of-copy position.
func (m *migration) copyGroup(ctx workflow.Context, no int) error {
	g := m.group(no)
	lanes, _ := connections(m.Spec.Source.MaxConnections, m.Spec.Destination.MaxConnections)
	owner := m.groupOwner(g)
	m.Box += copyBoxes
	in := CopyInput{
		TaskRef: m.ref(), Epoch: owner.Epoch, Box: owner.Box, FenceConfirmed: owner.FenceConfirmed,
		WorkerGroup: m.place.Group, HeartbeatTimeout: m.place.Heartbeat, Lanes: min(lanes, groupLanes), Connections: 1,
		DeleteFirst: g.DeleteFirst, Start: groupStart(g, m.Plan.Start), ApplyBeside: true, Group: no,
	}
	child := copyChild(ctx, m.place, no, "copy "+names(g.Tables))
	if err := workflow.ExecuteChildWorkflow(child, contract.CopyWorkflow, in).Get(child, nil); err != nil {
		return err
	}
	head, err := call(ctx, m.place, contract.ReadHead, "read the group's end-of-copy position", m.ref())
	if err != nil {
		return err
	}
	g = m.group(no)
	g.Copied, g.CopyEnd, g.DeleteFirst = true, &head.Position, false
	m.record(ctx, system, "copied "+names(g.Tables))
	m.enter(ctx, g, contract.GroupApplying)
	return nil
}

// catchUp applies up to where the source is now. A turn that was short brings
// the group to group 0.
func (m *migration) catchUp(ctx workflow.Context, no int) error {
	begun := workflow.Now(ctx)
	head, err := call(ctx, m.place, contract.ReadHead, "read the source's position", m.ref())
	if err != nil {
		return err
	}
	g := m.group(no)
	in := contract.ApplyIn{
		TaskRef: m.ref(), Owner: m.groupOwner(g), Group: no, Box: applyBox, Start: groupStart(g, m.Plan.Start),
		Stop: &head.Position, PassDDL: g.PassDDL,
	}
	if end := g.CopyEnd; end != nil {
		in.CopyEnd = *end
	} else if m.CopyEnd != nil {
		in.CopyEnd = *m.CopyEnd
	}
	out, err := call(ctx, m.place, contract.ApplyBinlog, "apply changes of "+names(g.Tables), in)
	if err != nil {
		return err
	}
	g = m.group(no)
	if !out.Applied.IsZero() {
		g.Position = &out.Applied
	}
	m.Divergences = max(m.Divergences, out.Divergences)
	if out.Drained && workflow.Now(ctx).Sub(begun) <= closeEnough {
		m.enter(ctx, g, contract.GroupMerging)
		m.interruptOwn()
	}
	return nil
}

func groupStart(g *contract.Group, taskStart position.Position) position.Position {
	if g.Position != nil && !g.Position.IsZero() {
		return *g.Position
	}
	return taskStart
}
