package ddmsim

import (
	"errors"
	"io"
	"strings"

	"vitess.io/vitess/go/mysql"
	"vitess.io/vitess/go/mysql/replication"
	"vitess.io/vitess/go/sqltypes"
	querypb "vitess.io/vitess/go/vt/proto/query"
	"vitess.io/vitess/go/vt/vtenv"
)

// The methods here are the listener's callbacks; each runs on the goroutine of
// its client's connection.

// NewConnection comes before the handshake.
func (s *Server) NewConnection(c *mysql.Conn) {
	ss := newSession(s, c)
	c.ClientData = ss
	c.StatusFlags |= mysql.ServerStatusAutocommit
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[c.ConnectionID] = ss
	if s.closed {
		c.Close()
	}
}

// ConnectionReady comes after the handshake, before the first command.
func (s *Server) ConnectionReady(c *mysql.Conn) {
	if err := correctUnsigned(c); err != nil {
		c.Close()
	}
}

// ConnectionClosed rolls back what the client left open.
func (s *Server) ConnectionClosed(c *mysql.Conn) {
	ss := sessionOf(c)
	ss.end()
	s.mu.Lock()
	delete(s.sessions, c.ConnectionID)
	s.mu.Unlock()
	s.open.Done()
}

func sessionOf(c *mysql.Conn) *session { return c.ClientData.(*session) }

// ComQuery runs "use" of the handshake and COM_INIT_DB.
func (s *Server) ComQuery(c *mysql.Conn, sql string, callback func(*sqltypes.Result) error) error {
	r, err := sessionOf(c).run(sql, false)
	if err != nil {
		return asSQLError(err)
	}
	return callback(r)
}

// ComQueryMulti gets every text statement, as one whatever it holds: several in
// one packet are refused (D-11).
func (s *Server) ComQueryMulti(c *mysql.Conn, sql string, callback func(sqltypes.QueryResponse, bool, bool) error) error {
	ss := sessionOf(c)
	r, err := ss.run(sql, false)
	if errors.Is(err, errDropClient) {
		c.Close()
		return callback(sqltypes.QueryResponse{QueryError: asSQLError(io.EOF)}, false, true)
	}
	if err != nil {
		return callback(sqltypes.QueryResponse{QueryError: asSQLError(err)}, false, true)
	}
	return callback(sqltypes.QueryResponse{QueryResult: r}, false, true)
}

// ComPrepare checks what can be checked before the arguments are known.
func (s *Server) ComPrepare(c *mysql.Conn, sql string) ([]*querypb.Field, uint16, error) {
	fields, n, err := sessionOf(c).prepare(sql)
	return fields, n, asSQLError(err)
}

// ComStmtExecute puts the arguments into the statement and runs it; the answer
// comes over the nodes' binary protocol.
func (s *Server) ComStmtExecute(c *mysql.Conn, p *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	ss := sessionOf(c)
	sql, err := bind(p)
	if err != nil {
		return asSQLError(err)
	}
	r, err := ss.run(sql, true)
	if errors.Is(err, errDropClient) {
		c.Close()
	}
	if err != nil {
		return asSQLError(err)
	}
	return callback(r)
}

// WarningCount is always 0: DDM loses warnings (D-21).
func (s *Server) WarningCount(*mysql.Conn) uint16 { return 0 }

// ComResetConnection gives the session the state of a new one.
func (s *Server) ComResetConnection(c *mysql.Conn) { sessionOf(c).reset() }

// Env gives the listener its parser and character sets.
func (s *Server) Env() *vtenv.Environment { return s.env }

// ComRegisterReplica refuses replication: a middleware has no binlog.
func (s *Server) ComRegisterReplica(*mysql.Conn, string, uint16, string, string) error {
	return unsupported("replication")
}

// ComBinlogDump refuses replication.
func (s *Server) ComBinlogDump(*mysql.Conn, string, uint32) error {
	return unsupported("replication")
}

// ComBinlogDumpGTID refuses replication.
func (s *Server) ComBinlogDumpGTID(*mysql.Conn, string, uint64, replication.GTIDSet, uint16) error {
	return unsupported("replication")
}

// firstLine shortens a statement for a process list.
func firstLine(sql string) string {
	sql, _, _ = strings.Cut(strings.TrimSpace(sql), "\n")
	if len(sql) > 100 {
		sql = sql[:100]
	}
	return sql
}
