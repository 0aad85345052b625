package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "devserver-test"

// waiting tells when the activity began and when it heard of its cancellation.
type waiting struct{ began, cancelled chan time.Time }

func (w *waiting) Wait(ctx context.Context) error {
	w.began <- time.Now()
	<-ctx.Done()
	w.cancelled <- time.Now()
	return ctx.Err()
}

// waitWorkflow runs Wait with a heartbeat timeout so long that a cancellation
// which arrives in time was pushed.
func waitWorkflow(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:    10 * time.Minute,
		WaitForCancellation: true,
	})
	return workflow.ExecuteActivity(ctx, "Wait").Get(ctx, nil)
}

// signalledWorkflow returns what it is signalled.
func signalledWorkflow(ctx workflow.Context) (string, error) {
	var text string
	workflow.GetSignalChannel(ctx, "say").Receive(ctx, &text)
	return text, nil
}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{
		HostPort:  address,
		Namespace: namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func startWorker(t *testing.T, c client.Client, activities any) {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(waitWorkflow)
	w.RegisterWorkflow(signalledWorkflow)
	w.RegisterActivity(activities)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func startServer(t *testing.T) string {
	t.Helper()
	port, err := strconv.Atoi(freePort(t))
	require.NoError(t, err)
	server, err := startTemporal(t.TempDir(), port)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	require.NoError(t, waitUntilUsable(t.Context(), server.Address))
	return server.Address
}

func TestServer_HasNamespaceAndSearchAttributes(t *testing.T) {
	c := dial(t, startServer(t))
	startWorker(t, c, &waiting{})

	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	require.NoError(t, err)
	require.Equal(t, 365*24*time.Hour, described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	require.Equal(t, enums.ARCHIVAL_STATE_DISABLED, described.GetConfig().GetHistoryArchivalState())
	listed, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	require.NoError(t, err)
	for name, kind := range searchAttributes() {
		require.Equal(t, kind, listed.GetCustomAttributes()[name], name)
	}

	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "listed", TaskQueue: queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("ShardliftStatus").ValueSet("CONFIGURATION"),
			temporal.NewSearchAttributeKeyKeyword("ShardliftName").ValueSet("shop"),
			temporal.NewSearchAttributeKeyKeywordList("ShardliftTags").ValueSet([]string{"team=payments", "env=test"}),
			temporal.NewSearchAttributeKeyKeyword("ShardliftAttention").ValueSet("no"),
		),
	}, signalledWorkflow)
	require.NoError(t, err)
	eventually(t, "the workflow in the list", func() bool {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: `ShardliftStatus = "CONFIGURATION" AND ShardliftTags = "env=test" AND ShardliftName STARTS_WITH "sh"`,
		})
		return err == nil && len(list.GetExecutions()) == 1
	})
}

func TestServer_PushesCancellationToTheActivity(t *testing.T) {
	c := dial(t, startServer(t))
	w := &waiting{began: make(chan time.Time, 1), cancelled: make(chan time.Time, 1)}
	startWorker(t, c, w)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "cancelled", TaskQueue: queue}, waitWorkflow)
	require.NoError(t, err)
	<-w.began

	asked := time.Now()
	require.NoError(t, c.CancelWorkflow(t.Context(), run.GetID(), ""))
	select {
	case heard := <-w.cancelled:
		require.Less(t, heard.Sub(asked), time.Second)
	case <-time.After(20 * time.Second):
		require.FailNow(t, "the activity has not heard of its cancellation")
	}
	var canceled *temporal.CanceledError
	require.ErrorAs(t, run.Get(t.Context(), nil), &canceled)
}

func TestServer_KeepsWorkflowsThroughKill(t *testing.T) {
	data, port := t.TempDir(), freePort(t)
	address := net.JoinHostPort(loopback, port)
	args := []string{"--only", "temporal", "--data", data, "--temporal-port", port, "--ui-port", freePort(t)}
	first := startProcess(t, nil, nil, args...)
	first.waitFor(t, "Shardlift is ready")
	c := dial(t, address)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: queue}, signalledWorkflow)
	require.NoError(t, err)
	first.signal(t, syscall.SIGKILL)
	require.Error(t, first.waitForExit(t))

	second := startProcess(t, nil, nil, args...)
	second.waitFor(t, "Shardlift is ready")
	startWorker(t, c, &waiting{})
	require.NoError(t, c.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), "say", "still here"))
	var said string
	require.NoError(t, run.Get(t.Context(), &said))
	require.Equal(t, "still here", said)
	second.signal(t, syscall.SIGTERM)
	require.NoError(t, second.waitForExit(t))
	require.FileExists(t, filepath.Join(data, "temporal.db"))
}

func TestServer_RefusesASecondOneOnTheSameData(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockDir(dir)
	require.NoError(t, err)
	defer lock.Close()
	_, err = startTemporal(dir, 1)
	require.ErrorContains(t, err, "belongs to a shardlift-dev that is running")
}
