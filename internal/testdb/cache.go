package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a busy lock is tried again: flock itself cannot be
// interrupted by a context.
const lockPoll = 50 * time.Millisecond

// cache is the directory that holds downloads, programs, templates and runs.
type cache string

// openCache finds the cache directory and creates it.
func openCache() (cache, error) {
	dir := os.Getenv("SHARDLIFT_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory (set SHARDLIFT_CACHE): %w", err)
		}
		dir = filepath.Join(base, "shardlift")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create the cache directory: %w", err)
	}
	return cache(dir), nil
}

func (c cache) path(elem ...string) string {
	return filepath.Join(append([]string{string(c)}, elem...)...)
}

func (c cache) programDir(name string) string { return c.path("programs", name) }

// build makes dir once: fill works on a temporary neighbour, which becomes dir
// only when all of it is there. Concurrent processes wait for each other.
func (c cache) build(ctx context.Context, dir string, fill func(tmp string) error) error {
	if exists(dir) {
		return nil
	}
	lock, err := acquireExclusive(ctx, dir+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if exists(dir) {
		return nil
	}
	tmp := dir + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("remove unfinished directory: %w", err)
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	if err := fill(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("put directory in place: %w", err)
	}
	return nil
}

// acquire opens the file at path, creating it and its directory, and takes the
// flock how (LOCK_EX or LOCK_SH). The lock ends when the file is closed or the
// process dies.
func acquire(ctx context.Context, path string, how int) (*os.File, error) {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		file, err := tryAcquire(path, how)
		if err != nil || file != nil {
			return file, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", filepath.Base(path), ctx.Err())
		case <-tick.C:
		}
	}
}

// tryAcquire is acquire without waiting: nil without an error means that
// somebody else holds the lock.
func tryAcquire(path string, how int) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create directory of lock: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", filepath.Base(path), err)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// acquireExclusive waits for the exclusive lock of path.
func acquireExclusive(ctx context.Context, path string) (*os.File, error) {
	return acquire(ctx, path, syscall.LOCK_EX)
}
