package testdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// fetcher downloads programs into the cache and says so line by line.
type fetcher struct {
	cache cache

	mu  sync.Mutex
	out io.Writer // one line for each download
}

// Fetch puts the named editions (all of them for no name) into the cache and
// prints one line to out for each download. It tries all of them before it
// returns the errors, each of which names its edition.
func Fetch(ctx context.Context, out io.Writer, names ...string) error {
	chosen, err := editionsNamed(names)
	if err != nil {
		return err
	}
	c, err := openCache()
	if err != nil {
		return err
	}
	f := &fetcher{cache: c, out: out}
	var group errgroup.Group
	var failures failures
	for _, e := range chosen {
		group.Go(func() error {
			failures.add(f.edition(ctx, e))
			return nil
		})
	}
	_ = group.Wait() // the goroutines report through failures
	return failures.err()
}

// edition fetches e unless the cache has it.
func (f *fetcher) edition(ctx context.Context, e edition) error {
	if e.old {
		if err := f.program(ctx, oldLibrariesName, oldLibraries()); err != nil {
			return &unavailableError{e.name, err}
		}
	}
	if err := f.program(ctx, e.name, e.from); err != nil {
		return &unavailableError{e.name, err}
	}
	return nil
}

// unavailableError says that an edition cannot be downloaded here.
type unavailableError struct {
	name string
	err  error
}

func (e *unavailableError) Error() string { return "fetch " + e.name + ": " + e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }

func (f *fetcher) program(ctx context.Context, name string, from source) error {
	return f.cache.build(ctx, f.cache.programDir(name), func(tmp string) error {
		if tool := from.tool(); tool != "" {
			if _, err := exec.LookPath(tool); err != nil {
				return fmt.Errorf("the command %s is not installed: run scripts/install-fetch-tools", tool)
			}
		}
		return from.fetch(ctx, f, name, tmp)
	})
}

// say prints one line.
func (f *fetcher) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.out, format+"\n", args...)
}

// failures collects errors of concurrent work.
type failures struct {
	mu   sync.Mutex
	list []error
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.list = append(f.list, err)
	}
}

func (f *failures) err() error {
	if len(f.list) == 0 {
		return nil
	}
	var lines []string
	for _, err := range f.list {
		lines = append(lines, err.Error())
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}

// run executes a command and returns what it printed; an error holds the last
// lines of its output.
func run(ctx context.Context, dir string, env []string, command ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String() + "\n" + stdout.String())
		return nil, fmt.Errorf("run %s: %w: %s", command[0], err, lastLines(said, 5))
	}
	return stdout.Bytes(), nil
}

// lastLines returns the end of text: at most n lines.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// verify compares a download with its known sum and removes it when it differs.
func verify(path, want string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open download: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("read download: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		os.Remove(path)
		return fmt.Errorf("the download has SHA-256 %s, but %s is expected: it was removed, fetch again", got, want)
	}
	return nil
}

// megabytes formats a size for people.
func megabytes(n int64) string {
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
