package control

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
	"shardlift/internal/testtemporal"
	"shardlift/workflows"
)

// The canaries are in every task of these tests.
const (
	canaryHost     = "canary-host.internal"
	canaryUser     = "canary-user"
	canaryPassword = "canary-password"
)

// rig is a service on a real Temporal server. Its workers, when it has some, run
// the real workflows over played activities.
type rig struct {
	*Service
	t       *testing.T
	workers *secret.KeyRing
	group   string

	mu    sync.Mutex
	calls map[string]int

	// head and applied are what ReadHead and the checkpoint answer.
	head, applied atomic.Uint64
	commands      atomic.Int32 // ReadHead calls
	hold          atomic.Bool  // ReadHead waits
	denied        atomic.Bool  // ApplyBinlog fails
	inspections   atomic.Int32
}

func newRig(t *testing.T) *rig {
	t.Helper()
	server := testtemporal.Get(t)
	r := &rig{t: t, group: strings.ReplaceAll(uuid.NewString(), "-", ""), calls: map[string]int{}}
	c, err := client.Dial(client.Options{
		HostPort: server.Address, Namespace: server.Namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(r.count)}},
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r.workers, err = secret.NewKeyRing()
	require.NoError(t, err)
	own, err := secret.NewKeyRing()
	require.NoError(t, err)
	r.Service = &Service{
		Temporal: c, Namespace: server.Namespace, Own: own, WorkerTime: withoutWorker, HeartbeatTimeout: 15 * time.Second, WebUI: "http://127.0.0.1:8233",
		Workers: func() (secret.PublicKey, error) { return r.workers.Public(), nil },
	}
	return r
}

func (r *rig) count(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	r.mu.Lock()
	r.calls[method[strings.LastIndex(method, "/")+1:]]++
	r.mu.Unlock()
	return invoker(ctx, method, req, reply, cc, opts...)
}

// counted returns the calls to Temporal that f makes.
func (r *rig) counted(f func()) map[string]int {
	r.mu.Lock()
	r.calls = map[string]int{}
	r.mu.Unlock()
	f()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// makes wants f to make these calls to Temporal and no others. What Temporal was
// too busy to answer is asked again, and f is given another chance for it.
func (r *rig) makes(want map[string]int, f func()) {
	r.t.Helper()
	var calls map[string]int
	for range 5 {
		if calls = r.counted(f); maps.Equal(want, calls) {
			return
		}
	}
	require.Equal(r.t, want, calls)
}

// How long a worker is waited for: where there is none, and where there is one on
// a machine that stands still for seconds.
const (
	withoutWorker = time.Second
	withWorker    = 2 * time.Minute
)

// name is a fresh name with upper and lower case.
func name() string { return "Shop-" + uuid.NewString() }

func (r *rig) file(name string) task.File {
	return task.File{
		Version: 1, Name: name, Type: task.FullIncremental, WorkerGroup: r.group,
		Source:      task.Endpoint{Host: canaryHost, Port: 3306, User: canaryUser, Password: canaryPassword},
		Destination: task.Endpoint{Kind: "ddm", Host: canaryHost, Port: 5066, User: canaryUser, Password: canaryPassword},
		Objects:     selection.Selection{{Schema: "Shop", Tables: []string{"*"}}},
		Tags:        map[string]string{"run": r.group, "team": "payments"},
	}
}

func (r *rig) create(name string) string {
	r.t.Helper()
	id, created, err := r.Create(r.t.Context(), r.file(name), "alice", "")
	require.NoError(r.t, err)
	require.True(r.t, created)
	return id
}

// work starts workers; they end with the test or when the result is called.
func (r *rig) work() (stop func()) {
	r.t.Helper()
	r.WorkerTime, r.CommandTime = withWorker, withWorker
	var stops []func()
	c := testtemporal.Get(r.t).Client(r.t) // its calls are not counted
	for _, queue := range []string{contract.QueueControl, contract.QueueShort(r.group), contract.QueueCopy(r.group), contract.QueueApply(r.group)} {
		w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: 2 * time.Second})
		if queue == contract.QueueControl {
			workflows.Register(w)
		}
		r.play(w)
		require.NoError(r.t, w.Start())
		stops = append(stops, w.Stop)
	}
	stop = sync.OnceFunc(func() {
		for _, s := range stops {
			s()
		}
	})
	r.t.Cleanup(stop)
	return stop
}

func at(offset uint64) position.Position {
	return position.Position{Flavor: position.MySQL, Server: "s1", File: "bin.000001", Offset: offset}
}

func (r *rig) play(w worker.Worker) {
	answer := func(name string, f any) { w.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
	answer(contract.ListPrecheckItems.Name, func(context.Context, contract.TaskRef) ([]contract.PrecheckItemRef, error) {
		return []contract.PrecheckItemRef{{Code: "BINLOG"}}, nil
	})
	answer(contract.RunPrecheckItem.Name, func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Passed}, nil
	})
	answer(contract.PlanCopy.Name, func(context.Context, contract.PlanCopyIn) (contract.PlanCopyOut, error) {
		return contract.PlanCopyOut{Epoch: 1, Start: at(100), Tables: 1, Chunks: 1}, nil
	})
	answer(contract.CopyLane.Name, func(context.Context, contract.CopyLaneIn) (contract.CopyLaneOut, error) {
		return contract.CopyLaneOut{Done: true}, nil
	})
	answer(contract.ReadHead.Name, func(context.Context, contract.TaskRef) (contract.HeadOut, error) {
		r.commands.Add(1)
		for r.hold.Load() {
			<-time.After(10 * time.Millisecond)
		}
		return contract.HeadOut{Position: at(r.head.Load()), At: time.Now()}, nil
	})
	answer(contract.WatchSource.Name, func(ctx context.Context, _ contract.WatchIn) (contract.WatchOut, error) {
		return contract.WatchOut{}, beatUntilEnd(ctx, contract.WatchBeat{Head: at(r.head.Load()), GapBytes: -1})
	})
	answer(contract.ApplyBinlog.Name, func(ctx context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		if r.denied.Load() {
			info := contract.ErrorInfo{Code: fault.AccessDenied.Code, Class: string(fault.Operator)}
			return contract.ApplyOut{}, temporal.NewApplicationErrorWithOptions("denied", info.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{info}})
		}
		if in.Stop != nil {
			return contract.ApplyOut{Applied: *in.Stop, Drained: true}, nil
		}
		return contract.ApplyOut{Applied: at(100)}, beatUntilEnd(ctx, contract.ApplyBeat{Mode: "strict", CaughtUp: true, Applied: at(100)})
	})
	answer(contract.UpdateSequences.Name, func(context.Context, contract.SequencesIn) (contract.SequencesOut, error) {
		return contract.SequencesOut{}, nil
	})
	answer(contract.StoreReport.Name, func(context.Context, contract.ReportIn) (contract.Report, error) { return contract.Report{}, nil })
	answer(contract.Inspect.Name, func(_ context.Context, in contract.InspectIn) (contract.InspectOut, error) {
		r.inspections.Add(1)
		var about any = at(r.applied.Load())
		if in.Kind == contract.InspectTest {
			about = contract.TestAnswer{OK: true, Version: in.Side}
		}
		sealed, err := in.AnswerKey.SealJSON(contract.InspectUse(in.RequestID, "answer"), about)
		return contract.InspectOut{Answer: sealed}, err
	})
}

// beatUntilEnd plays a long activity.
func beatUntilEnd(ctx context.Context, beat any) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		activity.RecordHeartbeat(ctx, beat)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// carriedOut sends a command until a worker has answered: on a busy machine the
// first one may take its time to begin.
func carriedOut[R any](r *rig, id string, u contract.Update[R], request R) {
	r.t.Helper()
	key := uuid.NewString()
	require.Eventually(r.t, func() bool {
		_, err := Send(r.t.Context(), r.Service, id, u, request, key)
		if _, unknown := errors.AsType[*Unknown](err); unknown {
			return false
		}
		require.NoError(r.t, err)
		return true
	}, time.Minute, 50*time.Millisecond, u.Name)
}

// running creates a task and brings it to its incremental phase; workers run.
func (r *rig) running() string {
	r.t.Helper()
	id := r.create(name())
	carriedOut(r, id, contract.UpdatePrecheck, contract.PrecheckRequest{})
	r.until(id, func(v contract.View) bool { return v.Precheck.State == "done" })
	carriedOut(r, id, contract.UpdateStart, contract.StartRequest{})
	r.until(id, func(v contract.View) bool { return v.Status == lifecycle.IncreStarted })
	return id
}

func (r *rig) until(id string, reached func(contract.View) bool) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		v, err := r.View(r.t.Context(), id)
		return err == nil && reached(v)
	}, time.Minute, 20*time.Millisecond)
}

// everything is all that Temporal keeps of a workflow, as text.
func (r *rig) everything(workflowID string) string {
	r.t.Helper()
	var b strings.Builder
	events := r.Temporal.GetWorkflowHistory(r.t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(r.t, err)
		data, err := protojson.Marshal(e)
		require.NoError(r.t, err)
		b.Write(data)
	}
	described, err := r.Temporal.DescribeWorkflowExecution(r.t.Context(), workflowID, "")
	require.NoError(r.t, err)
	data, err := protojson.Marshal(described)
	require.NoError(r.t, err)
	b.Write(data)
	return b.String()
}
