package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain runs main instead of the tests when a test asks for a process.
func TestMain(m *testing.M) {
	if os.Getenv("SHARDLIFT_DEV_TEST_MAIN") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is shardlift-dev as a process of its own.
type process struct {
	cmd    *exec.Cmd
	output *buffer
	// exited is closed after Wait; err is then its result.
	exited chan struct{}
	err    error
}

// startProcess runs shardlift-dev in a folder with the given programs (shell
// scripts by name) beside it. It is killed at cleanup.
func startProcess(t *testing.T, scripts map[string]string, env []string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	self := filepath.Join(dir, "shardlift-dev")
	testBinary, err := os.Executable()
	require.NoError(t, err)
	// A hard link, not a symbolic one: the children are looked for beside what runs.
	require.NoError(t, os.Link(testBinary, self))
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700))
	}
	p := &process{cmd: exec.Command(self, args...), output: &buffer{}, exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "SHARDLIFT_DEV_TEST_MAIN=1")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	require.NoError(t, p.cmd.Start())
	go func() { p.err = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Log(p.output.String())
		}
	})
	return p
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(sig))
}

func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	eventually(t, "output with "+text, func() bool { return strings.Contains(p.output.String(), text) })
}

func (p *process) waitForExit(t *testing.T) error {
	t.Helper()
	select {
	case <-p.exited:
		return p.err
	case <-time.After(40 * time.Second):
		require.FailNow(t, "shardlift-dev did not end")
		return nil
	}
}

// eventually fails the test when condition does not hold within 30 s.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 20*time.Millisecond, what)
}

func freePort(t *testing.T) string {
	t.Helper()
	ports, err := freePorts(1)
	require.NoError(t, err)
	return strconv.Itoa(ports[0])
}

// alive says whether the process whose id stands in file lives; false as well
// when there is no such file.
func alive(file string) bool {
	raw, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	return err == nil && syscall.Kill(pid, 0) == nil
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// external keeps the embedded server out of the tests of the children.
var external = []string{"TEMPORAL_ADDRESS=127.0.0.1:1"}

func TestChildren_AreStartedAgainWithTheirOutputPrefixed(t *testing.T) {
	marks := t.TempDir()
	p := startProcess(t, map[string]string{
		"shardlift-worker": `echo "hello from $TEMPORAL_ADDRESS"; echo x >>` + marks + `/runs; exit 3`,
		"shardlift-web":    `exec sleep 1000`,
	}, external, "--data", t.TempDir(), "--listen", "127.0.0.1:"+freePort(t))
	p.waitFor(t, "worker        | hello from 127.0.0.1:1\n")
	p.waitFor(t, "worker ended (exit status 3), started again in 500ms")
	p.waitFor(t, "started again in 1s")
	eventually(t, "three runs", func() bool {
		runs, _ := os.ReadFile(marks + "/runs")
		return bytes.Count(runs, []byte("x")) >= 3
	})
}

func TestChildren_DieWithAKilledParent(t *testing.T) {
	marks := t.TempDir()
	p := startProcess(t, map[string]string{
		"shardlift-worker": `echo $$ >` + marks + `/worker; exec sleep 1000`,
		"shardlift-web":    `echo $$ >` + marks + `/web; exec sleep 1000`,
	}, external, "--data", t.TempDir(), "--listen", "127.0.0.1:"+freePort(t))
	eventually(t, "both children alive", func() bool { return alive(marks+"/worker") && alive(marks+"/web") })
	p.signal(t, syscall.SIGKILL)
	require.Error(t, p.waitForExit(t))
	eventually(t, "both children dead", func() bool { return !alive(marks+"/worker") && !alive(marks+"/web") })
}

func TestChildren_FinishTheirWorkAtSIGTERM(t *testing.T) {
	marks := t.TempDir()
	p := startProcess(t, map[string]string{
		"shardlift-worker": `trap 'sleep 1; echo done >` + marks + `/handed; exit 0' TERM; echo $$ >` + marks + `/worker; while :; do sleep 0.1; done`,
		"shardlift-web":    `exec sleep 1000`,
	}, external, "--data", t.TempDir(), "--listen", "127.0.0.1:"+freePort(t))
	eventually(t, "worker alive", func() bool { return alive(marks + "/worker") })
	p.signal(t, syscall.SIGTERM)
	require.NoError(t, p.waitForExit(t))
	require.FileExists(t, marks+"/handed")
	require.NotContains(t, p.output.String(), "started again")
}

func TestRun_PrintsURLsOnceWebAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	p := startProcess(t, map[string]string{
		"shardlift-worker": `exec sleep 1000`,
		"shardlift-web":    `exec sleep 1000`,
	}, external, "--data", t.TempDir(), "--listen", address)
	p.waitFor(t, "starting worker and web")
	require.NotContains(t, p.output.String(), "Shardlift is ready")
	l, err = net.Listen("tcp", address) // stands in for web
	require.NoError(t, err)
	defer l.Close()
	p.waitFor(t, "Shardlift is ready")
	p.waitFor(t, "http://"+address)
}

func TestRun_NamesAPortInUseAndTheRemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, taken, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	p := startProcess(t, nil, nil, "--only", "temporal", "--data", t.TempDir(), "--temporal-port", taken, "--ui-port", freePort(t))
	require.EqualError(t, p.waitForExit(t), "exit status 1")
	require.Contains(t, p.output.String(), "127.0.0.1:"+taken+" for the Temporal server cannot be used")
	require.Contains(t, p.output.String(), "--temporal-port or SHARDLIFT_TEMPORAL_PORT")
}

func TestRun_NamesAMissingProgram(t *testing.T) {
	p := startProcess(t, nil, external, "--data", t.TempDir(), "--listen", "127.0.0.1:"+freePort(t))
	require.EqualError(t, p.waitForExit(t), "exit status 1")
	require.Contains(t, p.output.String(), "shardlift-worker is missing: run `make build`")
}
