package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

const (
	// passingWait is the wait between two attempts at what passes by itself; the
	// activity has retried it for minutes before.
	passingWait = time.Minute
	// quietTime without a failure makes the next one the first again.
	quietTime = 30 * time.Minute
)

// retryWaits are the waits before the automatic retries (drs.md L-09: three).
// A failover or a server that is started again passes within them.
func retryWaits() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}
}

// mayPass says whether an error that is somebody's to correct is worth
// automatic retries. Never are: access denied, which locks accounts; statements
// that the operator has to carry out on the destination; divergence, which the
// safe mode of the next attempt would hide.
func mayPass(code string) bool {
	return slices.ContainsFunc([]fault.Definition{
		fault.ObjectMissing, fault.ValueRefused, fault.StatementRefused, fault.PacketTooLarge, fault.ServerReadOnly, fault.ServerFull,
		fault.MalformedAnswer, fault.XAPrepared, fault.SequenceUnreadable, fault.StepFailed, fault.StepTimedOut,
	}, func(d fault.Definition) bool { return d.Code == code })
}

// retryLater plans an automatic retry of the phase, unless the error is none for
// it or the retries are used up. The status stays; the error shows the time.
func (m *migration) retryLater(ctx workflow.Context, info contract.ErrorInfo) bool {
	if m.release < 2 {
		return false
	}
	now := workflow.Now(ctx)
	if now.Sub(m.RetriedAt) > quietTime {
		m.Retries = 0
	}
	waits := retryWaits()
	wait, text := passingWait, "until it passes"
	switch {
	case info.Class == string(fault.Retry):
	case mayPass(info.Code) && m.Retries < len(waits):
		wait, text = waits[m.Retries], fmt.Sprintf("%d of %d", m.Retries+1, len(waits))
		m.Retries++
	default:
		return false
	}
	at := now.Add(wait)
	info.Attempt, info.NextRetryAt = max(m.Retries, 1), &at
	m.LastError, m.RetryAt, m.RetriedAt = &info, &at, at
	// An outage of hours must not push everything else out of the history.
	if n := len(m.Events); wait != passingWait || n == 0 || !strings.HasPrefix(m.Events[n-1].Text, info.Code) {
		m.record(ctx, system, fmt.Sprintf("%s %s; automatic retry (%s) at %s", info.Code, info.Message, text, at.UTC().Format(time.RFC3339)))
	}
	return true
}

// awaitRetry waits for the time of the retry; a command may come first.
func (m *migration) awaitRetry(ctx workflow.Context) {
	seen := m.generation
	options := workflow.AwaitOptions{
		Timeout:      m.RetryAt.Sub(workflow.Now(ctx)),
		TimerOptions: workflow.TimerOptions{Summary: "automatic retry after " + m.LastError.Code},
	}
	ok, err := workflow.AwaitWithOptions(ctx, options, func() bool { return m.generation != seen || suggested(ctx) })
	if err == nil && !ok {
		m.retryNow()
	}
}

// retryNow ends the wait for an automatic retry, if there is one.
func (m *migration) retryNow() {
	if m.RetryAt != nil {
		m.RetryAt, m.LastError = nil, nil
	}
}

// noRetry takes back a planned retry; the error stays to be seen.
func (m *migration) noRetry() {
	if m.RetryAt != nil {
		m.RetryAt, m.LastError.NextRetryAt = nil, nil
	}
}

func retryAction(r contract.RetryRequest) lifecycle.Action {
	if r.Table != "" {
		return lifecycle.RetryTable
	}
	return lifecycle.Retry
}

func (m *migration) checkRetry(_ workflow.Context, r contract.RetryRequest) error {
	if r.Table != "" {
		return m.checkParked(r.Table)
	}
	return nil
}

func (m *migration) retry(ctx workflow.Context, r contract.RetryRequest) (contract.CommandResult, error) {
	if r.Table != "" {
		if err := m.checkParked(r.Table); err != nil {
			return contract.CommandResult{}, err
		}
		return m.tables(ctx, contract.TablesRequest{Command: r.Command, Kind: contract.TablesRetry, Tables: m.groupOf(r.Table).Tables, FenceConfirmed: r.FenceConfirmed})
	}
	m.goOn(ctx, r.Actor, "retry")
	return contract.CommandResult{}, nil
}
