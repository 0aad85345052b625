package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

func (b *bench) report() contract.PrecheckReport {
	b.t.Helper()
	value, err := b.QueryWorkflow(contract.QueryPrecheck)
	require.NoError(b.t, err)
	var r contract.PrecheckReport
	require.NoError(b.t, value.Get(&r))
	return r
}

// verdicts answers items by code; what is not named passes.
func (b *bench) verdicts(byCode map[string]contract.Verdict) {
	stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		r := contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Passed}
		if v, ok := byCode[in.Code]; ok {
			r.Verdict = v
		}
		return r, nil
	})
}

func (b *bench) endAt(d time.Duration) {
	after(b, d, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("end of the test"))
}

func TestPrecheck_StartIsRefusedBelow100Percent(t *testing.T) {
	b := newBench(t)
	verdicts := map[string]contract.Verdict{"BINLOG": contract.Alarm}
	b.verdicts(verdicts)
	b.usual()
	start := contract.StartRequest{Command: byAlice}
	after(b, time.Second, contract.UpdateStart, start, b.refused(fault.PrecheckMissing))
	after(b, 2*time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	after(b, time.Minute, contract.UpdateStart, start, b.refused(fault.PrecheckBelow))
	b.at(61*time.Second, func() {
		s := b.view().Precheck
		require.Equal(t, contract.PrecheckSummary{State: "done", Revision: 1, ExpiresAt: s.ExpiresAt, PassedRate: 50, Alarms: 1, Unconfirmed: 1, Percent: 100}, s)
		require.Equal(t, lifecycle.Configuration, b.view().Status)
	})
	after(b, 2*time.Minute, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, Items: []string{"NONE"}}, b.refused(fault.UnknownItem))
	after(b, 2*time.Minute, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, Items: []string{"SOURCE_CONNECTION"}}, b.refused(fault.NotAnAlarm))
	after(b, 2*time.Minute, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, Items: []string{"BINLOG"}, Note: "known"}, b.accepted("confirm"))
	b.at(3*time.Minute, func() {
		item := b.report().Items[1]
		require.Equal(t, "alice", item.Confirmed.Actor)
		require.Equal(t, "known", item.Confirmed.Note)
		require.Equal(t, 100, b.view().Precheck.PassedRate)
	})
	// A confirmation outlives another run of the same revision, not the revision.
	after(b, 4*time.Minute, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice, Items: []string{"BINLOG"}}, b.accepted("check again"))
	b.at(5*time.Minute, func() { require.Equal(t, 100, b.view().Precheck.PassedRate) })
	after(b, 6*time.Minute, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: spec()}, b.accepted("edit"))
	after(b, 7*time.Minute, contract.UpdateStart, start, b.refused(fault.PrecheckMissing))
	after(b, 8*time.Minute, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	after(b, 9*time.Minute, contract.UpdateStart, start, b.refused(fault.PrecheckBelow))
	after(b, 10*time.Minute, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, All: true}, b.accepted("confirm all"))
	after(b, 25*time.Hour, contract.UpdateStart, start, b.refused(fault.PrecheckExpired))
	b.endAt(26 * time.Hour)
	b.run(b.input())
	b.ended()
}

func TestPrecheck_WhatDependsOnAFailureIsNotChecked(t *testing.T) {
	b := newBench(t)
	stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		require.Equal(t, "SOURCE_CONNECTION", in.Code)
		return contract.PrecheckItemResult{}, errors.New("no route to the server")
	})
	b.usual()
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	b.at(time.Hour, func() {
		r := b.report()
		require.Equal(t, contract.Failed, r.Items[0].Verdict)
		require.Contains(t, r.Items[0].Reason, "no route")
		require.Equal(t, contract.Waiting, r.Items[1].Verdict)
		require.Contains(t, r.Items[1].Reason, "SOURCE_CONNECTION")
		require.Equal(t, 1, r.Summary.Failed)
		require.Zero(t, r.Summary.PassedRate)
	})
	b.endAt(2 * time.Hour)
	b.run(b.input())
	b.ended()
}

func TestPrecheck_RunningIsVisibleAndEditEndsIt(t *testing.T) {
	b := newBench(t)
	stub(b, contract.RunPrecheckItem).After(time.Minute).Return(contract.PrecheckItemResult{Verdict: contract.Passed}, nil)
	b.usual()
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	b.at(30*time.Second, func() {
		require.Equal(t, "running", b.view().Precheck.State)
		require.Equal(t, contract.Running, b.report().Items[0].Verdict)
		require.Equal(t, contract.Waiting, b.report().Items[1].Verdict)
	})
	after(b, 31*time.Second, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.refused(fault.PrecheckRunning))
	after(b, 32*time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.refused(fault.PrecheckRunning))
	after(b, 33*time.Second, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: spec()}, b.accepted("edit"))
	b.at(40*time.Second, func() { require.Equal(t, "none", b.view().Precheck.State) })
	b.endAt(time.Hour)
	b.run(b.input())
	b.ended()
}

func TestStart_AtATimeRunsThePrecheckAgain(t *testing.T) {
	b := newBench(t)
	checks := 0
	stub(b, contract.ListPrecheckItems).Return(func(context.Context, contract.TaskRef) ([]contract.PrecheckItemRef, error) {
		checks++
		return items(), nil
	})
	verdicts := map[string]contract.Verdict{}
	b.verdicts(verdicts)
	b.usual()
	begin := b.Now()
	at := func(d time.Duration) contract.StartRequest {
		when := begin.Add(d)
		return contract.StartRequest{Command: byAlice, At: &when}
	}
	after(b, time.Minute, contract.UpdateStart, at(30*time.Second), b.refused(fault.StartInPast))
	after(b, time.Minute, contract.UpdateStart, at(time.Hour), func(r contract.CommandResult, err error) {
		require.NoError(t, err)
		require.Equal(t, lifecycle.WaitingForStart, r.Status)
	})
	after(b, 2*time.Minute, contract.UpdateReschedule, at(5*time.Hour), b.accepted("reschedule"))
	b.at(2*time.Hour, func() {
		require.Equal(t, lifecycle.WaitingForStart, b.view().Status)
		require.Zero(t, checks)
		verdicts["BINLOG"] = contract.Failed
	})
	b.at(6*time.Hour, func() {
		v := b.view()
		require.Equal(t, 1, checks)
		require.Equal(t, lifecycle.StartFailed, v.Status)
		require.Equal(t, fault.PrecheckBelow.Code, v.LastError.Code)
		delete(verdicts, "BINLOG")
	})
	after(b, 7*time.Hour, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	b.at(7*time.Hour+time.Minute, func() {
		require.Equal(t, 2, checks)
		require.Equal(t, lifecycle.FullStarted, b.view().Status)
	})
	b.endAt(8 * time.Hour)
	b.run(b.input(checked))
	b.ended()
}

func TestStart_ScheduledCanStartEarly(t *testing.T) {
	b := newBench(t)
	b.usual()
	later := b.Now().Add(100 * time.Hour)
	after(b, time.Minute, contract.UpdateStart, contract.StartRequest{Command: byAlice, At: &later}, b.accepted("start"))
	after(b, time.Hour, contract.UpdateReschedule, contract.StartRequest{Command: byAlice}, func(r contract.CommandResult, err error) {
		require.NoError(t, err)
		require.Equal(t, lifecycle.Starting, r.Status)
	})
	b.endAt(2 * time.Hour)
	b.run(b.input(checked))
	require.Less(t, b.ended().StartedAt.Sub(later), time.Duration(0))
}
