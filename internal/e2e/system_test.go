package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
	"shardlift/internal/testtemporal"
	"shardlift/web/api"
)

// system is one installation: Temporal, web, and as many workers as a test starts.
type system struct {
	t        *testing.T
	dir      string
	temporal *testtemporal.Server
	url      string
	env      []string
	api      *api.ClientWithResponses
	workers  int
}

// heartbeat is the heartbeat timeout of the tests' tasks: how long a killed
// worker's work waits.
const heartbeat = 6 * time.Second

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, dir: t.TempDir(), temporal: testtemporal.Own(t)}
	port, err := testdb.FreePort()
	require.NoError(t, err)
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	s.url = "http://" + listen
	s.env = []string{
		"TEMPORAL_ADDRESS=" + s.temporal.Address, "TEMPORAL_NAMESPACE=" + s.temporal.Namespace,
		"SHARDLIFT_DATA=" + filepath.Join(s.dir, "data"), "SHARDLIFT_HEARTBEAT_TIMEOUT=" + heartbeat.String(), "SHARDLIFT_LOG_FORMAT=json",
	}
	s.start("shardlift-web", "--listen", listen)
	s.eventually(30*time.Second, "web", func() bool {
		token, err := os.ReadFile(filepath.Join(s.dir, "data", "token"))
		if err != nil {
			return false
		}
		s.api, err = api.NewClientWithResponses(s.url, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
			return nil
		}))
		require.NoError(t, err)
		answer, err := s.api.VersionWithResponse(t.Context())
		return err == nil && answer.StatusCode() == http.StatusOK
	})
	return s
}

// process is one of our programs.
type process struct {
	s    *system
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start starts a program of bin/; it dies with the test process at the latest.
func (s *system) start(name string, args ...string) *process {
	s.t.Helper()
	_, file, _, _ := runtime.Caller(0)
	bin := filepath.Join(filepath.Dir(file), "..", "..", "bin", name)
	require.FileExists(s.t, bin, "run make build")
	s.workers++
	p := &process{s: s, log: filepath.Join(s.dir, fmt.Sprintf("%s-%d.log", name, s.workers)), done: make(chan struct{})}
	log, err := os.Create(p.log)
	require.NoError(s.t, err)
	p.cmd = exec.Command(bin, args...)
	p.cmd.Env = append(os.Environ(), s.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // Pdeathsig is bound to the thread
	require.NoError(s.t, p.cmd.Start())
	runtime.UnlockOSThread()
	go func() { _ = p.cmd.Wait(); _ = log.Close(); close(p.done) }()
	s.t.Cleanup(func() {
		p.kill()
		if s.t.Failed() {
			data, _ := os.ReadFile(p.log)
			lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
			s.t.Logf("%s:\n%s", filepath.Base(p.log), bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
		}
	})
	return p
}

func (s *system) worker() *process { s.t.Helper(); return s.start("shardlift-worker") }

// kill is kill -9, also of a frozen process.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) signal(sig syscall.Signal) {
	p.s.t.Helper()
	require.NoError(p.s.t, p.cmd.Process.Signal(sig))
}

// busy is how much longer than on an idle machine something may take: two cores
// have two systems and the servers on them.
const busy = 4

// eventually waits for a condition with a deadline: the limit of an idle machine.
func (s *system) eventually(limit time.Duration, what string, ok func() bool) {
	s.t.Helper()
	s.within(limit*busy, what, ok)
}

// within is eventually for a limit that is promised.
func (s *system) within(limit time.Duration, what string, ok func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		require.True(s.t, time.Now().Before(deadline), "%s: not within %s", what, limit)
		select {
		case <-tick.C:
		case <-s.t.Context().Done():
			s.t.Fatalf("%s: the test ended", what)
		}
	}
}
