//go:build faultpoint

package soak

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/destination"
	"shardlift/internal/testdb"
)

// shards of the simulator.
const shards = 3

// place is a source schema and a destination, for one schedule after the other.
type place struct {
	t           testing.TB
	schema, to  string
	from, into  endpoint
	reader      endpoint // of the source, past every fault
	edition     string   // of the source
	meta        string   // schema of the metadata
	db          *sql.DB  // source, administrator
	destination *sql.DB
	nodes       []*sql.DB // the servers under the destination
	// named are what a test of its own adds to breaks.
	named map[kind]func()
	sim   *simtest.Sim
	// storage are the databases of Vitess' shards, by node; rebirth starts it anew,
	// below the MySQL under it.
	storage  []string
	rebirth  func()
	below    func()
	user     string // the engine's account on the source
	load     bool
	tables   []string // of the schedule before
	made     string   // how they were made
	tasks    int
	task     string
	metadata *destination.Destination // past every fault
	// memory is what a data node remembers of the tables; see amnesia_test.go.
	memory     []physical
	remembered int
	forgot     atomic.Int64
}

func newPlace(t testing.TB, sharded bool) *place {
	t.Helper()
	return newPlaceOn(t, testdb.Get(t, "mysql97"), sharded)
}

// newSource is a place without its destination.
func newSource(t testing.TB, server *testdb.Server) *place {
	t.Helper()
	p := &place{t: t, schema: server.Schema(t), edition: server.Name}
	p.reader = endpoint{Host: server.Host, Port: server.Port, User: server.User, Password: server.Password}
	p.db = server.DB(t, p.schema)
	user, password := server.Account(t, "ALL ON *.*")
	p.user = user
	p.from = endpoint{Host: server.Host, Port: server.Port, User: user, Password: password}
	return p
}

func newPlaceOn(t testing.TB, server *testdb.Server, sharded bool, options ...simtest.Option) *place {
	t.Helper()
	p := newSource(t, server)
	switch {
	case sharded:
		p.sim = simtest.Start(t, shards, options...)
		p.to, p.destination = p.sim.Schema, p.sim.DB(t)
		p.into = endpoint{Host: p.sim.Host, Port: p.sim.Port, User: p.sim.User, Password: p.sim.Password}
		for _, n := range p.sim.Nodes {
			p.nodes = append(p.nodes, n.DB(t, ""))
		}
	default:
		switch server.Name { // mostly not what it comes from
		case "mysql97":
		case "mysql80":
			server = testdb.Get(t, "mysql97")
		default:
			server = testdb.Get(t, "mysql80")
		}
		p.to = server.Schema(t)
		p.destination = server.DB(t, p.to)
		user, password := server.Account(t, "ALL ON *.*") // not the one whose connections are cut
		p.into = endpoint{Host: server.Host, Port: server.Port, User: user, Password: password}
		p.nodes = []*sql.DB{p.destination}
	}
	p.open(t)
	return p
}

// open opens the metadata, past every fault.
func (p *place) open(t testing.TB) {
	t.Helper()
	if p.meta == "" {
		p.meta = p.to
	}
	var err error
	p.metadata, err = destination.Open(t.Context(), p.into.config(8), "auto")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.metadata.Close() })
	_, err = checkpoint.Open(t.Context(), p.metadata, p.meta, "first")
	require.NoError(t, err)
	// Allowed or not: LOAD DATA LOCAL is one kind of statement of many.
	_, err = p.db.ExecContext(t.Context(), "SET GLOBAL local_infile = 1")
	p.load = err == nil
}

// prepare makes a schedule's tables with their first rows, and takes the plan.
func (p *place) prepare(ctx context.Context, s *schedule, w *writer) (engine, error) {
	if err := p.make(ctx, s.shapes); err != nil {
		return engine{}, err
	}
	for range s.rows {
		one := &s.shapes[w.rng.IntN(len(s.shapes))]
		_, _ = p.db.ExecContext(ctx, "INSERT IGNORE INTO "+one.name+" VALUES "+w.row(one))
	}
	p.tasks++
	e := s.engine
	e.Source, e.Destination, e.Schema, e.To, e.Metadata = p.from, p.into, p.schema, p.to, p.meta
	p.task = fmt.Sprintf("soak-%d-%d", s.Seed, p.tasks)
	e.Task, p.memory = p.task, nil
	p.forgot.Store(0)
	return e, nil
}

// make gives empty tables: the ones of the schedule before when they are the same.
func (p *place) make(ctx context.Context, shapes []shape) error {
	var source, destination []string
	for i := range shapes {
		rule := ""
		if p.sim != nil {
			rule = " " + shapes[i].rule
		}
		source = append(source, shapes[i].create(false))
		destination = append(destination, shapes[i].create(true)+rule)
	}
	made := strings.Join(append(source, destination...), ";")
	var before []string // children first
	for _, name := range slices.Backward(p.tables) {
		if p.made == made {
			name = "DELETE FROM " + name
		} else {
			name = "DROP TABLE " + name
		}
		before = append(before, name)
	}
	if p.made == made {
		source, destination = before, before
	} else {
		source, destination = slices.Concat(before, source), slices.Concat(before, destination)
		p.made, p.tables = "", nil
	}
	for _, statement := range source {
		if _, err := p.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	for _, statement := range destination {
		if _, err := p.destination.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if p.made != made {
		p.tables = nil
		for i := range shapes {
			p.tables = append(p.tables, shapes[i].name)
		}
		p.made = made
	}
	return nil
}

// store opens the metadata of a task.
func (p *place) store(ctx context.Context, task string) (*checkpoint.Store, error) {
	return checkpoint.Open(ctx, p.metadata, p.meta, task)
}

// breaks does what is outside the engine's process.
func (p *place) breaks(ctx context.Context, k kind) {
	ctx = context.WithoutCancel(ctx)
	switch k {
	case nodes:
		p.sim.Server.Faults().CutNode(0)
		p.sim.Server.Faults().CutNode(1)
	case down:
		if p.below != nil {
			p.below()
			return
		}
		p.sim.Server.Faults().NodeDown(1)
		pause(100 * time.Millisecond)
		p.sim.Server.Faults().NodeUp(1)
	case router:
		if p.rebirth != nil {
			p.rebirth()
			return
		}
		p.sim.Restart(p.t)
	case cut:
		p.killSource(ctx)
	case leave:
		p.hold(ctx)
	case remember:
		p.report(p.remember(ctx, 1))
	case rememberAll:
		p.report(p.remember(ctx, 0))
	case forget:
		p.report(p.forget(ctx))
	default:
		p.named[k]()
	}
}

// report fails the test for what cannot be its object's fault.
func (p *place) report(err error) {
	if err != nil {
		p.t.Errorf("break the place: %v", err)
	}
}

// processList is where an edition lists its connections.
func processList(edition string) string {
	if edition == "mysql97" {
		return "performance_schema.processlist"
	}
	return "information_schema.processlist"
}

// killSource ends every connection of the engine's account on the source.
func (p *place) killSource(ctx context.Context) {
	rows, err := p.db.QueryContext(ctx, "SELECT id FROM "+processList(p.edition)+" WHERE user = '"+p.user+"'")
	if err != nil {
		return
	}
	var ids []int64
	for rows.Next() {
		var id int64
		if rows.Scan(&id) == nil {
			ids = append(ids, id)
		}
	}
	_ = rows.Close()
	for _, id := range ids {
		_, _ = p.db.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // it may have ended
	}
}

// hold locks the rows of all tables on the destination for a moment, so that
// the next statements wait.
func (p *place) hold(ctx context.Context) {
	tx, err := p.nodes[0].BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return
	}
	for _, name := range p.tables {
		databases := []string{p.to}
		if p.sim != nil {
			databases = p.databasesOf(0)
		}
		if p.storage != nil {
			databases = p.storage[:1]
		}
		for _, database := range databases {
			if rows, err := tx.QueryContext(ctx, "SELECT 1 FROM `"+database+"`."+name+" FOR UPDATE SKIP LOCKED"); err == nil {
				_ = rows.Close()
			}
		}
	}
	go func() {
		pause(200 * time.Millisecond)
		_ = tx.Rollback()
	}()
}

func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

func readerOf(text string) func() io.Reader {
	return func() io.Reader { return strings.NewReader(text) }
}
