package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Guard is a piece of code that protects data, and the tests that must notice
// its loss.
type Guard struct {
	// Name is short and says what is lost; Rule is the design's, such as "4" or "fence".
	Name, Rule string
	// File holds Text exactly once; Replacement stands in its place in the mutant.
	File, Text, Replacement string
	// Package and Run choose the tests, as `go test -run`; Tags are build tags.
	Package, Run, Tags string
}

// Mutate returns the file's content without the guard.
func (g Guard) Mutate(content string) (string, error) {
	switch n := strings.Count(content, g.Text); {
	case n == 0:
		return "", fmt.Errorf("%s: %s does not hold the guard's text any more", g.Name, g.File)
	case n > 1:
		return "", fmt.Errorf("%s: %s holds the guard's text %d times", g.Name, g.File, n)
	}
	return strings.Replace(content, g.Text, g.Replacement, 1), nil
}

// Verdict is what became of a mutant.
type Verdict string

// Verdicts. Broken: the mutant does not compile, its tests fail without it too,
// or there are none; then nothing is proven.
const (
	Caught   Verdict = "caught"
	Survived Verdict = "SURVIVED"
	Broken   Verdict = "BROKEN"
)

// Result of one mutant. By names the first test that failed; Why explains Broken.
type Result struct {
	Verdict Verdict
	By, Why string
	Took    time.Duration
}

// Runner runs mutants of the module at Root, an absolute path. Timeout bounds
// the tests of one mutant, and a mutant that hangs is a caught one.
type Runner struct {
	Root    string
	Timeout time.Duration
	// Guards are those that will be run: their tests have to pass without a mutant.
	Guards []Guard
	// sound says so for each package.
	sound map[string]error
}

// Run tests the code as it is, once for each package, and then the mutant.
func (r *Runner) Run(ctx context.Context, g Guard) Result {
	began := time.Now()
	result := r.run(ctx, g)
	result.Took = time.Since(began).Round(time.Second)
	return result
}

func (r *Runner) run(ctx context.Context, g Guard) Result {
	broken := func(err error) Result { return Result{Verdict: Broken, Why: err.Error()} }
	path := filepath.Join(r.Root, filepath.FromSlash(g.File))
	content, err := os.ReadFile(path)
	if err != nil {
		return broken(err)
	}
	mutant, err := g.Mutate(string(content))
	if err != nil {
		return broken(err)
	}
	if err := r.isSound(ctx, g); err != nil {
		return broken(fmt.Errorf("the tests fail without the mutant: %w", err))
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return broken(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(dir, path, mutant)
	if err != nil {
		return broken(err)
	}
	output, err := r.test(ctx, g, "-overlay="+overlay)
	switch {
	case ctx.Err() != nil:
		return broken(ctx.Err())
	case noneRan.MatchString(output):
		return broken(errors.New("no test matches " + g.Run))
	case err == nil:
		return Result{Verdict: Survived}
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return broken(errors.New("it does not compile:\n" + output))
	}
	return Result{Verdict: Caught, By: firstFailure(output)}
}

func (r *Runner) isSound(ctx context.Context, g Guard) error {
	key := g.Package + " " + g.Tags
	if err, known := r.sound[key]; known {
		return err
	}
	all := Guard{Package: g.Package, Tags: g.Tags, Run: g.Run}
	for _, other := range r.Guards {
		if other.Package == g.Package && other.Tags == g.Tags && !strings.Contains("|"+all.Run+"|", "|"+other.Run+"|") {
			all.Run += "|" + other.Run
		}
	}
	output, err := r.test(ctx, all)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, output)
	}
	if r.sound == nil {
		r.sound = map[string]error{}
	}
	r.sound[key] = err
	return err
}

// test runs the guard's tests and returns what they print.
func (r *Runner) test(ctx context.Context, g Guard, flags ...string) (string, error) {
	args := append([]string{"test", "-count=1", "-vet=off", "-failfast", "-timeout", r.Timeout.String(), "-run", g.Run}, flags...)
	if g.Tags != "" {
		args = append(args, "-tags", g.Tags)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+g.Package)...)
	cmd.Dir = r.Root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func writeOverlay(dir, path, mutant string) (string, error) {
	file := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(file, []byte(mutant), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: file}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

var (
	noneRan = regexp.MustCompile(`(?m)no tests to run|no test files`)
	failed  = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
)

func firstFailure(output string) string {
	if m := failed.FindStringSubmatch(output); m != nil {
		return m[1]
	}
	if strings.Contains(output, "panic: test timed out") {
		return "the time limit"
	}
	return "a crash of the test"
}
