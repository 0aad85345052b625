package ddmsim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"vitess.io/vitess/go/mysql"
	"vitess.io/vitess/go/sqltypes"
)

// session is one client connection. Its statements run one after another on
// the goroutine of the connection; KILL comes from others.
type session struct {
	server *Server
	conn   *mysql.Conn
	since  time.Time

	schema     string            // current logical schema
	vars       map[string]string // session variables: lower-case name → literal
	autocommit bool
	tx         *transaction // nil outside of a transaction
	lastID     uint64       // LAST_INSERT_ID()
	binary     bool         // the running statement came by the binary protocol

	mu      sync.Mutex
	busy    map[*backend]struct{} // running a statement now or held by the transaction
	current string                // statement under way
	killed  bool                  // no node connection may be taken any more
	ctx     context.Context       // of the running statement
	cancel  context.CancelFunc
}

func newSession(s *Server, c *mysql.Conn) *session {
	return &session{server: s, conn: c, since: time.Now(), vars: map[string]string{}, autocommit: true, busy: map[*backend]struct{}{}}
}

// end rolls back and gives the connections back.
func (ss *session) end() {
	if ss.tx != nil {
		ss.rollback()
	}
}

func (ss *session) reset() {
	ss.end()
	ss.vars, ss.autocommit, ss.lastID = map[string]string{}, true, 0
	ss.flags()
}

// flags shows the client autocommit and transaction state.
func (ss *session) flags() {
	ss.conn.StatusFlags &^= mysql.ServerStatusAutocommit | serverStatusInTrans
	if ss.autocommit {
		ss.conn.StatusFlags |= mysql.ServerStatusAutocommit
	}
	if ss.tx != nil {
		ss.conn.StatusFlags |= serverStatusInTrans
	}
}

const serverStatusInTrans = 0x0001

// errDropClient asks for the client's connection to be cut without an answer.
var errDropClient = errors.New("client dropped by an injected fault")

// run executes one statement of the client, faults included.
func (ss *session) run(sql string, binary bool) (*sqltypes.Result, error) {
	if len(sql)+1 > ss.server.cfg.MaxAllowedPacket {
		return nil, sqlError(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes")
	}
	ctx, cancel := context.WithCancel(ss.server.ctx)
	defer cancel()
	ss.mu.Lock()
	ss.ctx, ss.cancel, ss.current = ctx, cancel, sql
	ss.mu.Unlock()
	defer func() {
		ss.mu.Lock()
		ss.current = ""
		ss.mu.Unlock()
	}()
	ss.binary = binary
	if err := ss.faultsBefore(sql); err != nil {
		return nil, err
	}
	r, err := ss.statement(sql)
	ss.flags()
	if ctx.Err() != nil && err != nil && ss.server.ctx.Err() == nil {
		err = interrupted()
	}
	for range ss.server.faults.matching(sql, true) {
		return nil, errDropClient
	}
	return r, err
}

// faultsBefore applies the injected faults that hit before running.
func (ss *session) faultsBefore(sql string) error {
	for _, f := range ss.server.faults.matching(sql, false) {
		switch {
		case f.hold != nil:
			select {
			case f.held <- struct{}{}:
			default:
			}
			select {
			case <-f.hold:
			case <-ss.ctx.Done():
				return interrupted()
			}
		case f.delay > 0:
			timer := time.NewTimer(f.delay)
			select {
			case <-timer.C:
			case <-ss.ctx.Done():
				timer.Stop()
				return interrupted()
			}
		case f.drop:
			return errDropClient
		case f.err != nil:
			return f.err
		}
	}
	return nil
}

// need names the schema of an object: the written one or the current.
func (ss *session) need(written string) (string, error) {
	name := written
	if name == "" {
		name = ss.schema
	}
	name = strings.ToLower(name)
	if name == "" {
		return "", sqlError(1046, "3D000", "No database selected")
	}
	if ss.server.catalogue.shards(name) == 0 {
		return "", sqlError(1049, "42000", fmt.Sprintf("Unknown database '%s'", name))
	}
	return name, nil
}

// table finds the logical table of a name.
func (ss *session) table(o objectName) (*tableRule, error) {
	schema, err := ss.need(o.schema)
	if err != nil {
		return nil, err
	}
	return ss.server.catalogue.table(schema, o.name)
}

// loan is a connection for one statement on a shard: the transaction's own, or
// one from the pool.
func (ss *session) loan(at place) (*backend, func(), error) {
	if ss.tx != nil {
		if ss.tx.broken {
			return nil, nil, sqlError(1003, "HY000", "ddmsim: Transaction error, need to rollback")
		}
		b, err := ss.tx.backend(ss, at)
		return b, func() {}, err
	}
	b, err := ss.borrow(at)
	if err != nil {
		return nil, nil, err
	}
	return b, func() { ss.release(b) }, nil
}

// borrow takes a connection from the pool, unless the statement was killed.
func (ss *session) borrow(at place) (*backend, error) {
	b, err := ss.server.pool.borrow(ss.ctx, at, ss.vars)
	if err != nil {
		return nil, err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.killed || ss.ctx.Err() != nil {
		ss.server.pool.give(b)
		return nil, interrupted()
	}
	ss.busy[b] = struct{}{}
	return b, nil
}

func interrupted() error { return sqlError(1317, "70100", "Query execution was interrupted") }

func (ss *session) release(b *backend) {
	ss.mu.Lock()
	delete(ss.busy, b)
	ss.mu.Unlock()
	ss.server.pool.give(b)
}

// held copies the connections that work for the session now.
func (ss *session) held() []*backend {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var out []*backend
	for b := range ss.busy {
		out = append(out, b)
	}
	return out
}

// anyPlace is where statements without a table run: shard 0 of the current
// schema, else the first node.
func (ss *session) anyPlace() place {
	if ss.schema != "" {
		return ss.server.placeOf(ss.schema, 0)
	}
	return place{}
}

// ask runs a statement on one physical database.
func (ss *session) ask(at place, sql string) (*sqltypes.Result, error) {
	b, done, err := ss.loan(at)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := b.exec(sql, ss.binary)
	return r, ss.after(err)
}

// askPlain runs a statement of the simulator itself with default variables and
// outside of the client's transaction, text protocol.
func (ss *session) askPlain(at place, sql string) (*sqltypes.Result, error) {
	var r *sqltypes.Result
	err := ss.server.pool.once(ss.ctx, at, func(b *backend) error {
		var err error
		r, err = b.exec(sql, false)
		return err
	})
	return r, err
}

// after judges an error inside a transaction: a lost connection or a deadlock
// has rolled back a part of it, so only ROLLBACK may follow.
func (ss *session) after(err error) error {
	if err == nil {
		return nil
	}
	if ss.tx == nil {
		if errors.Is(err, errNodeLost) {
			return sqlError(3009, "HY000", "ddmsim: "+err.Error())
		}
		return err
	}
	if errors.Is(err, errNodeLost) {
		ss.tx.broken = true
		return sqlError(1003, "HY000", "ddmsim: Transaction error, need to rollback: "+err.Error())
	}
	if c := errorCode(err); c == 1213 || c == 3009 || c == 1614 {
		ss.tx.broken = true
	}
	return err
}
