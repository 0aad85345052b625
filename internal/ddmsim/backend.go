package ddmsim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"vitess.io/vitess/go/sqltypes"
)

// place is a physical database: a node's number and the database's name. The
// name "" means no default database.
type place struct {
	node     int
	database string
}

// backend is one connection to a data node. One goroutine uses it at a time.
type backend struct {
	conn   *client.Conn
	socket net.Conn // under conn; closed from other goroutines to cut it
	at     place
	vars   map[string]string // session variables set on it: name → literal
	broken bool
	used   time.Time
}

// pool keeps idle connections by physical database, as DDM does: one
// connection per shard.
type pool struct {
	cfg    *Config
	faults *Faults

	mu     sync.Mutex
	idle   map[place][]*backend
	busy   map[*backend]struct{}
	closed bool
}

// idlePerPlace bounds the idle connections of one physical database: data
// nodes have 151 connections by default.
const idlePerPlace = 4

func newPool(cfg *Config, f *Faults) *pool {
	return &pool{cfg: cfg, faults: f, idle: map[place][]*backend{}, busy: map[*backend]struct{}{}}
}

// borrow gives a connection whose session variables are exactly vars.
func (p *pool) borrow(ctx context.Context, at place, vars map[string]string) (*backend, error) {
	if p.faults.isDown(at.node) {
		return nil, nodeDown(at.node)
	}
	for {
		b := p.takeIdle(at, vars)
		if b == nil {
			break
		}
		if time.Since(b.used) > time.Second && b.conn.Ping() != nil {
			p.drop(b)
			continue
		}
		if err := b.apply(vars); err != nil {
			p.drop(b)
			return nil, err
		}
		return b, nil
	}
	b, err := p.openPatiently(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := b.apply(vars); err != nil {
		p.drop(b)
		return nil, err
	}
	return b, nil
}

// takeIdle prefers a connection with the same variables, else one that has
// none which are not wanted.
func (p *pool) takeIdle(at place, vars map[string]string) *backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, best := p.idle[at], -1
	for i, b := range slices.Backward(list) {
		if maps.Equal(b.vars, vars) {
			best = i
			break
		}
		if best < 0 && subset(b.vars, vars) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	b := list[best]
	p.idle[at] = append(list[:best], list[best+1:]...)
	p.busy[b] = struct{}{}
	return b
}

// subset reports whether every variable of a is set in b, too.
func subset(a, b map[string]string) bool {
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return true
}

// patience is how long a statement waits for a node that has no connection left.
const patience = 5 * time.Second

func (p *pool) openPatiently(ctx context.Context, at place) (*backend, error) {
	deadline, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		b, err := p.open(ctx, at)
		if errorCode(err) != 1040 && errorCode(err) != 1203 {
			return b, err
		}
		select {
		case <-deadline.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *pool) open(ctx context.Context, at place) (*backend, error) {
	n := p.cfg.Nodes[at.node]
	option := func(c *client.Conn) error {
		if p.cfg.FoundRows {
			return c.SetCapability(gomysql.CLIENT_FOUND_ROWS)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var socket net.Conn
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		socket, err = (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
		return socket, err
	}
	conn, err := client.ConnectWithDialer(ctx, "tcp", n.address(), n.User, n.Password, at.database, dial, option)
	if err != nil {
		if c := errorCode(err); c != 0 {
			return nil, sqlError(c, "HY000", fmt.Sprintf("ddmsim: data node %d: %s", at.node, err))
		}
		return nil, nodeDown(at.node)
	}
	b := &backend{conn: conn, socket: socket, at: at, vars: map[string]string{}, used: time.Now()}
	for _, q := range []string{"SET NAMES utf8mb4", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"} {
		if _, err := conn.Execute(q); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("prepare a session on data node %d: %w", at.node, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.faults.isDown(at.node) {
		_ = conn.Close()
		return nil, nodeDown(at.node)
	}
	p.busy[b] = struct{}{}
	return b, nil
}

// give takes a connection back: none with an open transaction may come.
func (p *pool) give(b *backend) {
	p.mu.Lock()
	keep := !b.broken && !p.closed && !p.faults.isDown(b.at.node) && len(p.idle[b.at]) < idlePerPlace
	if keep {
		delete(p.busy, b)
		b.used = time.Now()
		p.idle[b.at] = append(p.idle[b.at], b)
	}
	p.mu.Unlock()
	if !keep {
		p.drop(b)
	}
}

// drop closes a connection; the node rolls back what is open on it.
func (p *pool) drop(b *backend) {
	p.mu.Lock()
	delete(p.busy, b)
	p.mu.Unlock()
	b.broken = true
	_ = b.socket.Close()
}

// cut closes all connections to a node (-1: to all), also those in use.
func (p *pool) cut(node int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, list := range p.idle {
		if node < 0 || at.node == node {
			for _, b := range list {
				_ = b.socket.Close()
			}
			delete(p.idle, at)
		}
	}
	for b := range p.busy {
		if node < 0 || b.at.node == node {
			_ = b.socket.Close()
		}
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cut(-1)
}

// once runs statements on a fresh loan outside of any session.
func (p *pool) once(ctx context.Context, at place, f func(*backend) error) error {
	b, err := p.borrow(ctx, at, nil)
	if err != nil {
		return err
	}
	defer p.give(b)
	return f(b)
}

func nodeDown(node int) error {
	return sqlError(3009, "HY000", fmt.Sprintf("ddmsim: data node %d: connection refused", node))
}

// apply sets the variables that differ on the connection.
func (b *backend) apply(vars map[string]string) error {
	var sets []string
	for k, v := range vars {
		if b.vars[k] != v {
			sets = append(sets, "SESSION "+k+"="+v)
		}
	}
	if len(sets) == 0 {
		return nil
	}
	sort.Strings(sets)
	if _, err := b.exec("SET "+strings.Join(sets, ","), false); err != nil {
		return err
	}
	maps.Copy(b.vars, vars)
	return nil
}

// exec runs one statement and returns the whole result, fields included. The
// binary protocol gives exact floats.
func (b *backend) exec(sql string, binary bool) (*sqltypes.Result, error) {
	r, err := b.raw(sql, binary)
	if err != nil {
		if errorCode(err) == 0 {
			b.broken = true
			return nil, fmt.Errorf("%w: data node %d", errNodeLost, b.at.node)
		}
		return nil, err
	}
	return toResult(r, binary)
}

// errNodeLost says that the connection broke while a statement was under way:
// its outcome is unknown.
var errNodeLost = errors.New("connection to the data node lost")

func (b *backend) raw(sql string, binary bool) (*gomysql.Result, error) {
	if !binary {
		return b.conn.Execute(sql)
	}
	st, err := b.conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	r, err := st.Execute()
	if err != nil && errorCode(err) == 0 {
		return nil, err
	}
	if cerr := st.Close(); cerr != nil {
		b.broken = true
	}
	return r, err
}
