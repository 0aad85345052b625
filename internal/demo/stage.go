package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver of database/sql
	"golang.org/x/sync/errgroup"

	"shardlift/internal/testdb"
)

// Ports of what a browser opens; everything else takes a free one.
type Ports struct{ Temporal, TemporalUI, Web int }

// stage is all that runs.
type stage struct {
	dir      string
	ports    Ports
	children *children
	source   *testdb.Server
	nodes    []*testdb.Server
	shop     *sql.DB // source, schema Shop
	ddm      *sql.DB // through the simulator
	ddmPort  int
	worker   *child
}

const (
	ddmUser  = "shop_app"
	migrator = "shardlift"
)

// serverOptions keep three servers within the memory of a small machine.
var serverOptions = []string{"--performance-schema=OFF", "--innodb-buffer-pool-size=128M", "--innodb-redo-log-capacity=128M"}

// raise starts everything, with a line for every long step.
func raise(ctx context.Context, s *stage, say func(format string, args ...any)) error {
	for _, p := range []struct {
		port           int
		what, variable string
	}{
		{s.ports.Temporal, "Temporal", "DEMO_TEMPORAL_PORT"},
		{s.ports.TemporalUI, "the Temporal Web UI", "DEMO_TEMPORAL_UI_PORT"},
		{s.ports.Web, "web", "DEMO_WEB_PORT"},
	} {
		if err := freePort(ctx, p.port, p.what, p.variable); err != nil {
			return err
		}
	}
	say("starting three MySQL 9.7 servers, the simulator, Temporal, a worker and web")
	if err := s.startServers(ctx); err != nil {
		return err
	}
	if err := s.startSimulator(ctx); err != nil {
		return err
	}
	if err := s.startShardlift(ctx); err != nil {
		return err
	}
	began := time.Now()
	rows, err := makeShop(ctx, s.shop, s.ddm)
	if err != nil {
		return err
	}
	say("filled the sample shop: %d tables, %d rows, in %.0f s", len(shopTables()), rows, time.Since(began).Seconds())
	// The pool was opened before the schema was there.
	if err := s.shop.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	s.shop, err = open(ctx, s.source.User, s.source.Password, s.source.Address(), sourceSchema)
	return err
}

func (s *stage) startServers(ctx context.Context) error {
	var g errgroup.Group
	started := make([]*testdb.Server, 3)
	for i, name := range []string{"source", "node1", "node2"} {
		g.Go(func() (err error) {
			started[i], err = testdb.Start(ctx, "mysql97", filepath.Join(s.dir, name), serverOptions...)
			return err
		})
	}
	err := g.Wait()
	s.source = started[0]
	s.nodes = started[1:]
	if err != nil {
		return fmt.Errorf("start MySQL: %w", err)
	}
	if s.shop, err = open(ctx, s.source.User, s.source.Password, s.source.Address(), ""); err != nil {
		return err
	}
	for _, statement := range []string{
		"CREATE USER '" + migrator + "'@'%' IDENTIFIED BY '" + migratorPassword + "'",
		"GRANT SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `" + sourceSchema + "`.* TO '" + migrator + "'@'%'",
		"GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD, PROCESS, XA_RECOVER_ADMIN ON *.* TO '" + migrator + "'@'%'",
	} {
		if _, err := s.shop.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("prepare the source: %w", err)
		}
	}
	return nil
}

func (s *stage) startSimulator(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("find a port for the simulator: %w", err)
	}
	s.ddmPort = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return fmt.Errorf("find a port for the simulator: %w", err)
	}
	args := []string{
		"--listen", fmt.Sprintf("127.0.0.1:%d", s.ddmPort), "--schema", destinationSchema, "--shards", "8",
		"--user", ddmUser, "--password-env", "DEMO_DDM_PASSWORD",
	}
	for _, n := range s.nodes {
		args = append(args, "--node", fmt.Sprintf("%s:%s@%s", n.User, n.Password, n.Address()))
	}
	if _, err := s.children.start(ctx, "Ready", "ddmsim", args...); err != nil {
		return err
	}
	s.ddm, err = open(ctx, ddmUser, ddmPassword, fmt.Sprintf("127.0.0.1:%d", s.ddmPort), destinationSchema)
	return err
}

func (s *stage) startShardlift(ctx context.Context) error {
	_, err := s.children.start(ctx, "Shardlift is ready", "shardlift-dev", "--only", "temporal", "--data", s.data(),
		"--temporal-port", fmt.Sprint(s.ports.Temporal), "--ui-port", fmt.Sprint(s.ports.TemporalUI))
	if err != nil {
		return err
	}
	// Only now: shardlift-dev would use the server named here instead of being one.
	s.children.env = append(s.children.env, fmt.Sprintf("TEMPORAL_ADDRESS=127.0.0.1:%d", s.ports.Temporal))
	if err := s.startWorker(ctx); err != nil {
		return err
	}
	if _, err := s.children.start(ctx, "web is up", "shardlift-web", "--listen", s.web()); err != nil {
		return err
	}
	return until(ctx, time.Minute, "Shardlift", func() (bool, error) {
		_, err := os.Stat(filepath.Join(s.data(), "keys.pub.json"))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
}

func (s *stage) startWorker(ctx context.Context) (err error) {
	s.worker, err = s.children.start(ctx, "", "shardlift-worker")
	return err
}

func (s *stage) data() string { return filepath.Join(s.dir, "data") }
func (s *stage) web() string  { return fmt.Sprintf("127.0.0.1:%d", s.ports.Web) }

// fall ends everything in reverse order.
func (s *stage) fall() {
	for _, db := range []*sql.DB{s.shop, s.ddm} {
		if db != nil {
			_ = db.Close()
		}
	}
	s.children.stop()
	for _, server := range append([]*testdb.Server{s.source}, s.nodes...) {
		if server != nil {
			_ = server.Close()
		}
	}
}

func open(ctx context.Context, user, password, address, schema string) (*sql.DB, error) {
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s?interpolateParams=true", user, password, address, schema))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", address, err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", address, err), db.Close())
	}
	return db, nil
}

// The demo's passwords are known to everybody: its servers listen on loopback
// and hold made-up rows.
const (
	migratorPassword = "demo-Migrator-1"
	ddmPassword      = "demo-Shop-1"
)
