package testdb

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

//go:embed supervise.sh
var superviseScript string

// How long, in seconds, a server without a user lives: one that tests share,
// the same after "down", and one that belongs to a single process.
const (
	sharedIdle = 600
	sharedDown = 60
	ownIdle    = 2
)

// startTimeout bounds a start on a machine whose cores are all busy.
const startTimeout = 4 * time.Minute

// answerTimeout is how long a shared server that runs may be silent.
const answerTimeout = 2 * time.Minute

// errOther means that the port is no longer ours.
var errOther = errors.New("another server answers")

// poll is how often conditions without an event are looked at.
const poll = 20 * time.Millisecond

// accessDenied is ER_ACCESS_DENIED_ERROR of all editions.
const accessDenied = 1045

// instance is one server process with its run directory, which holds "data",
// "server.log" and the files that supervise.sh describes.
type instance struct {
	edition  edition
	program  program
	run      string
	port     int // 0 before the first launch
	password string
	options  []string
	idle     int  // seconds without a user until the supervisor ends the server
	down     int  // the same once the file "down" is there
	silent   bool // no binlog: a template is made
	serverID int  // 0 before the first launch

	users *os.File // our shared lock
}

// open makes this process a user of the run directory.
func (i *instance) open(ctx context.Context) error {
	users, err := acquire(ctx, filepath.Join(i.run, "users"), syscall.LOCK_SH)
	i.users = users
	return err
}

// close ends the use; the supervisor ends a server of ours soon after.
func (i *instance) close() { i.users.Close() }

// alive tells whether a supervisor works in the run directory.
func (i *instance) alive() (bool, error) {
	lock, err := tryAcquire(filepath.Join(i.run, "alive"), syscall.LOCK_EX)
	if lock != nil {
		lock.Close()
	}
	return lock == nil, err
}

// launch starts the server and waits until it answers. A port that somebody
// took in the meantime is replaced on the first start.
func (i *instance) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	fixed := i.port != 0
	if i.serverID == 0 {
		i.serverID = 1 + rand.IntN(1<<31-1)
	}
	for attempt := 1; ; attempt++ {
		if !fixed {
			port, err := FreePort()
			if err != nil {
				return err
			}
			i.port = port
		}
		err := i.launchOnce(ctx)
		if err == nil {
			return nil
		}
		_ = i.kill(context.WithoutCancel(ctx)) // it may have ended by itself
		if fixed || attempt == 3 || !strings.Contains(err.Error(), "ddress already in use") {
			return fmt.Errorf("start %s: %w", i.edition.name, err)
		}
	}
}

func (i *instance) launchOnce(ctx context.Context) error {
	if err := i.spawn(); err != nil {
		return err
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		version, err := i.ping(ctx)
		if err == nil {
			if !strings.HasPrefix(version, i.edition.version) {
				return fmt.Errorf("the server has version %s, but %s* is expected", version, i.edition.version)
			}
			return nil
		}
		var refused *mysql.MySQLError
		if errors.As(err, &refused) && refused.Number == accessDenied {
			return fmt.Errorf("connect as administrator: %w", err)
		}
		if pid := i.pidIn("pid"); pid != 0 && !running(pid) {
			return fmt.Errorf("the server ended at its start: %s", i.logEnd())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer (%w): %s", ctx.Err(), i.logEnd())
		case <-tick.C:
		}
	}
}

// spawn runs the supervisor with the server, detached from terminal and pipes.
func (i *instance) spawn() error {
	for _, stale := range []string{"pid", "down", "ready", "data/server.sock.lock", "data/server.pid"} {
		if err := os.RemoveAll(filepath.Join(i.run, stale)); err != nil {
			return fmt.Errorf("remove stale file: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(i.run, "tmp"), 0o700); err != nil {
		return fmt.Errorf("make a directory for temporary files: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(i.run, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open server log: %w", err)
	}
	defer log.Close()
	// setsid --fork makes it nobody's child: it outlives this process.
	cmd := exec.Command("setsid", append([]string{
		"--fork", "sh", "-c", superviseScript, "supervise",
		i.run, strconv.Itoa(i.idle), strconv.Itoa(i.down),
	}, i.program.command(i.arguments()...)...)...)
	cmd.Env = i.program.env
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	return nil
}

// arguments are the options of every start, the caller's own last.
func (i *instance) arguments() []string {
	data := filepath.Join(i.run, "data")
	args := []string{
		"--datadir=" + data,
		// A server that starts removes temporary tables that it finds, those of
		// its neighbours too (errors 6 and 1017 there).
		"--tmpdir=" + filepath.Join(i.run, "tmp"),
		"--socket=server.sock", // below the data directory: a path of any length
		"--pid-file=server.pid",
		"--port=" + strconv.Itoa(i.port),
		"--bind-address=127.0.0.1",
		"--skip-name-resolve",
		"--innodb-buffer-pool-size=64M",
		// What a killed process has written stays in the system's cache, so a
		// commit survives kill -9 without a wait for the disk.
		"--innodb-flush-log-at-trx-commit=2",
		"--sync-binlog=0",
		"--max-connections=200",
		// Small caches: the performance schema takes up to 400 MB by the defaults.
		"--table-open-cache=400",
		"--table-definition-cache=400",
		"--max-allowed-packet=192M",
	}
	if i.edition.certificates {
		args = append(args,
			"--ssl-ca="+filepath.Join(data, "ca.pem"),
			"--ssl-cert="+filepath.Join(data, "server-cert.pem"),
			"--ssl-key="+filepath.Join(data, "server-key.pem"))
	}
	if !i.silent {
		args = append(args, "--log-bin=bin", "--binlog-format=ROW")
		args = append(args, i.edition.options...)
	}
	if i.serverID != 0 {
		args = append(args, "--server-id="+strconv.Itoa(i.serverID))
	}
	return append(args, i.options...)
}

// ping returns the version of the answering server, which must be this one and
// not another that got the port first.
func (i *instance) ping(ctx context.Context) (string, error) {
	version, dir, err := ping(ctx, i.server())
	if err != nil {
		return "", err
	}
	ours, err := os.Stat(filepath.Join(i.run, "data"))
	if err != nil {
		return "", fmt.Errorf("find the data directory: %w", err)
	}
	if theirs, err := os.Stat(dir); err != nil || !os.SameFile(ours, theirs) {
		return "", fmt.Errorf("port %d: %w", i.port, errOther)
	}
	return version, nil
}

// ping asks a server for its version and its data directory.
func ping(ctx context.Context, s *Server) (version, dir string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	db, err := s.pool("")
	if err != nil {
		return "", "", err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT VERSION(), @@datadir").Scan(&version, &dir)
	return version, dir, err
}

// server describes the instance to its users.
func (i *instance) server() *Server {
	return &Server{
		Name: i.edition.name, Flavor: i.edition.flavor,
		Host: "127.0.0.1", Port: i.port, User: "root", Password: i.password,
		DataDir: filepath.Join(i.run, "data"), instance: i,
	}
}

// logEnd returns the errors at the end of the server's log.
func (i *instance) logEnd() string {
	text, err := os.ReadFile(filepath.Join(i.run, "server.log"))
	if err != nil {
		return "there is no server log"
	}
	return lastLines(string(text), 12)
}

// answers waits until the server answers: one that runs and is silent for some
// seconds, on a machine whose cores are all busy, is not broken.
func (i *instance) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		_, err := i.ping(ctx)
		var refused *mysql.MySQLError
		if err == nil || errors.Is(err, errOther) || errors.As(err, &refused) {
			return err
		}
		if alive, aliveErr := i.alive(); aliveErr != nil || !alive {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// FreePort returns a port that nobody listens on, below the range from which
// the system takes the ports of outgoing connections: a server may end and start
// again on it.
func FreePort() (int, error) {
	var last error
	for range 50 {
		port := 15000 + rand.IntN(17000)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}
