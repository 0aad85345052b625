//go:build faultpoint

package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// schedule is what a seed means: tables, traffic, how the engine is set up, and
// what breaks when.
type schedule struct {
	Seed    uint64
	shapes  []shape
	sharded bool
	// process: the engine is a process of its own that is really killed.
	process bool
	engine  engine
	rows    int // before the start
	writers int
	length  int // transactions of each
	faults  []trouble
	// deaf: the heartbeats of a plan that is interrupted are lost.
	deaf bool
	// source names the edition it comes from.
	source string
	// patient: the source itself goes away.
	patient bool
}

// maxFaults bounds the faults of a schedule.
const maxFaults = 6

// sameTables is how many seeds in a row have the same source and tables: making
// tables takes longer than everything else.
const sameTables = 5

// sources take turns.
var sources = []string{"mysql97", "mariadb", "mysql57", "mysql80", "mysql56"}

// draw makes the schedule of a seed.
func draw(seed uint64, process bool) schedule {
	rng := rand.New(rand.NewPCG(seed, 0x50a1c))
	s := schedule{Seed: seed, process: process, sharded: rng.IntN(3) > 0, rows: rng.IntN(40), writers: 1 + rng.IntN(2), length: 10 + rng.IntN(30)}
	block := seed / sameTables
	s.source = sources[block%uint64(len(sources))]
	s.shapes = shapes(rand.New(rand.NewPCG(block, 2)), s.source)
	s.deaf = rng.IntN(2) == 0
	s.engine = engine{Lanes: 1 + rng.IntN(2), Window: []int{300, 2000, 0}[rng.IntN(3)], Beside: rng.IntN(3) > 0}
	s.engine.Beside = s.engine.Beside && s.source != "mysql56" // it cannot tell what a SELECT sees
	s.faults = s.whilePlanning(rng)
	all := points()
	for range rng.IntN(maxFaults + 1) {
		k := kinds[rng.IntN(len(kinds))]
		if !s.sharded && slices.Contains([]kind{nodes, down, router, forget}, k) {
			k = cut
		}
		if k == forget {
			s.faults = append(s.faults, trouble{Point: all[rng.IntN(len(all))], Nth: 1 + rng.IntN(4), Kind: []kind{remember, remember, rememberAll}[rng.IntN(3)]})
		}
		f := trouble{Point: all[rng.IntN(len(all))], Nth: 1 + rng.IntN(1+rng.IntN(25)), Kind: k}
		if k == lose && f.Point == "applier.open.after" { // the stream would be nobody's
			f.Point = "applier.open.before"
		}
		s.faults = append(s.faults, f)
	}
	return s
}

// planKinds are what happens while the plan is made.
var planKinds = []kind{kill, kill, kill, kill, lose, lose, delay, freeze, freeze, cut, nodes, down, router}

// whilePlanning draws none, one, two or three troubles.
func (s schedule) whilePlanning(rng *rand.Rand) (out []trouble) {
	for range rng.IntN(4) {
		k := planKinds[rng.IntN(len(planKinds))]
		if !s.sharded && slices.Contains([]kind{nodes, down, router}, k) {
			k = kill
		}
		out = append(out, trouble{Nth: 1 + rng.IntN(80), Kind: k, Planning: true})
	}
	return out
}

func (s schedule) String() string {
	var b strings.Builder
	to := "plain MySQL"
	if s.sharded {
		to = "the simulator"
	}
	fmt.Fprintf(&b, "seed %d from %s into %s, %d lanes, window %d, beside %v, process %v, %d rows, %d writers of %d transactions\n",
		s.Seed, s.source, to, s.engine.Lanes, s.engine.Window, s.engine.Beside, s.process, s.rows, s.writers, s.length)
	for _, t := range s.shapes {
		fmt.Fprintf(&b, "  %s %s\n", t.create(false), t.rule)
	}
	for _, f := range s.faults {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	return b.String()
}

var site = regexp.MustCompile(`(?:faultpoint\.Around\(ctx, |\.send\(ctx, )"([a-z]+\.[a-z]+)"`)

// points are all names of the engine's sources, before and after.
var points = sync.OnceValue(func() []string {
	var out []string
	for _, pkg := range []string{"applier", "checkpoint", "copier", "destination"} {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			panic(fmt.Sprintf("no sources of %s: %v", pkg, err))
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				panic(err)
			}
			for _, found := range site.FindAllSubmatch(text, -1) {
				out = append(out, string(found[1])+".before", string(found[1])+".after")
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
})
