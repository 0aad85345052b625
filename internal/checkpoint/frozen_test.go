package checkpoint

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
)

// frozenSetup tells the other process where to write.
type frozenSetup struct {
	Host, User, Password, Schema string
	Port                         int
}

const frozenVariable = "SHARDLIFT_TEST_FROZEN_WORKER"

// TestFence_FrozenWorkerProcess is the other process of the test below: it
// leaves a guarded write uncommitted, says so, and commits when told to.
func TestFence_FrozenWorkerProcess(t *testing.T) {
	setup := os.Getenv(frozenVariable)
	if setup == "" {
		return // not the other process
	}
	var at frozenSetup
	require.NoError(t, json.Unmarshal([]byte(setup), &at))
	d, err := destination.Open(t.Context(), mysqlconn.Config{Host: at.Host, Port: at.Port, User: at.User, Password: secret.NewText(at.Password), MaxConnections: 6}, "auto")
	require.NoError(t, err)
	s, err := Open(t.Context(), d, at.Schema, "t1")
	require.NoError(t, err)
	f, err := s.Acquire(t.Context(), "apply/0", Token{1, 1, 1}, []string{at.Schema}, false)
	require.NoError(t, err)
	session, err := d.Session(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.Register(t.Context(), session))
	require.NoError(t, session.Begin(t.Context()))
	require.NoError(t, f.Guard(t.Context(), session, at.Schema, 0))
	_, err = session.Exec(t.Context(), "REPLACE INTO "+dialect.QuoteName(at.Schema, "data")+" (id, v) VALUES (1, 111)")
	require.NoError(t, err)
	fmt.Println("written")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	require.NoError(t, err)
	committed := session.Commit(t.Context())
	saved := s.Save(t.Context(), f, Checkpoint{Position: position.Position{Flavor: position.MySQL, Server: "s", File: "bin.000001", Offset: 1 << 40}})
	fmt.Printf("committed=%v saved=%v\n", committed == nil, saved == nil)
}

// Rule "Fence": a worker process is stopped (SIGSTOP) with a write in an open
// transaction. A new owner acquires meanwhile; when the worker goes on, neither
// its COMMIT nor its checkpoint takes effect.
func TestFence_ProcessThatIsStoppedAndContinuedCommitsNothing(t *testing.T) {
	for _, server := range []string{"mysql57", "mysql97"} {
		t.Run(server, func(t *testing.T) { stoppedAndContinued(t, newPlace(t, server)) })
	}
	t.Run("ddm", func(t *testing.T) {
		_, p := newSim(t)
		stoppedAndContinued(t, p)
	})
}

func stoppedAndContinued(t *testing.T, p place) {
	if p.d.Info().Kind != dialect.DDM {
		p.exec(t, "CREATE TABLE data (id INT PRIMARY KEY, v INT)")
	}
	setup, err := json.Marshal(frozenSetup{p.config.Host, p.config.User, p.config.Password.Reveal(), p.schema, p.config.Port})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	worker := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestFence_FrozenWorkerProcess$", "-test.v")
	worker.Env = append(os.Environ(), frozenVariable+"="+string(setup))
	in, err := worker.StdinPipe()
	require.NoError(t, err)
	out, err := worker.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, worker.Start())
	lines := bufio.NewScanner(out)
	require.True(t, scanTo(lines, "written"), "the other process did not get as far as its write")
	require.NoError(t, worker.Process.Signal(syscall.SIGSTOP))

	s := p.store(t, "t1")
	next := acquire(t, s, p, "apply/0", Token{1, 1, 2})
	require.NoError(t, s.Save(t.Context(), next, Checkpoint{Position: at(7)}))
	writes(t, p, next, 222)

	require.NoError(t, worker.Process.Signal(syscall.SIGCONT))
	_, err = in.Write([]byte("\n"))
	require.NoError(t, err)
	require.True(t, scanTo(lines, "committed=false saved=false"), "the stopped worker wrote after all")
	for lines.Scan() { // until it ends
	}
	require.NoError(t, worker.Wait())
	require.EqualValues(t, 222, p.count(t, "SELECT v FROM data WHERE id = 1"))
	c, err := s.Load(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, at(7), c.Position)
}

func scanTo(lines *bufio.Scanner, want string) bool {
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			return true
		}
	}
	return false
}
