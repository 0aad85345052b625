// Package simtest starts the DDM simulator for tests of other packages, over
// the real servers of testdb. Start gives a Sim with one schema of its own;
// everything is removed at the end of the test.
package simtest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim"
	"shardlift/internal/testdb"
)

// Sim is a running simulator with one logical schema.
type Sim struct {
	Schema   string // logical schema, unique to the test
	Host     string
	Port     int
	User     string
	Password string
	Nodes    []*testdb.Server // data nodes; shard i stands on Nodes[i%len(Nodes)]
	Server   *ddmsim.Server
	Config   ddmsim.Config

	closed bool
}

// SimConfig is the simulator's configuration, for With.
type SimConfig = ddmsim.Config

// Option changes what Start makes.
type Option func(*options)

type options struct {
	nodes  []string
	server []*testdb.Server
	config []func(*ddmsim.Config)
}

// On names the editions of the data nodes; the default is mysql97 twice, which
// is one server that stands for two nodes.
func On(editions ...string) Option { return func(o *options) { o.nodes = editions } }

// OnServers gives the data nodes, such as those of testdb.Own.
func OnServers(s ...*testdb.Server) Option { return func(o *options) { o.server = s } }

// With changes the simulator's configuration.
func With(change func(*SimConfig)) Option {
	return func(o *options) { o.config = append(o.config, change) }
}

var counter atomic.Int64

// Start starts a simulator with this many database shards.
func Start(t testing.TB, shards int, opts ...Option) *Sim {
	t.Helper()
	o := options{nodes: []string{"mysql97", "mysql97"}}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Sim{Nodes: o.server, User: "ddmuser", Password: "Ddm#Secret1"}
	if len(s.Nodes) == 0 {
		for _, name := range o.nodes {
			s.Nodes = append(s.Nodes, testdb.Get(t, name))
		}
	}
	s.Schema = fmt.Sprintf("sim_%s_%d", strconv.FormatInt(time.Now().UnixNano(), 36), counter.Add(1))
	s.Config = ddmsim.Config{Schemas: []string{s.Schema}, Shards: shards, User: s.User, Password: s.Password, MetaDatabase: s.Schema + "_meta"}
	for _, n := range s.Nodes {
		s.Config.Nodes = append(s.Config.Nodes, ddmsim.Node{Host: n.Host, Port: n.Port, User: n.User, Password: n.Password})
	}
	for _, change := range o.config {
		change(&s.Config)
	}
	t.Cleanup(func() { s.remove(t) })
	s.start(t)
	return s
}

func (s *Sim) start(t testing.TB) {
	t.Helper()
	var err error
	s.Server, err = ddmsim.Start(t.Context(), s.Config)
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(s.Server.Addr())
	require.NoError(t, err)
	s.Host = host
	s.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	s.Config.Listen = s.Server.Addr()
}

// StartServer starts a simulator from a configuration without a Sim around it.
func StartServer(t testing.TB, cfg SimConfig) (*ddmsim.Server, error) {
	return ddmsim.Start(t.Context(), cfg)
}

// Restart ends the simulator and starts it again on the same port: clients
// lose their connections, tables and rules stay.
func (s *Sim) Restart(t testing.TB) {
	t.Helper()
	require.NoError(t, s.Server.Close())
	s.start(t)
}

// remove ends the simulator and drops all its databases.
func (s *Sim) remove(t testing.TB) {
	if s.closed || s.Server == nil {
		return
	}
	s.closed = true
	if err := s.Server.Close(); err != nil {
		t.Errorf("close the simulator: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for i, n := range s.Nodes {
		db, err := sql.Open("mysql", dsn(n.User, n.Password, n.Host, n.Port, ""))
		if err != nil {
			t.Errorf("clean up data node: %v", err)
			continue
		}
		for shard := range s.Config.Shards {
			if shard%len(s.Nodes) == i {
				_, err = db.ExecContext(ctx, "DROP DATABASE IF EXISTS `"+s.Physical(shard)+"`")
			}
		}
		if i == 0 && err == nil {
			_, err = db.ExecContext(ctx, "DROP DATABASE IF EXISTS `"+s.Config.MetaDatabase+"`")
		}
		if err != nil {
			t.Logf("clean up data node: %v", err)
		}
		_ = db.Close()
	}
}

func dsn(user, password, host string, port int, schema string, params ...string) string {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = user, password, "tcp", net.JoinHostPort(host, strconv.Itoa(port)), schema
	s := c.FormatDSN()
	if len(params) > 0 {
		if !strings.Contains(s[strings.LastIndexByte(s, '/'):], "?") {
			s += "?"
		} else {
			s += "&"
		}
		s += strings.Join(params, "&")
	}
	return s
}

// DSN is a go-sql-driver source name of the logical schema; parameters have
// the form interpolateParams=true.
func (s *Sim) DSN(params ...string) string {
	return dsn(s.User, s.Password, s.Host, s.Port, s.Schema, params...)
}

// DB opens a pool to the logical schema, closed at the end of the test.
func (s *Sim) DB(t testing.TB, params ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", s.DSN(params...))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Physical is the name of a shard's database.
func (s *Sim) Physical(shard int) string { return fmt.Sprintf("%s_%04d", s.Schema, shard) }

// PhysicalDB opens a pool to a shard on its data node, past the simulator.
func (s *Sim) PhysicalDB(t testing.TB, shard int) *sql.DB {
	t.Helper()
	n := s.Nodes[shard%len(s.Nodes)]
	db, err := sql.Open("mysql", dsn(n.User, n.Password, n.Host, n.Port, s.Physical(shard)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
