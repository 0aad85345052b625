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

// failing mocks an apply that fails so many times, at once.
func (b *bench) failing(d fault.Definition, times int) *recorded[contract.ApplyIn] {
	var played recorded[contract.ApplyIn]
	stub(b, contract.ApplyBinlog).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		played.add(in)
		return contract.ApplyOut{}, applicationError(d)
	}).Times(times)
	return &played
}

func TestRetry_ThreeTimesWithGrowingWaitsThenFailed(t *testing.T) {
	b := newBench(t)
	played := b.failing(fault.ValueRefused, 4)
	b.usual()
	var waits []time.Duration
	for i, w := range retryWaits() {
		if i > 0 {
			require.Greater(t, w, retryWaits()[i-1])
		}
		waits = append(waits, w)
	}
	begin := b.Now()
	look := func(after time.Duration, attempt int) {
		b.at(after+time.Second, func() {
			v := b.view()
			require.Equal(t, lifecycle.IncreStarted, v.Status, "an automatic retry keeps the status")
			require.Equal(t, fault.ValueRefused.Code, v.LastError.Code)
			require.Equal(t, attempt, v.LastError.Attempt)
			require.WithinDuration(t, begin.Add(after+waits[attempt-1]), *v.LastError.NextRetryAt, 100*time.Millisecond)
			require.Len(t, played.all(), attempt)
		})
	}
	look(0, 1)
	look(waits[0], 2)
	look(waits[0]+waits[1], 3)
	b.at(waits[0]+waits[1]+waits[2]+time.Second, func() {
		v := b.view()
		require.Equal(t, lifecycle.IncreFailed, v.Status)
		require.Equal(t, fault.ValueRefused.Code, v.LastError.Code)
		require.Nil(t, v.LastError.NextRetryAt)
		require.Len(t, played.all(), 4)
	})
	after(b, time.Hour, contract.UpdateRetry, contract.RetryRequest{Command: byAlice}, b.accepted("retry"))
	b.at(time.Hour+time.Second, func() {
		require.Equal(t, lifecycle.IncreStarted, b.view().Status)
		require.Nil(t, b.view().LastError)
	})
	after(b, 2*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
	boxes := map[int64]bool{}
	for _, in := range played.all() {
		boxes[in.Owner.Box] = true
		require.Nil(t, in.PassDDL)
	}
	require.Len(t, boxes, 4, "each attempt has a box of its own")
}

// TestRetry_ByHandComesBeforeThePlannedOne: who has corrected the cause need not
// wait; nobody else may retry what runs.
func TestRetry_ByHandComesBeforeThePlannedOne(t *testing.T) {
	b := newBench(t)
	played := b.failing(fault.ValueRefused, 2)
	b.usual()
	after(b, time.Second, contract.UpdateRetry, contract.RetryRequest{Command: byAlice}, b.accepted("retry"))
	b.at(2*time.Second, func() {
		require.Len(t, played.all(), 2, "at once, not after 10 s")
		require.Equal(t, 1, b.view().LastError.Attempt, "it counts from the beginning")
	})
	after(b, time.Minute, contract.UpdateRetry, contract.RetryRequest{Command: byAlice}, b.refused(fault.RefusedInState))
	after(b, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
}

// What is the network's goes on until it is restored, however long.
func TestRetry_WhatPassesIsRetriedUntilItDoes(t *testing.T) {
	b := newBench(t)
	played := b.failing(fault.ServerUnreachable, 100)
	b.usual()
	b.at(90*time.Minute+passingWait/2, func() {
		v := b.view()
		require.Equal(t, lifecycle.IncreStarted, v.Status)
		require.NotNil(t, v.LastError.NextRetryAt)
		require.Greater(t, len(played.all()), 80)
		value, err := b.QueryWorkflow(contract.QueryEvents)
		require.NoError(t, err)
		var events []contract.Event
		require.NoError(t, value.Get(&events))
		require.Len(t, events, 1, "an outage is one line of the history")
	})
	b.at(110*time.Minute, func() { require.Nil(t, b.view().LastError) })
	after(b, 4*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
}

func TestRetry_NeverWhatLocksAccountsOrHidesALoss(t *testing.T) {
	for _, d := range []fault.Definition{
		fault.AccessDenied, fault.Divergence, fault.DDLStopped, fault.TableUnplanned, fault.BinlogPurged, fault.HistoryLost,
		fault.FenceUnconfirmed, fault.TableChanged, fault.KeyMissing, fault.PartialImage, fault.PrecheckBelow,
	} {
		require.False(t, mayPass(d.Code), d.Code)
		b := newBench(t)
		b.failing(d, 1)
		b.usual()
		b.at(time.Second, func() {
			require.Equal(t, lifecycle.IncreFailed, b.view().Status, d.Code)
			require.Nil(t, b.view().LastError.NextRetryAt)
		})
		after(b, time.Minute, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
		b.run(b.input(copied))
		b.ended()
	}
}

func TestRetry_AQuietTimeBeginsAnew(t *testing.T) {
	b := newBench(t)
	played := b.failing(fault.ServerReadOnly, 3)
	stub(b, contract.ApplyBinlog).After(quietTime+time.Minute).Return(contract.ApplyOut{}, applicationError(fault.ServerReadOnly)).Once()
	more := b.failing(fault.ServerReadOnly, 2)
	b.usual()
	b.at(quietTime+30*time.Minute, func() {
		require.Equal(t, lifecycle.IncreStarted, b.view().Status)
		require.Len(t, played.all(), 3)
		require.Len(t, more.all(), 2)
	})
	after(b, 10*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, b.accepted("stop"))
	b.run(b.input(copied))
	b.ended()
}

func TestRetry_CommandsComeFirst(t *testing.T) {
	side := spec().Source
	for name, c := range map[string]struct {
		send   func(b *bench)
		status lifecycle.Status
		boxes  int
	}{
		"pause": {func(b *bench) {
			send(b, contract.UpdatePause, contract.PauseRequest{Command: byAlice}, b.accepted("pause"))
		}, lifecycle.Paused, 1},
		"credentials": {func(b *bench) {
			send(b, contract.UpdateSetCredentials, contract.CredentialsRequest{Command: byAlice, Side: task.SourceSide, Endpoint: side}, b.accepted("credentials"))
		}, lifecycle.IncreStarted, 2},
		"edit with credentials": {func(b *bench) {
			edited := spec()
			edited.Description = "new"
			send(b, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: edited, Credentials: []task.Side{task.SourceSide}}, b.accepted("edit"))
		}, lifecycle.IncreStarted, 2},
		"limit": {func(b *bench) {
			send(b, contract.UpdateLimit, contract.LimitRequest{Command: byAlice}, b.accepted("limit"))
		}, lifecycle.IncreStarted, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			var boxes recorded[int64]
			stub(b, contract.ApplyBinlog).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
				boxes.add(in.Owner.Box)
				return contract.ApplyOut{}, applicationError(fault.ServerFull)
			}).Once()
			stub(b, contract.ApplyBinlog).After(time.Hour).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
				boxes.add(in.Owner.Box)
				return contract.ApplyOut{Drained: in.Stop != nil}, nil
			})
			b.usual()
			b.at(time.Second, func() { c.send(b) })
			b.at(2*time.Second, func() {
				v := b.view()
				require.Equal(t, c.status, v.Status)
				require.Equal(t, c.boxes > 1, v.LastError == nil)
				if c.status == lifecycle.Paused {
					require.Nil(t, v.LastError.NextRetryAt, "no retry is due while it is paused")
				}
			})
			b.at(65*time.Minute, func() {
				require.Equal(t, c.status, b.view().Status)
				if c.status == lifecycle.Paused {
					require.Len(t, boxes.all(), 1)
				} else {
					require.Greater(t, len(boxes.all()), 1)
				}
			})
			after(b, 2*time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("stop"))
			b.run(b.input(copied))
			b.ended()
		})
	}
}

func TestRetry_IsCarriedThroughContinueAsNew(t *testing.T) {
	b := newBench(t)
	b.failing(fault.ServerFull, 1)
	b.usual()
	b.at(time.Second, func() { b.SetContinueAsNewSuggested(true); b.SignalWorkflow("unrelated", nil) })
	b.run(b.input(copied))
	in := b.next()
	require.NotNil(t, in.Carry.RetryAt)
	require.Equal(t, 1, in.Carry.Retries)

	c := newBench(t)
	c.usual()
	c.at(time.Second, func() { require.NotNil(t, c.view().LastError.NextRetryAt) })
	c.at(time.Minute, func() { require.Nil(t, c.view().LastError) })
	after(c, time.Hour, contract.UpdateStop, contract.StopRequest{Command: byAlice}, c.accepted("stop"))
	c.run(in)
	c.ended()
}
