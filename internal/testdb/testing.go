package testdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Get returns the server that all tests of this run share. It skips the test
// when the edition cannot be had, and fails it when SHARDLIFT_REQUIRE lists it.
func Get(t testing.TB, name string) *Server {
	t.Helper()
	e := mustEdition(t, name)
	if dsn := os.Getenv(dsnVariable(name)); dsn != "" {
		s, err := serverByDSN(t.Context(), e, dsn)
		if err != nil {
			t.Fatalf("use the server of %s: %v", dsnVariable(name), err)
		}
		return s
	}
	i, err := mustRuns(t).shared(t.Context(), e)
	if err != nil {
		refuse(t, err)
	}
	t.Cleanup(i.close)
	return i.server()
}

// Own starts a fresh server for this test alone, with more options of the
// server if need be. It is killed at the end of the test, and also when the
// test's process dies.
func Own(t testing.TB, name string, options ...string) *Server {
	t.Helper()
	e := mustEdition(t, name)
	r := mustRuns(t)
	i, err := r.own(t.Context(), e, options)
	if err != nil {
		refuse(t, err)
	}
	t.Cleanup(func() { r.discard(context.Background(), i) })
	s := i.server()
	s.own = true
	return s
}

// Kill ends the server as kill -9 does.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.control(t, "kill", func(i *instance) error { return i.kill(context.Background()) })
}

// Stop shuts the server down cleanly.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.control(t, "stop", func(i *instance) error { return i.stop(context.Background()) })
}

// Start starts a killed or stopped server again, with its port and its data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.control(t, "start", func(i *instance) error { return i.launch(t.Context()) })
}

// Freeze stops the server's process where it is (SIGSTOP): connections stay
// open and nothing answers.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	s.control(t, "freeze", func(i *instance) error { return i.signal(syscall.SIGSTOP) })
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw(t testing.TB) {
	t.Helper()
	s.control(t, "thaw", func(i *instance) error { return i.signal(syscall.SIGCONT) })
}

func (s *Server) control(t testing.TB, verb string, do func(*instance) error) {
	t.Helper()
	if !s.own {
		t.Fatalf("%s %s: other tests use this server; take testdb.Own", verb, s.Name)
	}
	if err := do(s.instance); err != nil {
		t.Fatalf("%s %s: %v", verb, s.Name, err)
	}
}

func mustEdition(t testing.TB, name string) edition {
	t.Helper()
	if err := checkRequired(); err != nil {
		t.Fatal(err)
	}
	e, err := editionNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustRuns(t testing.TB) *runs {
	t.Helper()
	r, err := openRuns(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refuse ends the test: a server that cannot be had here skips it unless it is
// required, every other error fails it.
func refuse(t testing.TB, err error) {
	t.Helper()
	var missing *unavailableError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	if required(missing.name) {
		t.Fatalf("%s is required (SHARDLIFT_REQUIRE) and cannot be had: %v", missing.name, missing.err)
	}
	t.Skipf("SKIPPED: the server %s cannot be had: %v", missing.name, missing.err)
}

// requiredNames are the entries of SHARDLIFT_REQUIRE.
func requiredNames() []string {
	return strings.FieldsFunc(os.Getenv("SHARDLIFT_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
}

func required(name string) bool {
	names := requiredNames()
	return slices.Contains(names, name) || slices.Contains(names, "all")
}

// vitessName is package testvitess' in SHARDLIFT_REQUIRE.
const vitessName = "vitess"

// checkRequired refuses a name that no server has: it would never be missed.
func checkRequired() error {
	for _, name := range requiredNames() {
		if name == "all" || name == tlaToolsName || name == vitessName {
			continue
		}
		if _, err := editionNamed(name); err != nil {
			return fmt.Errorf("read SHARDLIFT_REQUIRE: %w", err)
		}
	}
	return nil
}

func dsnVariable(name string) string { return "SHARDLIFT_" + strings.ToUpper(name) + "_DSN" }

// serverByDSN describes a running server, which must be of the edition's kind;
// its patch version may differ.
func serverByDSN(ctx context.Context, e edition, dsn string) (*Server, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("it is not of the form user:password@tcp(host:port)/")
	}
	host, port, err := net.SplitHostPort(config.Addr)
	if err != nil || config.Net != "tcp" {
		return nil, errors.New("it has no tcp(host:port)")
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, errors.New("its port is not a number")
	}
	s := &Server{
		Name: e.name, Flavor: e.flavor, Host: host, Port: number,
		User: config.User, Password: config.Passwd,
	}
	version, _, err := ping(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if maria := strings.Contains(version, "MariaDB"); maria != (e.flavor == "mariadb") || !sameSeries(version, e.version) {
		return nil, fmt.Errorf("it has version %s, which does not stand for %s", version, e.name)
	}
	return s, nil
}

// sameSeries compares the first two numbers of two versions.
func sameSeries(version, want string) bool {
	series := strings.SplitAfterN(want, ".", 3)
	return len(series) < 2 || strings.HasPrefix(version, series[0]+series[1])
}
