package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How long a server may take to end on a machine whose cores are all busy: by
// itself, and after SIGKILL.
const (
	cleanTimeout = time.Minute
	stopTimeout  = 3 * time.Minute
)

// pidIn reads a process id from a file of the run directory, 0 when there is
// none.
func (i *instance) pidIn(file string) int {
	text, err := os.ReadFile(filepath.Join(i.run, file))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// signal sends sig to the server process.
func (i *instance) signal(sig syscall.Signal) error {
	alive, err := i.alive()
	if err != nil {
		return err
	}
	pid := i.pidIn("pid")
	if !alive || pid == 0 { // without a supervisor the number may be anybody's
		return fmt.Errorf("signal %s: it does not run", i.edition.name)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("signal %s: %w", i.edition.name, err)
	}
	return nil
}

// kill ends the server at once and returns when it and its supervisor are gone.
func (i *instance) kill(ctx context.Context) error {
	if err := i.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) { // it may end just now
		return err
	}
	return i.gone(ctx)
}

// stop ends the server cleanly, or as a crash when it does not come to its end:
// MySQL 5.7.22 may wait for clients for ever that it has disconnected.
func (i *instance) stop(ctx context.Context) error {
	if err := i.signal(syscall.SIGTERM); err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	if err := i.gone(patient); patient.Err() == nil || ctx.Err() != nil {
		return err
	}
	return i.kill(ctx)
}

// gone waits for the end of the server and of its supervisor.
func (i *instance) gone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		alive, err := i.alive()
		if err != nil {
			return err
		}
		if !alive {
			return os.RemoveAll(filepath.Join(i.run, "pid"))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of %s: %w", i.edition.name, ctx.Err())
		case <-tick.C:
		}
	}
}

// running tells whether the process exists and is not a zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// pid (name) state ...; the name may hold anything.
	_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	return ok && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
