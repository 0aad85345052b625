package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// stopTimeout is what a worker needs to hand over (25 s) and a margin.
	stopTimeout = 30 * time.Second
	// A child that ends is started again after firstPause, doubled up to
	// maxPause; one that ran for steadyAfter begins at firstPause again.
	firstPause  = 500 * time.Millisecond
	maxPause    = 15 * time.Second
	steadyAfter = time.Minute
)

// family is a set of programs that are kept running until stop.
type family struct {
	stopping chan struct{}
	members  []*member
	all      sync.WaitGroup
}

// member is one supervised program.
type member struct {
	name string
	path string
	env  []string
	out  *lines

	mu sync.Mutex
	// running is nil between two runs.
	running *os.Process
	// ended says that no further run may begin.
	ended bool
}

// startFamily starts the programs called names in dir. It starts none when one
// of them is missing.
func startFamily(dir string, names, env []string, out *lines) (*family, error) {
	f := &family{stopping: make(chan struct{})}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is missing: run `make build`, or use --only temporal", path)
		}
		f.members = append(f.members, &member{name: strings.TrimPrefix(name, "shardlift-"), path: path, env: env, out: out})
	}
	for _, m := range f.members {
		f.all.Go(func() { m.keepRunning(f.stopping) })
	}
	return f, nil
}

// stop sends SIGTERM to every program, waits for them, and kills what is left
// after timeout.
func (f *family) stop(timeout time.Duration) {
	close(f.stopping)
	for _, m := range f.members {
		m.end(syscall.SIGTERM)
	}
	done := make(chan struct{})
	go func() { f.all.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(timeout):
	}
	for _, m := range f.members {
		m.end(syscall.SIGKILL)
	}
	<-done
}

// keepRunning starts the program again whenever it ends, until stopping.
func (m *member) keepRunning(stopping <-chan struct{}) {
	// The kernel sends a child its parent-death signal when the thread that
	// started it ends, so this goroutine keeps its thread as long as it runs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pause := firstPause
	for {
		began := time.Now()
		err := m.runOnce()
		select {
		case <-stopping:
			return
		default:
		}
		if time.Since(began) > steadyAfter {
			pause = firstPause
		}
		m.out.say("%s ended (%s), started again in %s", m.name, ending(err), pause)
		select {
		case <-stopping:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// runOnce runs the program in a process group of its own and waits for it. The
// group is killed with this process, however it ends.
func (m *member) runOnce() error {
	// It is ended by signals to its group, not by a context.
	cmd := exec.CommandContext(context.Background(), m.path)
	cmd.Env = m.env
	prefixed := m.out.prefixed(m.name)
	defer prefixed.flush()
	cmd.Stdout, cmd.Stderr = prefixed, prefixed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// A grandchild that keeps the output open must not keep us waiting.
	cmd.WaitDelay = time.Second

	m.mu.Lock()
	if m.ended {
		m.mu.Unlock()
		return nil
	}
	err := cmd.Start()
	if err == nil {
		m.running = cmd.Process
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	m.mu.Lock()
	m.running = nil
	m.mu.Unlock()
	return err
}

// end signals the group of the current run and forbids another.
func (m *member) end(sig syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if m.running != nil {
		// A group that has just ended is what we want.
		_ = syscall.Kill(-m.running.Pid, sig)
	}
}

func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}
