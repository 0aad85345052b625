package workflows

import (
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
)

// kindFailed is the kind of the alarm of a task that has failed; the others are
// those of attention.
const kindFailed = "failed"

// tellPeople starts a NotifyWorkflow when the reason to look at the task is
// another than the one people were told.
func (m *migration) tellPeople(ctx workflow.Context, now told) {
	if m.release < 2 {
		return
	}
	if now.attention != m.Notified {
		before := m.Notified
		m.Notified = now.attention
		m.notify(ctx, m.notification(now, before))
	}
	m.tellPurge(ctx, now)
}

// tellPurge tells of a purge what the reason to look at the task hides: that it
// has failed is known and may wait until Monday, its binlog does not.
func (m *migration) tellPurge(ctx workflow.Context, now told) {
	active := m.alarmed(contract.AlarmPurge)
	switch {
	case active && !m.PurgeTold && now.attention != contract.AlarmPurge:
		if workflow.GetVersion(ctx, changePurgeToldApart, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
			return
		}
	case active && now.attention == contract.AlarmPurge: // the reason itself was told
		m.PurgeTold = false
		return
	case active || !m.PurgeTold:
		return
	}
	m.PurgeTold = active
	in := contract.NotifyIn{TaskID: m.in.TaskID, Name: m.Spec.Name, Kind: contract.AlarmPurge, Active: active, Status: now.status, Text: "what was reported is over"}
	for _, a := range m.Alarms {
		if a.Kind == contract.AlarmPurge {
			in.Text = a.Text
		}
	}
	m.notify(ctx, in)
}

// notify starts a NotifyWorkflow: one of its own, so that a mail server that is
// down holds up no task, and the end of a task no mail.
func (m *migration) notify(ctx workflow.Context, in contract.NotifyIn) {
	m.NotifyNo++
	in.At = workflow.Now(ctx)
	number := m.NotifyNo
	free, _ := workflow.NewDisconnectedContext(ctx)
	free = workflow.WithChildOptions(free, workflow.ChildWorkflowOptions{
		WorkflowID: contract.NotifyID(m.in.TaskID, number), TaskQueue: contract.QueueControl,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, StaticSummary: "tell people: " + in.Kind,
	})
	workflow.ExecuteChildWorkflow(free, contract.NotifyWorkflow, in)
}

// notification says what began, or what is over.
func (m *migration) notification(now told, before string) contract.NotifyIn {
	in := contract.NotifyIn{TaskID: m.in.TaskID, Name: m.Spec.Name, Active: now.attention != "", Status: now.status, Kind: now.attention, Text: "what was reported is over"}
	if !in.Active {
		if in.Kind = before; strings.HasPrefix(before, "SL-") {
			in.Kind, in.Code = kindFailed, before
		}
		return in
	}
	if m.Mode == failed && m.LastError != nil {
		e := m.LastError
		in.Kind, in.Code, in.Remedy = kindFailed, e.Code, e.Remedy
		in.Text = strings.TrimPrefix(e.Object+": "+e.Message, ": ")
		return in
	}
	in.Text = "rows of the destination differ from what the source had: see the task's log"
	for _, a := range m.Alarms {
		if a.Kind == now.attention {
			in.Text = a.Text
		}
	}
	return in
}

// NotifyWorkflow tells people of one alarm, for an hour.
func NotifyWorkflow(ctx workflow.Context, in contract.NotifyIn) error {
	_, err := call(ctx, newPlace(in.TaskID, "", 0), contract.Notify, "tell people: "+in.Kind, in)
	return err
}
