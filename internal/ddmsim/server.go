package ddmsim

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"vitess.io/vitess/go/mysql"
	"vitess.io/vitess/go/mysql/sqlerror"
	vtlog "vitess.io/vitess/go/vt/log"
	querypb "vitess.io/vitess/go/vt/proto/query"
	"vitess.io/vitess/go/vt/sqlparser"
	"vitess.io/vitess/go/vt/vtenv"
)

// Server is a running simulator. It is safe for concurrent use.
type Server struct {
	cfg       Config
	env       *vtenv.Environment
	parser    *sqlparser.Parser
	pool      *pool
	catalogue *catalogue
	sequences *sequences
	faults    *Faults
	listener  *mysql.Listener

	ctx    context.Context // ends with Close; the parent of every node call
	cancel context.CancelFunc

	mu       sync.Mutex
	sessions map[uint32]*session
	open     sync.WaitGroup // client connections and the accept loop
	closed   bool
}

// quiet silences the listener library's log: it writes client addresses and
// statements to standard error, and every broken connection counts as an error.
var quiet = sync.OnceFunc(func() {
	silent := func(string, ...slog.Attr) {}
	vtlog.Info, vtlog.Warn, vtlog.Error = silent, silent, silent
})

// Start makes the physical databases and metadata where they are missing and
// listens. It returns when clients can connect. Close ends it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	quiet()
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("ddmsim: %w", err)
	}
	env, err := vtenv.New(vtenv.Options{MySQLServerVersion: "8.0.40"})
	if err != nil {
		return nil, fmt.Errorf("ddmsim: %w", err)
	}
	s := &Server{cfg: cfg, env: env, parser: env.Parser(), faults: newFaults(), sessions: map[uint32]*session{}}
	s.pool = newPool(&s.cfg, s.faults)
	s.faults.cut, s.faults.clients = s.pool.cut, s.dropClients
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.load(ctx); err != nil {
		s.cancel()
		s.pool.close()
		return nil, fmt.Errorf("ddmsim: %w", err)
	}
	if err := s.listen(); err != nil {
		s.cancel()
		s.pool.close()
		return nil, fmt.Errorf("ddmsim: %w", err)
	}
	return s, nil
}

func (s *Server) load(ctx context.Context) error {
	var err error
	if s.catalogue, err = openCatalogue(ctx, s.pool, s.cfg.MetaDatabase); err != nil {
		return err
	}
	s.sequences = newSequences(s.catalogue, s.cfg.SequenceCache)
	// Prepared branches hold metadata locks that would stop the next statements.
	if err := s.recoverXA(ctx); err != nil {
		return err
	}
	for _, name := range s.cfg.Schemas {
		if err := s.catalogue.addSchema(ctx, name, s.cfg.Shards); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) listen() error {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return err
	}
	s.listener, err = mysql.NewListenerWithConfig(mysql.ListenerConfig{
		Listener: countingListener{l, &s.open}, AuthServer: (*authServer)(s), Handler: s,
		ConnReadBufferSize: 64 << 10, MultiQuery: true,
	})
	if err != nil {
		_ = l.Close()
		return err
	}
	s.listener.ServerVersion = s.version()
	if s.cfg.TLS != nil {
		s.listener.TLSConfig.Store(s.cfg.TLS)
	}
	s.open.Go(s.listener.Accept)
	return nil
}

// version is what the greeting and SELECT version() say.
func (s *Server) version() string { return "5.7.25-ddmsim-" + s.cfg.Version }

// Addr is the address that clients connect to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Faults breaks things on purpose.
func (s *Server) Faults() *Faults { return s.faults }

// Close cuts all clients and node connections and waits for them to end. Open
// transactions roll back; tables and rules stay on the nodes.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.cancel()
	s.faults.Clear()
	s.listener.Shutdown()
	s.dropClients()
	s.pool.close()
	s.open.Wait()
	return nil
}

// DropSchema removes a schema with its physical databases, rules and sequences.
func (s *Server) DropSchema(ctx context.Context, name string) error {
	s.sequences.forget(name)
	return s.catalogue.dropSchema(ctx, name)
}

func (s *Server) dropClients() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.sessions {
		ss.conn.Close()
	}
}

func (s *Server) session(id uint32) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// placeOf is the physical database of a shard.
func (s *Server) placeOf(schema string, shard int) place {
	return place{node: shard % len(s.cfg.Nodes), database: physicalDatabase(schema, shard)}
}

// authServer accepts the one account with mysql_native_password (D-02).
type authServer Server

func (a *authServer) AuthMethods() []mysql.AuthMethod {
	return []mysql.AuthMethod{mysql.NewMysqlNativeAuthMethod(a, a)}
}

func (a *authServer) DefaultAuthMethodDescription() mysql.AuthMethodDescription {
	return mysql.MysqlNativePassword
}

// HandleUser lets every name reach the password check, so that an unknown one
// is refused like a wrong password.
func (a *authServer) HandleUser(string) bool { return true }

// UserEntryWithHash checks the client's answer to the salt.
func (a *authServer) UserEntryWithHash(_ *mysql.Conn, salt []byte, user string, answer []byte, remote net.Addr) (mysql.Getter, error) {
	want := mysql.ScrambleMysqlNativePassword(salt, []byte(a.cfg.Password))
	if user != a.cfg.User || subtle.ConstantTimeCompare(answer, want) != 1 {
		host, _, _ := net.SplitHostPort(remote.String())
		return nil, sqlError(int(sqlerror.ERAccessDeniedError), "28000", fmt.Sprintf("Access denied for user '%s'@'%s' (using password: YES)", user, host))
	}
	return account(user), nil
}

type account string

// Get gives the listener the caller's name.
func (a account) Get() *querypb.VTGateCallerID { return &querypb.VTGateCallerID{Username: string(a)} }

// countingListener counts connections when they are accepted, so that Close
// waits for those whose handshake has not begun.
type countingListener struct {
	net.Listener
	open *sync.WaitGroup
}

// Accept implements net.Listener.
func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.open.Add(1)
	}
	return c, err
}
