package ddmsim

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"vitess.io/vitess/go/mysql/sqlerror"
)

// Faults breaks things on purpose. All methods are safe for concurrent use and
// take effect at once. A pattern is a regular expression over the client's
// statement (case-insensitive, '.' matches line ends); times is how many
// statements it hits, 0 or less means until Clear.
type Faults struct {
	mu      sync.Mutex
	rules   []*faultRule
	down    map[int]bool
	commit  *commitFault
	cut     func(node int) // closes the connections to a node
	clients func()         // closes all client connections
}

type faultRule struct {
	pattern *regexp.Regexp
	left    int // statements still to hit, -1: unlimited
	delay   time.Duration
	err     *sqlerror.SQLError
	drop    bool // cut the client
	after   bool // once the statement has run
	hold    chan struct{}
	held    chan struct{} // one element per statement that arrived
	what    string
}

type commitFault struct{ after, left int }

func newFaults() *Faults { return &Faults{down: map[int]bool{}} }

// NodeDown cuts all connections to a data node and refuses new ones.
func (f *Faults) NodeDown(node int) {
	f.mu.Lock()
	f.down[node] = true
	f.mu.Unlock()
	f.cut(node)
}

// NodeUp lets a data node answer again.
func (f *Faults) NodeUp(node int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.down, node)
}

// CutNode closes all connections to a data node once; new ones are accepted.
func (f *Faults) CutNode(node int) { f.cut(node) }

// Slow delays statements before they run.
func (f *Faults) Slow(pattern string, delay time.Duration, times int) error {
	return f.add(pattern, times, &faultRule{delay: delay, what: "slow " + delay.String()})
}

// Fail answers statements with an error of this number instead of running them.
func (f *Faults) Fail(pattern string, code int, message string, times int) error {
	if message == "" {
		message = fmt.Sprintf("ddmsim: injected error %d", code)
	}
	return f.add(pattern, times, &faultRule{err: sqlError(code, stateOfCode(code), message), what: fmt.Sprintf("error %d", code)})
}

// DropClient cuts the client's connection when a statement matches: before it
// runs, or after it ran and before the answer, so that its outcome is unknown.
func (f *Faults) DropClient(pattern string, afterRunning bool, times int) error {
	what := "drop before"
	if afterRunning {
		what = "drop after"
	}
	return f.add(pattern, times, &faultRule{drop: true, after: afterRunning, what: what})
}

// DropClients cuts all client connections that are open now.
func (f *Faults) DropClients() { f.clients() }

// Hold stops matching statements before they run until release is called.
// Each that arrives sends on arrived (capacity 1024).
func (f *Faults) Hold(pattern string) (arrived <-chan struct{}, release func(), err error) {
	r := &faultRule{hold: make(chan struct{}), held: make(chan struct{}, 1024), what: "hold"}
	if err := f.add(pattern, 0, r); err != nil {
		return nil, nil, err
	}
	var once sync.Once
	return r.held, func() {
		once.Do(func() { f.remove(r); close(r.hold) })
	}, nil
}

// FailCommit makes the next commits that span several shards fail after this
// many of their shards have committed. With XA the transaction fails as a whole
// in its first phase.
func (f *Faults) FailCommit(afterShards, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commit = &commitFault{after: afterShards, left: times}
}

// Clear ends all faults and brings all nodes up.
func (f *Faults) Clear() {
	f.mu.Lock()
	rules := f.rules
	f.rules, f.commit = nil, nil
	clear(f.down)
	f.mu.Unlock()
	for _, r := range rules {
		if r.hold != nil {
			select {
			case <-r.hold:
			default:
				close(r.hold)
			}
		}
	}
}

// list describes the faults that are set.
func (f *Faults) list() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out [][]string
	for n := range f.down {
		out = append(out, []string{fmt.Sprintf("node %d down", n), "", ""})
	}
	for _, r := range f.rules {
		out = append(out, []string{r.what, strings.TrimPrefix(r.pattern.String(), "(?is)"), fmt.Sprint(r.left)})
	}
	if f.commit != nil {
		out = append(out, []string{fmt.Sprintf("commit fails after %d shards", f.commit.after), "", fmt.Sprint(f.commit.left)})
	}
	return out
}

func (f *Faults) add(pattern string, times int, r *faultRule) error {
	re, err := regexp.Compile("(?is)" + pattern)
	if err != nil {
		return fmt.Errorf("pattern of a fault: %w", err)
	}
	r.pattern, r.left = re, times
	if times <= 0 {
		r.left = -1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
	return nil
}

func (f *Faults) remove(r *faultRule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.rules {
		if f.rules[i] == r {
			f.rules = append(f.rules[:i], f.rules[i+1:]...)
			return
		}
	}
}

// matching takes the faults that hit a statement now.
func (f *Faults) matching(sql string, after bool) []*faultRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rules) == 0 {
		return nil
	}
	var hit []*faultRule
	kept := f.rules[:0:0]
	for _, r := range f.rules {
		if r.after == after && r.left != 0 && r.pattern.MatchString(sql) {
			hit = append(hit, r)
			if r.left > 0 {
				r.left--
			}
		}
		if r.left != 0 {
			kept = append(kept, r)
		}
	}
	f.rules = kept
	return hit
}

func (f *Faults) isDown(node int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down[node]
}

// failCommit says whether a commit over several shards fails, and after how many.
func (f *Faults) failCommit() (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.commit == nil || f.commit.left == 0 {
		return 0, false
	}
	if f.commit.left > 0 {
		f.commit.left--
	}
	return f.commit.after, true
}

func stateOfCode(code int) string {
	switch code {
	case 1213:
		return "40001"
	case 1062:
		return "23000"
	case 1064:
		return "42000"
	}
	return "HY000"
}
