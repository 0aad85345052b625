package testdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// runs starts servers in the run directories of a cache.
type runs struct {
	cache cache
	fetch *fetcher
}

func openRuns(out io.Writer) (*runs, error) {
	c, err := openCache()
	if err != nil {
		return nil, err
	}
	return &runs{cache: c, fetch: &fetcher{cache: c, out: out}}, nil
}

// prepare fetches and initialises e and returns an instance of it in dir that
// does not run yet.
func (r *runs) prepare(ctx context.Context, e edition, dir string, options []string) (*instance, string, error) {
	if err := r.fetch.edition(ctx, e); err != nil {
		return nil, "", err
	}
	template, err := r.cache.template(ctx, e)
	if err != nil {
		return nil, "", err
	}
	password, err := os.ReadFile(filepath.Join(template, "password"))
	if err != nil {
		return nil, "", fmt.Errorf("read password of template: %w", err)
	}
	return &instance{
		edition: e, program: e.program(r.cache), run: dir, password: string(password),
		options: options, idle: ownIdle, down: sharedDown,
	}, template, nil
}

// ready is what the starter of a shared server leaves for the others.
type ready struct {
	Port int `json:"port"`
}

// shared makes this process a user of the shared server of e and starts it if
// it does not run. The use ends when the instance is closed.
func (r *runs) shared(ctx context.Context, e edition) (*instance, error) {
	i, template, err := r.prepare(ctx, e, "", nil)
	if err != nil {
		return nil, err
	}
	i.idle = sharedIdle
	// Servers of another state of this code are not for us: the name holds a sum
	// of all that makes this one, but for its random server id.
	sum := sha256.Sum256([]byte(strings.Join(append(i.arguments(), template, superviseScript), "\x00")))
	i.run = r.cache.path("run", e.name+"-"+hex.EncodeToString(sum[:4]))
	if err := r.enter(ctx, i); err != nil {
		return nil, err
	}
	if err := r.startShared(ctx, i, template); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

// startShared starts i, of which this process is a user, unless it runs. One
// process at a time does so.
func (r *runs) startShared(ctx context.Context, i *instance, template string) error {
	lock, err := acquireExclusive(ctx, filepath.Join(i.run, "start"))
	if err != nil {
		return err
	}
	defer lock.Close()
	alive, err := i.alive()
	if err != nil {
		return err
	}
	file := filepath.Join(i.run, "ready")
	if text, err := os.ReadFile(file); alive && err == nil {
		var state ready
		if err := json.Unmarshal(text, &state); err != nil {
			return fmt.Errorf("read state of %s: %w", i.edition.name, err)
		}
		i.port = state.Port
		if err := i.answers(ctx); err == nil || crowded(err) {
			return nil
		}
	}
	if alive { // its starter died before the server was ready, or it is broken
		if err := i.kill(ctx); err != nil {
			return err
		}
	}
	i.port = 0
	if err := i.fill(ctx, template); err != nil {
		return err
	}
	if err := i.launch(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(ready{Port: i.port})
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return os.WriteFile(file, text, 0o600)
}

// crowded is the answer of a server that runs and has no connection left: to
// replace it would take it from everybody who uses it.
func crowded(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == 1040
}

// own starts a fresh server that ends with this process at the latest.
func (r *runs) own(ctx context.Context, e edition, options []string) (*instance, error) {
	i, template, err := r.prepare(ctx, e, r.cache.path("run", "own-"+randomHex(6)), options)
	if err != nil {
		return nil, err
	}
	if err := r.enter(ctx, i); err != nil {
		return nil, err
	}
	err = i.fill(ctx, template)
	if err == nil {
		err = i.launch(ctx)
	}
	if err != nil {
		r.discard(ctx, i)
		return nil, err
	}
	return i, nil
}

// discard kills i and removes its directory.
func (r *runs) discard(ctx context.Context, i *instance) {
	_ = i.kill(ctx) // it may not run; what is left is removed by a later start
	i.close()
	_ = os.RemoveAll(i.run)
}

// in starts a server whose data stays in dir between runs.
func (r *runs) in(ctx context.Context, e edition, dir string, options []string) (*instance, error) {
	i, template, err := r.prepare(ctx, e, dir, options)
	if err != nil {
		return nil, err
	}
	// Longer than a supervisor needs to notice that its user has died.
	wait, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	i.users, err = acquireExclusive(wait, filepath.Join(dir, "users"))
	if err != nil {
		return nil, fmt.Errorf("start %s: another process uses %s: %w", e.name, dir, err)
	}
	if err := i.startIn(ctx, template); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

func (i *instance) startIn(ctx context.Context, template string) error {
	alive, err := i.alive()
	if err != nil {
		return err
	}
	if alive { // its user died a moment ago
		if err := i.kill(ctx); err != nil {
			return err
		}
	}
	if !exists(filepath.Join(i.run, "data")) {
		if err := i.fill(ctx, template); err != nil {
			return err
		}
	}
	return i.launch(ctx)
}

// fill gives the run directory a fresh data directory.
func (i *instance) fill(ctx context.Context, template string) error {
	for _, old := range []string{"data", "data.new", "server.log"} {
		if err := os.RemoveAll(filepath.Join(i.run, old)); err != nil {
			return fmt.Errorf("remove old data: %w", err)
		}
	}
	fresh := filepath.Join(i.run, "data.new")
	if err := copyTree(ctx, filepath.Join(template, "data"), fresh); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(i.run, "data"))
}

// enter makes this process a user of i's run directory and removes the
// directories of runs that are over.
func (r *runs) enter(ctx context.Context, i *instance) error {
	lock, err := acquireExclusive(ctx, r.cache.path("run", "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := i.open(ctx); err != nil {
		return err
	}
	dirs, err := r.all()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if dir == i.run {
			continue
		}
		if err := removeUnused(dir); err != nil {
			return err
		}
	}
	return nil
}

// all lists the run directories.
func (r *runs) all() ([]string, error) {
	files, err := filepath.Glob(r.cache.path("run", "*", "users"))
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
	}
	return dirs, nil
}

// removeUnused removes a run directory that has neither a user nor a server.
// The caller holds the lock under which users enter.
func removeUnused(dir string) error {
	users, err := tryAcquire(filepath.Join(dir, "users"), syscall.LOCK_EX)
	if err != nil || users == nil {
		return err
	}
	defer users.Close()
	i := &instance{run: dir}
	if alive, err := i.alive(); err != nil || alive {
		return err
	}
	return os.RemoveAll(dir)
}
