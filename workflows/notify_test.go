package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

func TestNotify_FailureAndItsEndAreToldOnce(t *testing.T) {
	b := newBench(t)
	var told recorded[contract.NotifyIn]
	stub(b, contract.Notify).Return(func(_ context.Context, in contract.NotifyIn) (contract.Nothing, error) {
		told.add(in)
		return contract.Nothing{}, nil
	})
	stub(b, contract.ApplyBinlog).Return(contract.ApplyOut{}, applicationError(fault.Divergence)).Once()
	b.usual()
	b.at(time.Hour, func() { require.Equal(t, lifecycle.IncreFailed, b.view().Status) })
	after(b, 2*time.Hour, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	after(b, 4*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
	all := told.all()
	require.Len(t, all, 2)
	require.Equal(t, contract.NotifyIn{
		TaskID: taskID, Name: "shop", Kind: kindFailed, Active: true, Status: lifecycle.IncreFailed,
		Code: fault.Divergence.Code, Text: all[0].Text, Remedy: all[0].Remedy, At: all[0].At,
	}, all[0])
	require.NotEmpty(t, all[0].Text)
	require.False(t, all[1].Active)
	require.Equal(t, kindFailed, all[1].Kind)
	require.Equal(t, fault.Divergence.Code, all[1].Code)
}

// TestNotify_APurgeIsToldOfAFailedTaskToo: the failure is known and may wait, the
// binlog does not; both are told, and the end of both.
func TestNotify_APurgeIsToldOfAFailedTaskToo(t *testing.T) {
	b := newBench(t)
	var told recorded[contract.NotifyIn]
	stub(b, contract.Notify).Return(func(_ context.Context, in contract.NotifyIn) (contract.Nothing, error) {
		told.add(in)
		return contract.Nothing{}, nil
	})
	stub(b, contract.ApplyBinlog).Return(contract.ApplyOut{}, applicationError(fault.AccessDenied)).Once()
	b.usual()
	b.at(time.Hour, func() {
		require.Equal(t, lifecycle.IncreFailed, b.view().Status)
		b.SignalWorkflow(contract.SignalAlarm, contract.TaskAlarm{Kind: contract.AlarmPurge, Active: true, Text: "in 6h", At: b.Now()})
	})
	b.at(2*time.Hour, func() { b.SignalWorkflow(contract.SignalAlarm, contract.TaskAlarm{Kind: contract.AlarmPurge}) })
	after(b, 3*time.Hour, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	after(b, 5*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
	type short struct {
		kind   string
		active bool
		text   string
	}
	var got []short
	for _, in := range told.all() {
		text := in.Text
		if in.Kind == kindFailed {
			text = ""
		}
		got = append(got, short{in.Kind, in.Active, text})
	}
	over := "what was reported is over"
	require.Equal(t, []short{{kindFailed, true, ""}, {contract.AlarmPurge, true, "in 6h"}, {contract.AlarmPurge, false, over}, {kindFailed, false, ""}}, got)
}

func TestNotify_AMailServerThatIsDownHoldsUpNoTask(t *testing.T) {
	b := newBench(t)
	stub(b, contract.Notify).Return(contract.Nothing{}, applicationError(fault.MailFailed))
	b.usual()
	b.RegisterDelayedCallback(func() {
		b.SignalWorkflow(contract.SignalAlarm, contract.TaskAlarm{Kind: contract.AlarmPurge, Active: true, Text: "soon", At: b.Now()})
	}, time.Minute)
	b.at(2*time.Minute, func() { require.Len(t, b.view().Alarms, 1) })
	after(b, 3*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
}
