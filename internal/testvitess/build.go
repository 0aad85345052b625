package testvitess

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// program returns the path of vtcombo, built when the cache has none of this
// state of its module. A machine that cannot build it skips the test, unless
// SHARDLIFT_REQUIRE lists "vitess" or "all".
func program(t testing.TB) string {
	t.Helper()
	path, err := build(t.Context())
	if err == nil {
		return path
	}
	names := strings.FieldsFunc(os.Getenv("SHARDLIFT_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
	if slices.Contains(names, "vitess") || slices.Contains(names, "all") {
		t.Fatalf("vitess is required (SHARDLIFT_REQUIRE) and cannot be had: %v", err)
	}
	t.Skipf("SKIPPED: vitess cannot be had: %v", err)
	return ""
}

// build takes minutes for the first time, seconds with a filled build cache.
func build(ctx context.Context) (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("build vtcombo: the package does not know its folder")
	}
	module := filepath.Join(filepath.Dir(here), "vtcombo")
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", fmt.Errorf("build vtcombo: %w", err)
		}
		sum.Write(text)
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "vtcombo-"+hex.EncodeToString(sum.Sum(nil)[:6]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("build vtcombo: %w", err)
	}
	defer lock.Close() // and with it the lock: one process builds, the others wait
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("build vtcombo: wait for another build: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	tmp, err := os.CreateTemp(dir, "vtcombo-*.tmp")
	if err != nil {
		return "", fmt.Errorf("build vtcombo: %w", err)
	}
	_ = tmp.Close()
	defer func() { _ = os.Remove(tmp.Name()) }()
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-ldflags", "-s -w", "-o", tmp.Name(), ".")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build vtcombo (go build -C internal/testvitess/vtcombo): %w: %s", err, lastLines(said.String(), 6))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return "", fmt.Errorf("build vtcombo: %w", err)
	}
	return path, nil
}

func cacheDir() (string, error) {
	dir := os.Getenv("SHARDLIFT_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory (set SHARDLIFT_CACHE): %w", err)
		}
		dir = filepath.Join(base, "shardlift")
	}
	dir = filepath.Join(dir, "vitess")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create the cache directory: %w", err)
	}
	return dir, nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
