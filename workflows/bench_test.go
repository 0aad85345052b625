package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
)

const taskID = "t1"

// bench is a test environment with every activity mocked: short ones answer at
// once, long ones work for their box.
type bench struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	updates int
}

func stub[In, Out any](b *bench, a contract.Activity[In, Out]) *testsuite.MockCallWrapper {
	return b.OnActivity(a.Name, mock.Anything, mock.Anything).Maybe()
}

func register[In, Out any](b *bench, a contract.Activity[In, Out]) {
	b.RegisterActivityWithOptions(func(context.Context, In) (Out, error) {
		var out Out
		return out, fmt.Errorf("%s is not mocked", a.Name)
	}, activity.RegisterOptions{Name: a.Name})
}

func newBench(t *testing.T) *bench {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	b.SetTestTimeout(30 * time.Second)
	b.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.MigrationID(taskID), TaskQueue: contract.QueueControl})
	Register(b)
	register(b, contract.ListPrecheckItems)
	register(b, contract.RunPrecheckItem)
	register(b, contract.PlanCopy)
	register(b, contract.CopyLane)
	register(b, contract.ReadHead)
	register(b, contract.WatchSource)
	register(b, contract.ApplyBinlog)
	register(b, contract.CompareTables)
	register(b, contract.UpdateSequences)
	register(b, contract.StoreReport)
	register(b, contract.StoreLimits)
	register(b, contract.ResetTask)
	register(b, contract.CleanUp)
	register(b, contract.Inspect)
	register(b, contract.SendCommand)
	register(b, contract.DeleteRuns)
	register(b, contract.Notify)
	register(b, contract.ParkTables)
	register(b, contract.PlanGroup)
	register(b, contract.MergeGroup)
	register(b, contract.DropGroup)
	return b
}

// usual mocks what a test does not care about; call it after the test's own mocks.
func (b *bench) usual() {
	stub(b, contract.ListPrecheckItems).Return(items(), nil)
	stub(b, contract.RunPrecheckItem).Return(func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Passed}, nil
	})
	stub(b, contract.PlanCopy).Return(plan(), nil)
	stub(b, contract.CopyLane).After(copyBox).Return(contract.CopyLaneOut{Done: true, Rows: 10, Bytes: 100}, nil)
	stub(b, contract.ReadHead).Return(contract.HeadOut{Position: at(900)}, nil)
	stub(b, contract.WatchSource).After(100*24*time.Hour).Return(contract.WatchOut{}, nil)
	stub(b, contract.ApplyBinlog).After(time.Hour).Return(func(_ context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		return contract.ApplyOut{Applied: at(900), Drained: in.Stop != nil}, nil
	})
	stub(b, contract.CompareTables).After(time.Minute).Return(contract.CompareOut{Done: true, Result: "CONSISTENT"}, nil)
	stub(b, contract.UpdateSequences).Return(contract.SequencesOut{Refreshed: 3, Total: 3}, nil)
	stub(b, contract.StoreReport).Return(func(_ context.Context, in contract.ReportIn) (contract.Report, error) {
		return contract.Report{Forced: in.Forced, Incomplete: in.Incomplete, StopPosition: in.StopPosition, Sequences: in.Sequences, Warnings: in.Warnings}, nil
	})
	stub(b, contract.StoreLimits).Return(contract.Nothing{}, nil)
	stub(b, contract.ResetTask).Return(contract.Nothing{}, nil)
	stub(b, contract.CleanUp).Return(contract.CleanUpOut{}, nil)
	stub(b, contract.DeleteRuns).Return(contract.Nothing{}, nil)
	stub(b, contract.Notify).Return(contract.Nothing{}, nil)
	stub(b, contract.ParkTables).Return(contract.ParkOut{Position: at(400), Copied: true}, nil)
	stub(b, contract.PlanGroup).Return(contract.PlanCopyOut{Start: at(450), Tables: 1, Chunks: 3}, nil)
	stub(b, contract.MergeGroup).Return(contract.MergeOut{Position: at(420)}, nil)
	stub(b, contract.DropGroup).Return(contract.Nothing{}, nil)
}

func items() []contract.PrecheckItemRef {
	return []contract.PrecheckItemRef{{Code: "SOURCE_CONNECTION"}, {Code: "BINLOG", Needs: []string{"SOURCE_CONNECTION"}}}
}

func plan() contract.PlanCopyOut {
	return contract.PlanCopyOut{Epoch: 7, Start: at(100), Tables: 2, Chunks: 20}
}

func at(offset uint64) position.Position {
	return position.Position{Flavor: position.MySQL, Server: "s1", File: "bin.000001", Offset: offset}
}

func spec() task.Spec {
	sealed := secret.Sealed{KeyID: "k", Data: []byte("x")}
	return task.Spec{
		Name: "shop", Type: task.FullIncremental, WorkerGroup: "default",
		Source:      task.SealedSide{MaxConnections: 10, Endpoint: sealed, Shown: sealed},
		Destination: task.SealedSide{Kind: "ddm", MaxConnections: 16, MetadataSchema: "shop", Endpoint: sealed, Shown: sealed},
		Objects:     selection.Selection{{Schema: "Shop", Tables: []string{"*"}, Rename: map[string]string{"a": "b", "c": "d"}}},
		Tags:        map[string]string{"team": "payments", "env": "test"},
	}
}

// input starts a task; change makes it an older one.
func (b *bench) input(change ...func(*state)) Input {
	in := Input{MigrationInput: contract.MigrationInput{TaskID: taskID, Spec: spec(), Actor: "alice", HeartbeatTimeout: 15 * time.Second}}
	if len(change) == 0 {
		return in
	}
	s := newState(in.Spec, b.Now())
	for _, c := range change {
		c(&s)
	}
	in.Carry = &s
	return in
}

func (b *bench) run(in Input) { b.ExecuteWorkflow(contract.MigrationWorkflow, in) }

// after sends a command at a time of the workflow's clock and hands its outcome on.
func after[R any](b *bench, d time.Duration, u contract.Update[R], r R, then func(contract.CommandResult, error)) {
	b.RegisterDelayedCallback(func() { send(b, u, r, then) }, d)
}

func send[R any](b *bench, u contract.Update[R], r R, then func(contract.CommandResult, error)) {
	b.updates++
	b.UpdateWorkflow(u.Name, fmt.Sprintf("u%d", b.updates), &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { then(contract.CommandResult{}, err) },
		OnComplete: func(result any, err error) {
			out, _ := result.(contract.CommandResult)
			then(out, err)
		},
	}, r)
}

func (b *bench) accepted(what string) func(contract.CommandResult, error) {
	return func(_ contract.CommandResult, err error) { require.NoError(b.t, err, what) }
}

// refused expects a refusal with a code.
func (b *bench) refused(want fault.Definition) func(contract.CommandResult, error) {
	return func(_ contract.CommandResult, err error) {
		var app *temporal.ApplicationError
		require.ErrorAs(b.t, err, &app)
		require.Equal(b.t, want.Code, app.Type())
		var detail contract.Refusal
		require.NoError(b.t, app.Details(&detail))
		require.Equal(b.t, lifecycle.Available(detail.Status), detail.AvailableActions)
	}
}

func (b *bench) view() contract.View {
	b.t.Helper()
	value, err := b.QueryWorkflow(contract.QueryView)
	require.NoError(b.t, err)
	var v contract.View
	require.NoError(b.t, value.Get(&v))
	return v
}

func (b *bench) at(d time.Duration, f func()) { b.RegisterDelayedCallback(f, d) }

func (b *bench) ended() contract.View {
	b.t.Helper()
	require.True(b.t, b.IsWorkflowCompleted())
	require.NoError(b.t, b.GetWorkflowError())
	v := b.view()
	require.Equal(b.t, lifecycle.ReleaseDone, v.Status)
	return v
}

var byAlice = contract.Command{Actor: "alice"}

func planned(s *state) {
	p := plan()
	s.Plan, s.Phase = &p, lifecycle.PhaseFull
}

func copied(s *state) {
	planned(s)
	end := at(500)
	s.CopyDone, s.CopyEnd, s.Phase = true, &end, lifecycle.PhaseIncremental
}

func checked(s *state) {
	s.Precheck = precheckState{Revision: s.Revision, At: s.CreatedAt, Items: []contract.PrecheckItemResult{
		{Code: "A", Verdict: contract.Passed}, {Code: "B", Verdict: contract.Alarm, Confirmed: &contract.Confirmation{Actor: "alice"}},
	}}
}

func applicationError(d fault.Definition) error {
	info := infoOf(d.New("shop.orders", ""))
	return temporal.NewApplicationErrorWithOptions("x", d.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{info}})
}
