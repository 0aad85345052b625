package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
)

// purgeWarning is how long before the purge of needed binlog a task at rest says so.
const purgeWarning = 6 * time.Hour

// due is what happens to a task at rest when its time comes.
type due struct {
	at   time.Time
	what string
	do   func(workflow.Context)
}

// due returns the first thing that is due, nil when there is none.
func (m *migration) due() *due {
	if m.Phase == lifecycle.PhaseConfiguration {
		if m.StartAt == nil {
			return nil
		}
		return &due{*m.StartAt, "start", m.scheduledStart}
	}
	if m.release < 2 {
		return nil
	}
	var list []due
	if at := m.expiresAt(); at != nil {
		list = append(list, due{*at, "end of the failed task", m.expire})
	}
	if m.PurgeAt != nil && !m.alarmed(contract.AlarmPurge) {
		list = append(list, due{m.PurgeAt.Add(-purgeWarning), "warn of a purge", m.warnOfPurge})
	}
	if len(list) == 0 {
		return nil
	}
	first := slices.MinFunc(list, func(a, b due) int { return a.at.Compare(b.at) })
	return &first
}

// expiresAt is when a failed task is ended (drs.md L-32), nil for others.
func (m *migration) expiresAt() *time.Time {
	if m.Mode != failed || m.Spec.ExpiredDays <= 0 || m.release < 2 {
		return nil
	}
	at := m.Since.Add(time.Duration(m.Spec.ExpiredDays) * 24 * time.Hour)
	return &at
}

// expire ends the task as a forced stop does: what it would drain has failed.
func (m *migration) expire(ctx workflow.Context) {
	code := ""
	if m.LastError != nil {
		code = " with " + m.LastError.Code
	}
	m.warn(fmt.Sprintf("ended by itself: it had failed%s and nobody resumed it for %d days (expired_days)", code, m.Spec.ExpiredDays))
	m.stop(ctx, system, contract.StopRequest{Force: true})
}

func (m *migration) warnOfPurge(ctx workflow.Context) {
	m.alarm(ctx, contract.TaskAlarm{
		Kind: contract.AlarmPurge, Active: true, At: workflow.Now(ctx),
		Text: "the task rests, and the source may purge binlog that it needs from " + m.PurgeAt.UTC().Format(time.RFC3339) +
			" on: resume it, or raise the source's retention; after a purge only a reset helps",
	})
	m.settle(ctx)
}

// hearAlarms waits for what activities report.
func (m *migration) hearAlarms(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, contract.SignalAlarm)
	for {
		var a contract.TaskAlarm
		signals.Receive(ctx, &a)
		m.alarm(ctx, a)
		m.settle(ctx)
	}
}

// drainAlarms takes what has arrived before the run ends.
func (m *migration) drainAlarms(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, contract.SignalAlarm)
	var a contract.TaskAlarm
	for signals.ReceiveAsync(&a) {
		m.alarm(ctx, a)
		a = contract.TaskAlarm{}
	}
}

// alarm begins, renews or ends an alarm; a task that has ended has none.
func (m *migration) alarm(ctx workflow.Context, a contract.TaskAlarm) {
	had := m.alarmed(a.Kind)
	m.Alarms = slices.DeleteFunc(m.Alarms, func(x contract.TaskAlarm) bool { return x.Kind == a.Kind })
	switch {
	case a.Active && m.Phase != lifecycle.PhaseDone:
		m.Alarms = append(m.Alarms, a)
		if !had {
			m.record(ctx, system, "alarm: "+a.Text)
		}
	case had:
		m.record(ctx, system, "alarm over: "+a.Kind)
	}
}

func (m *migration) alarmed(kind string) bool {
	return slices.ContainsFunc(m.Alarms, func(a contract.TaskAlarm) bool { return a.Kind == kind })
}
