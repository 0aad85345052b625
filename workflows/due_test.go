package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

const day = 24 * time.Hour

func failedFor(days int) func(*state) {
	return func(s *state) {
		copied(s)
		s.Mode, s.Spec.ExpiredDays = failed, days
		s.LastError = &contract.ErrorInfo{Code: fault.Divergence.Code}
	}
}

func TestExpiry_AFailedTaskEndsByItself(t *testing.T) {
	for _, days := range []int{14, 100} {
		b := newBench(t)
		b.usual()
		begin := b.Now()
		b.at(time.Minute, func() {
			require.WithinDuration(t, begin.Add(time.Duration(days)*day), *b.view().ExpiresAt, time.Second)
		})
		b.at(time.Duration(days)*day-time.Minute, func() { require.Equal(t, lifecycle.IncreFailed, b.view().Status) })
		b.run(b.input(failedFor(days)))
		v := b.ended()
		require.WithinDuration(t, begin.Add(time.Duration(days)*day), *v.EndedAt, time.Minute)
		require.True(t, v.Report.Forced)
		require.True(t, v.Report.Incomplete)
		require.Contains(t, v.Report.Warnings[0], "expired_days")
		require.Contains(t, v.Report.Warnings[0], fault.Divergence.Code)
	}
}

func TestExpiry_AResumeBeginsItAnew(t *testing.T) {
	b := newBench(t)
	b.failing(fault.Divergence, 1)
	b.usual()
	after(b, 13*day, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	b.at(20*day, func() { require.Equal(t, lifecycle.IncreFailed, b.view().Status) })
	b.run(b.input(failedFor(14)))
	v := b.ended()
	require.WithinDuration(t, v.CreatedAt.Add(27*day), *v.EndedAt, time.Minute)
}

func TestExpiry_AnEditMovesItAndOthersHaveNone(t *testing.T) {
	b := newBench(t)
	b.usual()
	edited := spec()
	edited.ExpiredDays = 30
	after(b, 13*day, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.accepted("edit"))
	b.run(b.input(failedFor(14)))
	v := b.ended()
	require.WithinDuration(t, v.CreatedAt.Add(30*day), *v.EndedAt, time.Minute)

	for name, prepare := range map[string]func(*state){
		"paused": func(s *state) { failedFor(14)(s); s.Mode = paused }, "running": func(s *state) { copied(s); s.Spec.ExpiredDays = 14 },
		"configuration": func(s *state) { s.Spec.ExpiredDays = 14 },
	} {
		b := newBench(t)
		b.usual()
		b.at(15*day, func() {
			require.False(t, b.view().Status.Ended(), name)
			require.Nil(t, b.view().ExpiresAt)
		})
		after(b, 16*day, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
		b.run(b.input(prepare))
		b.ended()
	}
}

func TestPurge_APausedTaskWarnsBeforeItsBinlogGoes(t *testing.T) {
	b := newBench(t)
	b.usual()
	purge := b.Now().Add(2 * day)
	b.at(2*day-purgeWarning-time.Minute, func() {
		require.Empty(t, b.view().Alarms)
		require.Equal(t, purge.Unix(), b.view().PurgeAt.Unix())
	})
	b.at(2*day-purgeWarning+time.Minute, func() {
		v := b.view()
		require.Len(t, v.Alarms, 1)
		require.Equal(t, contract.AlarmPurge, v.Alarms[0].Kind)
		require.Contains(t, v.Alarms[0].Text, purge.UTC().Format(time.RFC3339))
		require.Equal(t, lifecycle.Paused, v.Status)
	})
	after(b, 2*day, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	b.at(2*day+time.Minute, func() {
		require.Nil(t, b.view().PurgeAt, "heartbeats tell")
		require.Len(t, b.view().Alarms, 1, "until the watch says that it is over")
		b.SignalWorkflow(contract.SignalAlarm, contract.TaskAlarm{Kind: contract.AlarmPurge})
	})
	b.at(2*day+2*time.Minute, func() { require.Empty(t, b.view().Alarms) })
	after(b, 3*day, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(func(s *state) { copied(s); s.Mode, s.PurgeAt = paused, &purge }))
	b.ended()
}

// TestPurge_AFailedTaskThatCannotAskWarnsToo: its source refuses it, so that no
// watch tells when the purge comes; the retention of the plan does.
func TestPurge_AFailedTaskThatCannotAskWarnsToo(t *testing.T) {
	b := newBench(t)
	stub(b, contract.WatchSource).Return(contract.WatchOut{}, applicationError(fault.AccessDenied))
	stub(b, contract.ApplyBinlog).Return(contract.ApplyOut{}, applicationError(fault.AccessDenied))
	b.usual()
	b.at(time.Hour, func() {
		require.Equal(t, lifecycle.IncreFailed, b.view().Status)
		require.Empty(t, b.view().Alarms)
		require.NotNil(t, b.view().PurgeAt)
	})
	b.at(2*day-purgeWarning+time.Hour, func() {
		require.Len(t, b.view().Alarms, 1)
		require.Equal(t, contract.AlarmPurge, b.view().Alarms[0].Kind)
	})
	after(b, 3*day, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
	b.run(b.input(func(s *state) { copied(s); s.Plan.RetentionSeconds = int64((2 * day).Seconds()) }))
	b.ended()
}

func TestAlarm_OfAnActivityIsShownUntilItEnds(t *testing.T) {
	b := newBench(t)
	b.usual()
	on := contract.TaskAlarm{Kind: contract.AlarmPurge, Active: true, Text: "in 3h", At: b.Now()}
	b.at(time.Minute, func() { b.SignalWorkflow(contract.SignalAlarm, on) })
	b.at(2*time.Minute, func() {
		require.Equal(t, "in 3h", b.view().Alarms[0].Text)
		on.Text = "in 2h"
		b.SignalWorkflow(contract.SignalAlarm, on)
	})
	b.at(3*time.Minute, func() {
		require.Len(t, b.view().Alarms, 1)
		require.Equal(t, "in 2h", b.view().Alarms[0].Text)
		b.SignalWorkflow(contract.SignalAlarm, contract.TaskAlarm{Kind: contract.AlarmPurge})
	})
	b.at(4*time.Minute, func() { require.Empty(t, b.view().Alarms) })
	b.at(5*time.Minute, func() { b.SignalWorkflow(contract.SignalAlarm, on) })
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	require.Empty(t, b.ended().Alarms)
}

func TestReport_EveryStopLeavesOne(t *testing.T) {
	force := contract.StopRequest{Command: byAlice, Force: true}
	usual := contract.StopRequest{Command: byAlice}
	for name, c := range map[string]struct {
		prepare func(*state)
		stop    contract.StopRequest
	}{
		"configuration": {func(*state) {}, usual}, "configuration, force": {func(*state) {}, force},
		"scheduled":       {func(s *state) { at := s.CreatedAt.Add(time.Hour); s.StartAt = &at; checked(s) }, usual},
		"planning":        {func(s *state) { s.Phase = lifecycle.PhaseStart }, usual},
		"planning, force": {func(s *state) { s.Phase = lifecycle.PhaseStart }, force},
		"start failed":    {func(s *state) { s.Phase, s.Mode = lifecycle.PhaseStart, failed }, usual},
		"after a reset":   {func(s *state) { s.DeleteFirst = true }, usual},
	} {
		b := newBench(t)
		stub(b, contract.PlanCopy).After(time.Hour).Return(plan(), nil)
		stub(b, contract.StoreReport).Panic("there is nowhere to store it")
		b.usual()
		after(b, time.Minute, contract.UpdateStop, c.stop, b.accepted("stop"))
		b.run(b.input(c.prepare))
		v := b.ended()
		require.NotNil(t, v.Report, name)
		require.True(t, v.Report.Incomplete, name)
		require.Equal(t, c.stop.Force, v.Report.Forced, name)
		require.Zero(t, v.Report.RowsCopied, name)
		require.Equal(t, "skipped", v.Report.Sequences.State, name)
		require.Contains(t, v.Report.Warnings[0], "nothing was copied", name)
		require.Equal(t, name == "after a reset", v.Report.Warnings[0] != "it was stopped before its copy began: nothing was copied")
		require.False(t, v.Report.At.IsZero())
	}
}

func TestReport_OfAForcedStopWithoutTheDestination(t *testing.T) {
	b := newBench(t)
	stub(b, contract.StoreReport).Return(contract.Report{}, applicationError(fault.AccessDenied))
	b.usual()
	after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
	b.run(b.input(func(s *state) {
		copied(s)
		s.Progress = &contract.CopyProgress{RowsDone: 70, BytesDone: 700, Chunks: 20}
	}))
	r := b.ended().Report
	require.NotNil(t, r)
	require.Equal(t, int64(70), r.RowsCopied)
	require.Equal(t, int64(700), r.BytesCopied)
	require.Equal(t, 2, r.Tables)
	require.Contains(t, r.Warnings[len(r.Warnings)-1], fault.AccessDenied.Code)
}

func TestProgress_IsExactAfterTheEnd(t *testing.T) {
	b := newBench(t)
	stub(b, contract.StoreReport).Return(contract.Report{RowsCopied: 41, BytesCopied: 410}, nil)
	b.usual()
	in := b.input(checked)
	in.Carry.Spec.Type = task.Full
	after(b, time.Second, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.accepted("start"))
	b.run(in)
	p := b.ended().Progress
	require.Equal(t, int64(41), p.RowsDone)
	require.Equal(t, int64(410), p.BytesDone)
	require.Equal(t, p.Chunks, p.ChunksDone)
	require.Equal(t, 20, p.Chunks)
}

func TestDraft_IsNotCheckedOrStarted(t *testing.T) {
	b := newBench(t)
	b.usual()
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, func(r contract.CommandResult, err error) {
		b.refused(fault.NotConfigured)(r, err)
		require.ErrorContains(t, err, "source.password, objects")
	})
	after(b, 2*time.Second, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.refused(fault.NotConfigured))
	edited := spec()
	edited.Missing = []string{"source.password"}
	after(b, time.Minute, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited}, b.accepted("edit"))
	after(b, 2*time.Minute, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.refused(fault.NotConfigured))
	given := contract.CredentialsRequest{Command: byAlice, Side: task.SourceSide, Endpoint: spec().Source}
	after(b, 3*time.Minute, contract.UpdateSetCredentials, given, b.accepted("credentials"))
	after(b, 4*time.Minute, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(func(s *state) { checked(s); s.Spec.Missing = []string{"source.password", "objects"} }))
	b.ended()
}

// A watch that gives its slot to others tells what it saw, and comes back.
func TestWatch_ThatMadeRoomComesBack(t *testing.T) {
	b := newBench(t)
	purge := b.Now().Add(10 * day)
	var runs recorded[bool]
	stub(b, contract.WatchSource).After(time.Hour).Return(func(context.Context, contract.WatchIn) (contract.WatchOut, error) {
		runs.add(true)
		return contract.WatchOut{Progress: contract.CopyProgress{RowsDone: 7, Chunks: 20, RowsRate: 3}, PurgeAt: &purge}, nil
	})
	b.usual()
	b.at(time.Hour+watchRestart/2, func() {
		v := b.view()
		require.Equal(t, int64(7), v.Progress.RowsDone)
		require.Zero(t, v.Progress.RowsRate)
		require.NotNil(t, v.PurgeAt)
		require.Equal(t, lifecycle.IncreStarted, v.Status)
	})
	b.at(time.Hour+2*watchRestart, func() { require.Nil(t, b.view().PurgeAt, "it watches again") })
	after(b, 150*time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
	require.GreaterOrEqual(t, len(runs.all()), 2)
}
