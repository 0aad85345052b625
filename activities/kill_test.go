package activities

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/precheck"
	"shardlift/internal/secret"
)

// killer stands between a worker process and the destination, and kills the
// process (SIGKILL) at one of its statements that change something: before the
// statement has reached the server, or when it has taken effect and its answer is
// on the way.
type killer struct {
	t        testing.TB
	listener net.Listener
	to       string
	at       int  // the statement, from 1, or decisive
	after    bool // it takes effect
	// lost is a worker's host that is gone: the server hears nothing of it.
	lost bool

	mu      sync.Mutex
	worker  *os.Process
	changes []string // the statements' beginnings
	regroup bool     // the transaction changes the groups, or ends a chunk
	killed  bool
	conns   []net.Conn
	serving sync.WaitGroup
}

func startKiller(t testing.TB, host string, port, at int, after, lost bool) *killer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	k := &killer{t: t, listener: l, to: net.JoinHostPort(host, strconv.Itoa(port)), at: at, after: after, lost: lost}
	k.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			k.serving.Go(func() { k.serve(c) })
		}
	})
	return k
}

func (k *killer) port() int { return k.listener.Addr().(*net.TCPAddr).Port } //nolint:forcetypeassert // it is TCP

// end closes what is open.
func (k *killer) end() {
	_ = k.listener.Close()
	k.mu.Lock()
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.mu.Unlock()
	k.serving.Wait()
}

func (k *killer) serve(client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(context.WithoutCancel(k.t.Context()), "tcp", k.to)
	if err != nil {
		_ = client.Close()
		return
	}
	k.mu.Lock()
	k.conns = append(k.conns, client, server)
	k.mu.Unlock()
	cut := make(chan struct{}) // the next answer kills
	k.serving.Go(func() { k.answers(client, server, cut) })
	k.statements(client, server, cut)
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = client.Close()
	if !k.lost || !k.killed {
		_ = server.Close()
	}
}

// statements forwards what the worker says, packet by packet.
func (k *killer) statements(client io.Reader, server io.Writer, cut chan struct{}) {
	var header [4]byte
	for {
		if _, err := io.ReadFull(client, header[:]); err != nil {
			return
		}
		body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		switch k.look(header[3], body) {
		case killNow:
			return
		case killAtAnswer:
			close(cut)
		default:
		}
		if _, err := server.Write(append(header[:], body...)); err != nil {
			return
		}
	}
}

// decisive is the COMMIT of the transaction that changes which groups there are, or
// that ends a chunk.
const decisive = 0

type verdict int

const (
	goOn verdict = iota
	killNow
	killAtAnswer
)

func (k *killer) look(sequence byte, body []byte) verdict {
	const query = 3
	if sequence != 0 || len(body) == 0 || body[0] != query {
		return goOn
	}
	text := strings.TrimSpace(string(body[1:]))
	word, _, _ := strings.Cut(text, " ")
	switch strings.ToUpper(word) {
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "COMMIT", "CREATE", "KILL", "DROP", "TRUNCATE":
	default:
		return goOn
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.killed {
		return killNow
	}
	k.changes = append(k.changes, text[:min(len(text), 60)])
	k.regroup = k.regroup || word != "CREATE" && (strings.Contains(text, "`shardlift_group`") || strings.Contains(text, "chunks_done + 1"))
	switch {
	case k.at != len(k.changes) && (k.at != decisive || word != "COMMIT" || !k.regroup):
		return goOn
	case k.after:
		return killAtAnswer
	default:
		k.kill()
		return killNow
	}
}

// kill ends the worker; the lock is held.
func (k *killer) kill() {
	k.killed = true
	_ = k.worker.Kill()
}

func (k *killer) answers(client io.Writer, server io.Reader, cut chan struct{}) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		select {
		case <-cut:
			k.mu.Lock()
			if !k.killed {
				k.kill()
			}
			k.mu.Unlock()
			return
		default:
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

const killedVariable = "SHARDLIFT_TEST_KILLED_WORKER"

// killedStep is one step for the other process. Resolved has the passwords.
type killedStep struct {
	Task     resolved
	Activity string
	Park     contract.ParkIn
	Plan     contract.PlanGroupIn
	Merge    contract.MergeIn
	Copy     contract.CopyLaneIn
}

// TestGroups_KilledWorkerProcess is the other process of the tests below: it runs
// one step.
func TestGroups_KilledWorkerProcess(t *testing.T) {
	setup := os.Getenv(killedVariable)
	if setup == "" {
		return // not the other process
	}
	var step killedStep
	require.NoError(t, json.Unmarshal([]byte(setup), &step))
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	r := &rig{t: t, ref: step.Task.TaskRef, answer: ring}
	r.Activities = &Activities{ring: ring, redactor: &Redactor{}, prechecks: precheck.NewPool(), stores: newStores(), tasks: newResolver(nil, ring, &Redactor{})}
	t.Cleanup(func() { _ = r.Close() })
	r.tasks.keep(&step.Task)
	switch step.Activity {
	case contract.ParkTables.Name:
		must(r, r.ParkTables, step.Park)
	case contract.PlanGroup.Name:
		must(r, r.PlanGroup, step.Plan)
	case contract.MergeGroup.Name:
		must(r, r.MergeGroup, step.Merge)
	case contract.CopyLane.Name:
		must(r, r.CopyLane, step.Copy)
	}
}

// inProcess runs a step in a process of its own, which is killed at a statement;
// it says whether it was, or had ended before. changes are the statements that
// it sent.
func (p *parted) inProcess(step killedStep, at int, after, lost bool) (killed bool, changes []string) {
	p.t.Helper()
	step.Task = *p.resolve()
	k := startKiller(p.t, step.Task.Destination.Host, step.Task.Destination.Port, at, after, lost)
	if lost {
		p.t.Cleanup(k.end)
	} else {
		defer k.end()
	}
	step.Task.Destination.Host, step.Task.Destination.Port = "127.0.0.1", k.port()
	setup, err := json.Marshal(step)
	require.NoError(p.t, err)
	worker := exec.CommandContext(p.t.Context(), os.Args[0], "-test.run=^TestGroups_KilledWorkerProcess$")
	worker.Env = append(os.Environ(), killedVariable+"="+string(setup))
	var out strings.Builder
	worker.Stdout, worker.Stderr = &out, &out
	k.mu.Lock()
	err = worker.Start()
	k.worker = worker.Process
	k.mu.Unlock()
	require.NoError(p.t, err)
	err = worker.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.killed {
		require.NoError(p.t, err, out.String())
	}
	return k.killed, k.changes
}

// round parks b, copies it anew and merges it; the process of each of the three
// steps is killed at its statement number at. What repeats the step comes to the
// same end, and no row of any table is lost. It says what was killed.
func (p *parted) round(group, at int, after, lost bool) (killed map[string]string) {
	p.t.Helper()
	killed = map[string]string{}
	run := func(step killedStep) {
		p.t.Helper()
		if was, changes := p.inProcess(step, at, after, lost); was {
			killed[step.Activity] = changes[len(changes)-1]
		}
	}
	p.storm(5, all...)
	was := p.apply(0).Applied
	park := killedStep{Activity: contract.ParkTables.Name}
	park.Park = contract.ParkIn{TaskRef: p.ref, Owner: p.owner(), Group: group, Tables: named(p.name("b")), Start: p.plan.Start}
	run(park)
	parked := p.park(group, "b")
	require.Equal(p.t, was, parked.Position)
	require.True(p.t, parked.Copied)

	p.storm(5, all...)
	p.apply(0)
	p.equal("a", "c")
	p.destExec("DELETE FROM b WHERE id % 3 = 0")
	plan := killedStep{Activity: contract.PlanGroup.Name}
	plan.Plan = contract.PlanGroupIn{TaskRef: p.ref, Owner: p.owner(), Group: group, Tables: named(p.name("b"))}
	run(plan)
	plan.Plan.Owner = p.owner()
	planned := must(p.rig, p.PlanGroup, plan.Plan)
	require.Equal(p.t, 1, planned.Tables)
	require.Positive(p.t, planned.Chunks)
	p.storm(5, all...)
	p.copyGroup(group, true)
	p.end = p.head()
	p.storm(5, all...)
	p.apply(0)
	older := p.apply(0).Applied
	p.apply(group)
	p.equal("b")

	merge := killedStep{Activity: contract.MergeGroup.Name}
	merge.Merge = contract.MergeIn{TaskRef: p.ref, Owner: p.owner(), Group: group}
	run(merge)
	if at%2 == 0 { // the workflow gave up, and the group went on
		p.apply(group)
	}
	require.Equal(p.t, older, p.merge(group).Position)
	p.storm(5, all...)
	p.apply(0)
	p.equal(all...)
	return killed
}

// TestGroups_KilledAtTheirTransaction kills the worker's process when the
// transaction that parks, plans or merges has taken effect, before the answer. The
// test below ends it before the COMMIT; every statement: kill_full_test.go.
func TestGroups_KilledAtTheirTransaction(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	killed := p.round(1, decisive, true, false)
	require.Len(t, killed, 3)
	for _, statement := range killed {
		require.Equal(t, "COMMIT", statement)
	}
}

// TestFence_WhatAHostThatIsGoneHeldIsEnded: a worker's host is gone in the middle
// of a transaction on the metadata, and the server hears nothing of it. The next
// attempt does not wait until the server finds out, which takes hours.
func TestFence_WhatAHostThatIsGoneHeldIsEnded(t *testing.T) {
	p := newParted(t, "mysql97")
	p.planAll()
	in := contract.CopyLaneIn{TaskRef: p.ref, Owner: p.owner(), Lanes: 1, Box: time.Minute, Connections: 4, Start: p.plan.Start}
	killed, _ := p.inProcess(killedStep{Activity: contract.CopyLane.Name, Copy: in}, decisive, false, true)
	require.True(t, killed)
	p.copyGroup(0, false)
	p.end = p.head()
	require.Len(t, p.round(1, decisive, false, true), 3)
}
