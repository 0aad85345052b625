package temporalconn

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/testtemporal"
)

// lane waits until it is told to end and then fails as a cut connection would;
// from its second attempt on it succeeds.
type lane struct {
	attempts atomic.Int32
	began    chan struct{}
}

func (l *lane) Lane(ctx context.Context) (int, error) {
	if n := l.attempts.Add(1); n > 1 {
		return int(n), nil
	}
	close(l.began)
	select {
	case <-ctx.Done():
	case <-activity.GetWorkerStopChannel(ctx):
	}
	return 0, errors.New("invalid connection")
}

func laneWorkflow(ctx workflow.Context) (int, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute, HeartbeatTimeout: 10 * time.Minute, WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour},
	})
	var attempts int
	err := workflow.ExecuteActivity(ctx, "Lane").Get(ctx, &attempts)
	return attempts, err
}

func startLaneWorker(t *testing.T, c client.Client, queue string, l *lane) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{
		Interceptors:      []interceptor.WorkerInterceptor{NewInterceptor(nil)},
		WorkerStopTimeout: 10 * time.Second,
	})
	w.RegisterWorkflowWithOptions(laneWorkflow, workflow.RegisterOptions{Name: "LaneWorkflow"})
	w.RegisterActivity(l)
	require.NoError(t, w.Start())
	return w
}

func startLane(t *testing.T, c client.Client, queue string) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "LaneWorkflow")
	require.NoError(t, err)
	return run
}

func TestInterceptor_CancelledStepEndsCancelledWhateverItReturned(t *testing.T) {
	c := testtemporal.Get(t).Client(t)
	l := &lane{began: make(chan struct{})}
	w := startLaneWorker(t, c, "end-cancelled", l)
	defer w.Stop()
	run := startLane(t, c, "end-cancelled")
	<-l.began
	require.NoError(t, c.CancelWorkflow(t.Context(), run.GetID(), ""))
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, run.Get(t.Context(), nil), &cancelled)
	require.EqualValues(t, 1, l.attempts.Load())
}

func TestInterceptor_StoppedWorkerHandsOverAtOnce(t *testing.T) {
	c := testtemporal.Get(t).Client(t)
	l := &lane{began: make(chan struct{})}
	first := startLaneWorker(t, c, "end-draining", l)
	run := startLane(t, c, "end-draining")
	<-l.began
	first.Stop()
	second := startLaneWorker(t, c, "end-draining", l)
	defer second.Stop()
	var attempts int
	// The retry policy alone would have waited an hour.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, run.Get(ctx, &attempts))
	require.Equal(t, 2, attempts)
}
