package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// checkPort says who needs the port and what to do when it is taken.
func checkPort(address, needs, flagName, env string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s for %s cannot be used (%w): stop the program that has it, or choose another with --%s or %s",
			address, needs, err, flagName, env)
	}
	return l.Close()
}

// checkPorts tests every port of s before anything starts.
func checkPorts(s settings) error {
	if s.External == "" {
		if err := checkPort(loopbackPort(s.TemporalPort), "the Temporal server", "temporal-port", "SHARDLIFT_TEMPORAL_PORT"); err != nil {
			return err
		}
		if err := checkPort(loopbackPort(s.UIPort), "the Temporal Web UI", "ui-port", "SHARDLIFT_TEMPORAL_UI_PORT"); err != nil {
			return err
		}
	}
	if s.OnlyTemporal {
		return nil
	}
	return checkPort(s.Listen, "web", "listen", "SHARDLIFT_LISTEN")
}

func loopbackPort(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}

// freePorts returns n different ports for services that only this process
// calls. All are held until all are chosen.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", loopbackPort(0))
		if err != nil {
			return nil, fmt.Errorf("find a free port on %s: %w", loopback, err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// lockDir keeps a second server off the same database; the lock ends with the
// process, at a kill -9 too.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "temporal.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("data directory %s belongs to a shardlift-dev that is running: stop it, or choose another directory with --data or SHARDLIFT_DATA", dir)
	}
	return f, nil
}
