package testdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Download is one thing that an edition needs from elsewhere.
type Download struct {
	Name   string // of the edition, or of the library that several need
	Title  string // what it is, without any host
	Bytes  int64  // of Debian's packages about, the index included
	Cached bool   // it is there already
}

// Downloads lists what the named editions (all of them for no name) need.
func Downloads(names ...string) ([]Download, error) {
	chosen, err := editionsNamed(names)
	if err != nil {
		return nil, err
	}
	c, err := openCache()
	if err != nil {
		return nil, err
	}
	var list []Download
	add := func(name string, from source) {
		d := Download{name, from.title(), from.bytes(), exists(c.programDir(name))}
		if !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	for _, e := range chosen {
		if e.old {
			add(oldLibrariesName, oldLibraries())
		}
		add(e.name, e.from)
	}
	return list, nil
}

// Up starts the shared servers of the named editions (all of them for no name)
// side by side, so that the tests of a run find them, and prints one line for
// each. They stay until Down, or until nobody used them for ten minutes. An
// edition that cannot be had is an error when SHARDLIFT_REQUIRE lists it.
func Up(ctx context.Context, out io.Writer, names ...string) error {
	if err := checkRequired(); err != nil {
		return err
	}
	chosen, err := editionsNamed(names)
	if err != nil {
		return err
	}
	r, err := openRuns(out)
	if err != nil {
		return err
	}
	var group errgroup.Group
	var failures failures
	for _, e := range chosen {
		group.Go(func() error {
			failures.add(r.up(ctx, e))
			return nil
		})
	}
	_ = group.Wait() // the goroutines report through failures
	return failures.err()
}

func (r *runs) up(ctx context.Context, e edition) error {
	if os.Getenv(dsnVariable(e.name)) != "" {
		r.fetch.say("%s: the server of %s is used", e.name, dsnVariable(e.name))
		return nil
	}
	i, err := r.shared(ctx, e)
	var missing *unavailableError
	if errors.As(err, &missing) && !required(e.name) {
		r.fetch.say("%s: SKIPPED, cannot be had: %v", e.name, missing.err)
		return nil
	}
	if err != nil {
		return err
	}
	defer i.close()
	if err := os.RemoveAll(filepath.Join(i.run, "down")); err != nil {
		return fmt.Errorf("take back the end of %s: %w", e.name, err)
	}
	r.fetch.say("%s: listens on %s", e.name, i.server().Address())
	return nil
}

// Down tells all shared servers to end: a minute after their last user, or at
// once when now is set and nobody uses them. It prints one line for each.
func Down(ctx context.Context, out io.Writer, now bool) error {
	r, err := openRuns(out)
	if err != nil {
		return err
	}
	dirs, err := r.all()
	if err != nil {
		return err
	}
	var failed []error // the others end all the same
	for _, dir := range dirs {
		name, _, _ := strings.Cut(filepath.Base(dir), "-")
		i := &instance{run: dir, edition: edition{name: name}}
		alive, err := i.alive()
		if err == nil && alive && name != "own" {
			err = r.down(ctx, i, now)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (r *runs) down(ctx context.Context, i *instance, now bool) error {
	name := i.edition.name
	if now {
		users, err := tryAcquire(filepath.Join(i.run, "users"), syscall.LOCK_EX)
		if err != nil {
			return err
		}
		if users != nil {
			defer users.Close()
			r.fetch.say("%s: stopping", name)
			// Its data serves nobody any more (startShared), and a clean end may take
			// for ever (stop).
			return i.kill(ctx)
		}
	}
	if err := os.WriteFile(filepath.Join(i.run, "down"), nil, 0o600); err != nil {
		return fmt.Errorf("mark the end of %s: %w", name, err)
	}
	r.fetch.say("%s: stops %d s after its last user", name, sharedDown)
	return nil
}

// Status is the state of one edition in the cache.
type Status struct {
	Name    string
	Fetched bool
	Running []string // run directories of live shared servers
}

// List returns the state of each edition.
func List() ([]Status, error) {
	r, err := openRuns(io.Discard)
	if err != nil {
		return nil, err
	}
	dirs, err := r.all()
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, e := range editions() {
		s := Status{Name: e.name, Fetched: exists(r.cache.programDir(e.name))}
		for _, dir := range dirs {
			if !strings.HasPrefix(filepath.Base(dir), e.name+"-") {
				continue
			}
			if alive, err := (&instance{run: dir}).alive(); err != nil {
				return nil, err
			} else if alive {
				s.Running = append(s.Running, dir)
			}
		}
		list = append(list, s)
	}
	return list, nil
}
