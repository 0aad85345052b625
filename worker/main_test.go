package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"shardlift/internal/config"
	"shardlift/internal/contract"
	"shardlift/internal/secret"
	"shardlift/internal/telemetry"
	"shardlift/internal/testdb"
	"shardlift/internal/testtemporal"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := testdb.FreePort()
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func get(address, path string) (int, string) {
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(body))
}

func startRun(t *testing.T, temporal string) (address, data string, end context.CancelFunc, ended chan error) {
	t.Helper()
	address, data = freeAddress(t), t.TempDir()
	t.Setenv("TEMPORAL_ADDRESS", temporal)
	t.Setenv("TEMPORAL_NAMESPACE", contract.Namespace)
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	go func() { ended <- run(ctx, []string{"--data", data, "--http", address, "--log-level", "error"}) }()
	t.Cleanup(cancel)
	require.Eventually(t, func() bool { code, _ := get(address, "/healthz"); return code == http.StatusOK }, time.Minute, 20*time.Millisecond)
	return address, data, cancel, ended
}

func TestWorker_WaitsForTemporalAndSaysSo(t *testing.T) {
	address, data, end, ended := startRun(t, "127.0.0.1:1")
	code, body := get(address, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, errStarting.Error(), body)
	_, err := secret.ReadPublicKey(filepath.Join(data, "keys.pub.json"))
	require.NoError(t, err, "the key ring is there before anybody can create a task")
	end()
	require.NoError(t, <-ended)
}

func TestWorker_ServesEveryQueueUntilItIsStopped(t *testing.T) {
	server := testtemporal.Get(t)
	address, _, end, ended := startRun(t, server.Address)
	require.Eventually(t, func() bool { code, _ := get(address, "/readyz"); return code == http.StatusOK }, time.Minute, 50*time.Millisecond)
	c := server.Client(t)
	polled := map[string]enums.TaskQueueType{
		contract.QueueControl: enums.TASK_QUEUE_TYPE_WORKFLOW, contract.QueueShort("default"): enums.TASK_QUEUE_TYPE_ACTIVITY,
		contract.QueueCopy("default"): enums.TASK_QUEUE_TYPE_ACTIVITY, contract.QueueApply("default"): enums.TASK_QUEUE_TYPE_ACTIVITY,
	}
	for queue, kind := range polled {
		require.Eventually(t, func() bool {
			d, err := c.DescribeTaskQueue(t.Context(), queue, kind)
			return err == nil && len(d.GetPollers()) > 0
		}, time.Minute, 50*time.Millisecond, queue)
	}
	_, body := get(address, "/metrics")
	require.Contains(t, body, "temporal_")
	end()
	require.NoError(t, <-ended)
}

func TestWorker_OptionsBoundMemoryAndStop(t *testing.T) {
	for _, roles := range [][]string{{config.RoleCopy}, {config.RoleCopy, config.RoleApply}, {config.RoleControl, config.RoleShort, config.RoleCopy, config.RoleApply}} {
		for _, memory := range []int{1024, 2048, 8192} {
			n := slots(config.Worker{Roles: roles, MemoryMiB: memory})
			used := 0
			for _, role := range roles {
				require.Positive(t, n[role])
				used += n[role] * map[string]int{config.RoleCopy: copyMiB, config.RoleApply: applyMiB}[role]
			}
			require.LessOrEqual(t, used, memory)
		}
	}
	usual := slots(config.Worker{Roles: []string{config.RoleControl, config.RoleShort, config.RoleCopy, config.RoleApply}, MemoryMiB: 2048})
	require.GreaterOrEqual(t, usual[config.RoleApply], 2*16, "apply and watch of 16 tasks")
	small := slots(config.Worker{Roles: []string{config.RoleApply, config.RoleCopy}, MemoryMiB: 256})
	require.Equal(t, fewest, small[config.RoleApply])

	o := (&workerSet{failed: make(chan error, 1)}).options(7, false, nil)
	require.Equal(t, 7, o.MaxConcurrentActivityExecutionSize)
	require.Equal(t, 25*time.Second, o.WorkerStopTimeout)
	require.Equal(t, 10*time.Second, o.MaxHeartbeatThrottleInterval)
	require.True(t, o.DisableRegistrationAliasing)
	require.True(t, o.DisableWorkflowWorker)
}

func TestWorker_AFatalErrorEndsTheProcess(t *testing.T) {
	set := &workerSet{failed: make(chan error, 1)}
	o := set.options(1, true, nil)
	o.OnFatalError(errors.New("namespace is gone"))
	o.OnFatalError(errors.New("namespace is gone"))
	require.ErrorContains(t, set.wait(t.Context()), "namespace is gone")
}

func TestHealth_ListenErrorIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = newHealth(nil).serve(l.Addr().String(), telemetry.NewLogger(io.Discard, "info", "json"))
	require.ErrorContains(t, err, "address already in use")
}
