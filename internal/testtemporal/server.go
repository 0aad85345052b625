package testtemporal

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
)

// startTime is how long a server may take until it is usable.
const startTime = 4 * time.Minute

// Server is a running Temporal server.
type Server struct {
	// Address is host:port of the frontend.
	Address string
	// Namespace holds our search attributes.
	Namespace string

	binary, data, uiPort string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	output *output
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Get returns the server shared by the tests of this binary.
func Get(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() {
		var data string
		if data, shared.err = sharedData(); shared.err == nil {
			shared.server, shared.err = start(data)
		}
	})
	require.NoError(t, shared.err)
	return shared.server
}

// Own returns a server of this test, stopped at its end.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := start(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Kill(t)
		if t.Failed() {
			t.Log(s.output.String())
		}
	})
	return s
}

// Kill ends the server with SIGKILL and waits for it.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Kill() // may have ended
	<-s.exited
}

// Start starts a killed server again, on the same address and data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, s.run())
}

func start(data string) (*Server, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(root, "bin", "shardlift-dev")
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%s is missing: run `make bin/shardlift-dev` once", binary)
	}
	for attempt := 1; ; attempt++ {
		port, err := testdb.FreePort()
		if err != nil {
			return nil, err
		}
		uiPort, err := testdb.FreePort()
		if err != nil {
			return nil, err
		}
		s := &Server{
			Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Namespace: "shardlift",
			binary: binary, data: data, uiPort: strconv.Itoa(uiPort),
		}
		if err = s.run(); err == nil || attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return s, err
		}
	}
}

// run starts the process and returns when it says that it is ready.
func (s *Server) run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	s.output = &output{}
	s.exited = make(chan struct{})
	s.cmd = exec.Command(s.binary, "--only", "temporal", "--data", s.data, "--temporal-port", port, "--ui-port", s.uiPort)
	s.cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS=")
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal comes when the starting thread ends: keep it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.exited)
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.binary, err)
	}
	return s.waitUntilReady()
}

func (s *Server) waitUntilReady() error {
	deadline := time.NewTimer(startTime)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.output.String(), "Shardlift is ready") {
		select {
		case <-tick.C:
		case <-s.exited:
			return errors.New("the Temporal server ended: " + s.output.String())
		case <-deadline.C:
			_ = s.cmd.Process.Kill()
			return errors.New("the Temporal server is not ready: " + s.output.String())
		}
	}
	return nil
}

// sharedData is a folder named after this process; those of dead ones are removed.
func sharedData() (string, error) {
	const prefix = "shardlift-temporal-"
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), prefix))
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // another test binary may do the same
		}
	}
	dir := filepath.Join(os.TempDir(), prefix+strconv.Itoa(os.Getpid()))
	return dir, os.MkdirAll(dir, 0o700)
}

// moduleRoot is the folder of our go.mod, above the package under test.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module shardlift\n")) {
			return dir, nil
		}
	}
	return "", errors.New("the root of module shardlift is not above the working directory")
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
