package testdb

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 5*time.Minute)
}

// privateCache is a cache with the programs of the real one and its own runs.
func privateCache(t *testing.T) cache {
	t.Helper()
	Get(t, "mariadb") // fetched and initialised
	c, err := openCache()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, sub := range []string{"programs", "downloads"} {
		require.NoError(t, os.Symlink(c.path(sub), filepath.Join(dir, sub)))
	}
	t.Setenv("SHARDLIFT_CACHE", dir)
	t.Cleanup(func() { require.NoError(t, Down(context.Background(), io.Discard, true)) })
	return cache(dir)
}

// other is a process that uses a server.
type other struct {
	port, pid int
	run       string
	cmd       *exec.Cmd
	stdin     io.Closer
}

// startOther starts a process without waiting for its server.
func startOther(t *testing.T, kind string) func() other {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TESTDB_OTHER_PROCESS="+kind)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // some tests kill it
	})
	return func() other {
		o := other{cmd: cmd, stdin: stdin}
		_, err := fmt.Fscan(stdout, &o.port, &o.pid, &o.run)
		require.NoError(t, err, "%s", &stderr)
		return o
	}
}

// TestGet_TwoProcessesShareOneServer lets both start at the same moment.
func TestGet_TwoProcessesShareOneServer(t *testing.T) {
	privateCache(t)
	first, second := startOther(t, "shared"), startOther(t, "shared")
	a, b := first(), second()
	require.Equal(t, a.port, b.port)
	require.Equal(t, a.pid, b.pid)
	require.True(t, running(a.pid))
	require.Equal(t, a.port, Get(t, "mariadb").Port)
}

// TestDown_WaitsForUsers covers a test run that ends while another goes on.
func TestDown_WaitsForUsers(t *testing.T) {
	privateCache(t)
	user := startOther(t, "shared")()
	var said bytes.Buffer
	require.NoError(t, Down(t.Context(), &said, true))
	require.Contains(t, said.String(), "after its last user")
	require.True(t, running(user.pid))

	require.NoError(t, Up(t.Context(), io.Discard, "mariadb"))
	require.NoFileExists(t, filepath.Join(user.run, "down"))
	require.NoError(t, user.stdin.Close())
	require.NoError(t, user.cmd.Wait())
	require.True(t, running(user.pid))

	require.NoError(t, Down(t.Context(), io.Discard, true))
	require.False(t, running(user.pid))
	require.NotEqual(t, user.pid, startOther(t, "shared")().pid)
}

// TestOwn_EndsWithAKilledProcess covers tests that time out or crash.
func TestOwn_EndsWithAKilledProcess(t *testing.T) {
	c := privateCache(t)
	dead := startOther(t, "own")()
	require.True(t, running(dead.pid))
	require.NoError(t, dead.cmd.Process.Kill())
	requireEventually(t, func() bool { return !running(dead.pid) })

	// Another process may still see the supervisor for a moment.
	i := &instance{run: dead.run}
	requireEventually(t, func() bool {
		alive, err := i.alive()
		require.NoError(t, err)
		return !alive
	})
	require.DirExists(t, dead.run)
	startOther(t, "own")()
	require.NoDirExists(t, dead.run)
	require.NotEmpty(t, c)
}

// TestSupervisor_EndsAServerWithoutUsers checks both limits with a stand-in for
// a server.
func TestSupervisor_EndsAServerWithoutUsers(t *testing.T) {
	for name, down := range map[string]bool{"idle": false, "down": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &instance{
				run: t.TempDir(), idle: 1, down: 600,
				program: program{argv: []string{fakeServer(t)}, env: os.Environ()},
			}
			if down {
				i.idle, i.down = 600, 1
			}
			require.NoError(t, i.open(t.Context()))
			require.NoError(t, i.spawn())
			requireEventually(t, func() bool { return i.pidIn("pid") != 0 })
			pid := i.pidIn("pid")
			if down {
				require.NoError(t, os.WriteFile(filepath.Join(i.run, "down"), nil, 0o600))
			}
			// It lives as long as it has a user, whatever the limit.
			select {
			case <-time.After(3 * time.Second):
			case <-t.Context().Done():
			}
			require.True(t, running(pid))
			i.close()
			requireEventually(t, func() bool { return !running(pid) })
		})
	}
}

// TestSupervisor_TakesTheServerWithIt: a killed supervisor leaves no server.
func TestSupervisor_TakesTheServerWithIt(t *testing.T) {
	i := &instance{run: t.TempDir(), idle: 600, down: 600, program: program{argv: []string{fakeServer(t)}, env: os.Environ()}}
	require.NoError(t, i.open(t.Context()))
	defer i.close()
	require.NoError(t, i.spawn())
	requireEventually(t, func() bool { return i.pidIn("pid") != 0 })
	pid := i.pidIn("pid")
	supervisor, err := os.FindProcess(parent(t, pid))
	require.NoError(t, err)
	require.NoError(t, supervisor.Kill())
	requireEventually(t, func() bool { return !running(pid) })
}

// fakeServer is a program that takes any option and never ends by itself.
func fakeServer(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mysqld")
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700))
	return file
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, ok := bytes.Cut(text, []byte("PPid:"))
	require.True(t, ok)
	var ppid int
	_, err = fmt.Sscan(string(rest), &ppid)
	require.NoError(t, err)
	return ppid
}

func requireEventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 2*time.Minute, 20*time.Millisecond)
}

// A shared server without a free connection is left to those who use it.
func TestShared_CrowdedServerIsNotReplaced(t *testing.T) {
	privateCache(t)
	ctx, cancel := testContext()
	defer cancel()
	r, err := openRuns(io.Discard)
	require.NoError(t, err)
	first, err := r.shared(ctx, mustEdition(t, "mariadb"))
	require.NoError(t, err)
	defer first.close()
	pid, err := os.ReadFile(filepath.Join(first.run, "pid"))
	require.NoError(t, err)
	db := first.server().DB(t, "")
	_, err = db.ExecContext(ctx, "SET GLOBAL max_connections = 10")
	require.NoError(t, err)
	for err == nil {
		var conn *sql.Conn
		if conn, err = db.Conn(ctx); err == nil {
			defer func() { _ = conn.Close() }()
		}
	}
	require.True(t, crowded(err), "%v", err)
	second, err := r.shared(ctx, mustEdition(t, "mariadb"))
	require.NoError(t, err)
	defer second.close()
	again, err := os.ReadFile(filepath.Join(second.run, "pid"))
	require.NoError(t, err)
	require.Equal(t, string(pid), string(again), "it was killed")
}
