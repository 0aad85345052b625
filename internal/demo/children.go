package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a program of bin/ that dies with the demo; its output goes to a file.
type child struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// children starts and ends programs, in order and in reverse.
type children struct {
	bin, logs string
	env       []string
	mu        sync.Mutex
	all       []*child
}

// start runs a program; ready is text that its output holds once it is up, or
// empty to wait for nothing.
func (c *children) start(ctx context.Context, ready, name string, args ...string) (*child, error) {
	c.mu.Lock()
	number := len(c.all)
	c.mu.Unlock()
	path := filepath.Join(c.logs, fmt.Sprintf("%s-%d.log", name, number))
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	p := &child{name: name, log: path, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(c.bin, name), args...) //nolint:noctx // ended by stop, in order
	p.cmd.Env = append(os.Environ(), c.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	c.mu.Lock()
	c.all = append(c.all, p)
	c.mu.Unlock()
	if ready == "" {
		return p, nil
	}
	return p, p.await(ctx, ready)
}

// await waits until the output holds a text.
func (p *child) await(ctx context.Context, text string) error {
	return until(ctx, 90*time.Second, "start of "+p.name, func() (bool, error) {
		data, err := os.ReadFile(p.log)
		if err != nil || strings.Contains(string(data), text) {
			return err == nil, err
		}
		select {
		case <-p.done:
			return false, fmt.Errorf("%s ended: %w; its last lines:\n%s", p.name, p.err, lastLines(p.log, 10))
		default:
			return false, nil
		}
	})
}

// kill ends a child at once, as a crash would.
func (p *child) kill() error {
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	if err != nil {
		return fmt.Errorf("kill -9 %s: %w", p.name, err)
	}
	return nil
}

// stop ends all children in reverse order, each with some time to end well.
func (c *children) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Backward(c.all) {

		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // it may have ended
		select {
		case <-p.done:
		case <-time.After(15 * time.Second):
			_ = p.kill()
		}
	}
}

// until polls a condition with a deadline.
func until(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s: not within %s", what, limit)
			}
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func lastLines(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	var lines []string
	scanner := bufio.NewScanner(io.LimitReader(f, 64<<20))
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if len(lines) > n {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// freePort names a port in use before a child fails on it.
func freePort(ctx context.Context, port int, what, variable string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("port %d for %s is in use; stop what uses it, or choose another with %s=PORT", port, what, variable)
	}
	return l.Close()
}
