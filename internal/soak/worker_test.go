//go:build faultpoint

package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"shardlift/internal/fault"
)

// A worker is a process of its own that makes one attempt. It reads lines from
// its parent ("drain", "ok") and tells what happens ("owned", "left", "please",
// "froze", "late", "end").

// order is what a worker is told at its start.
type order struct {
	Engine   engine    `json:"engine"`
	Troubles []trouble `json:"troubles"`
	// Dir holds a file "superseded-<unit>" once a newer attempt owns a unit.
	Dir string `json:"dir"`
}

const orderVariable = "SHARDLIFT_SOAK_WORKER"

// Ends of a worker.
const (
	endWell   = "well"
	endMore   = "more"
	endFenced = "fenced"
	endRetry  = "retry"
	endStop   = "stop"
)

// work is a worker's main.
func work(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	tell := func(verb, what string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(verb, strings.ReplaceAll(what, "\n", " "))
	}
	drain, answers := make(chan struct{}), make(chan struct{})
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			switch in.Text() {
			case "drain":
				close(drain)
			case "ok":
				answers <- struct{}{}
			}
		}
	}()
	b := newBreaker(o.Troubles, func(_ context.Context, k kind) {
		tell("please", string(k))
		<-answers
	})
	b.consumed = func(left int, hit bool) { tell("left", fmt.Sprint(left, hit)) }
	a := newAttempt(o.Engine.Attempt, b)
	a.worker = &worker{dir: o.Dir, tell: tell}
	go func() { // its parent hears that it goes on, or not
		for last := 0; ; pause(time.Second) {
			if now := b.heard(); now != last {
				last = now
				tell("alive", "")
			}
		}
	}()
	e := o.Engine
	e.under, e.drain = a.under, drain
	e.planned = func(p plan) {
		text, _ := json.Marshal(p)
		tell("planned", string(text))
	}
	e.owned = func(unit string) { tell("owned", unit) }
	e.say = func(format string, args ...any) { tell("say", fmt.Sprintf(format, args...)) }
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	a.cancel = cancel
	err := e.run(ctx)
	switch {
	case err == nil:
		tell("end", endWell)
	case errors.Is(err, errMore):
		tell("end", endMore)
	case errors.Is(err, fault.Fenced):
		tell("end", endFenced+" "+err.Error())
	case fault.ClassOf(err) != fault.Retry:
		tell("end", endStop+" "+err.Error())
	default:
		tell("end", endRetry+" "+err.Error())
	}
	return 0
}

// worker is what an attempt needs when it is a process: inside of it, and for
// its parent.
type worker struct {
	dir  string
	tell func(verb, what string)

	process *os.Process
	in      io.Writer
}

func (w *worker) mark(unit string) string {
	return filepath.Join(w.dir, "superseded-"+strings.ReplaceAll(unit, "/", "-"))
}

// superseded says whether a newer attempt owns a unit.
func (w *worker) superseded(unit string) bool {
	_, err := os.Stat(w.mark(unit))
	return err == nil
}

// errStopped is an error of a worker that no attempt after it makes good.
var errStopped = errors.New("stopped for good")

// spawn starts an attempt as a process and follows it to its end.
func (r *run) spawn(a *attempt, e engine) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	text, err := json.Marshal(order{Engine: e, Troubles: r.breaker.rest(!e.Plan.Done), Dir: dir})
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // Pdeathsig is bound to the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	a.mu.Lock()
	a.worker = &worker{dir: dir, process: cmd.Process, in: in}
	a.mu.Unlock()
	if e.drain != nil {
		go func() {
			select {
			case <-e.drain:
				_, _ = io.WriteString(in, "drain\n")
			case <-a.ended:
			}
		}()
	}
	end := errDead
	for lines := bufio.NewScanner(out); lines.Scan(); {
		verb, what, _ := strings.Cut(lines.Text(), " ")
		r.breaker.hear()
		if verb == "end" {
			end = endOf(what)
		} else {
			r.told(a, e, in, verb, what)
		}
	}
	_ = cmd.Wait()
	return end
}

func endOf(what string) error {
	kind, text, _ := strings.Cut(what, " ")
	switch kind {
	case endWell:
		return nil
	case endMore:
		return errMore
	case endFenced:
		return fault.Fenced.New("worker", "%s", text)
	case endStop:
		return fmt.Errorf("%w: %s", errStopped, text)
	default:
		return errors.New(text)
	}
}

// told acts on what a worker says.
func (r *run) told(a *attempt, e engine, in io.Writer, verb, what string) {
	switch verb {
	case "owned":
		e.owned(what)
	case "say":
		e.say("%s", what)
	case "left":
		r.breaker.leave(!e.Plan.Done, what)
	case "planned":
		var p plan
		if json.Unmarshal([]byte(what), &p) == nil {
			e.planned(p)
		}
	case "late":
		r.note("attempt %d committed as %s after a newer owner was there", a.no, what)
	case "froze":
		_ = a.worker.process.Signal(syscall.SIGSTOP)
		a.freeze()
	case "please":
		r.breaks(context.Background(), kind(what))
		_, _ = io.WriteString(in, "ok\n")
	}
}
