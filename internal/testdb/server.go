package testdb

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

// Server is a running server and its administrator.
type Server struct {
	Name     string // "mysql97", ...
	Host     string
	Port     int
	User     string // has all rights, GRANT included
	Password string
	Flavor   string // "mysql" or "mariadb"

	// DataDir is the data directory, empty for a server named by a DSN variable.
	// From 5.6 on it holds ca.pem, client-cert.pem and client-key.pem.
	DataDir string

	instance *instance // nil for a server named by a DSN variable
	own      bool      // may be killed and frozen
}

// Address returns host:port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Start starts a server of the named edition whose data stays in dir (made when
// missing) and which ends with Close, or with this process at the latest. It
// fetches the edition when the cache lacks it. The options come last on the
// server's command line.
func Start(ctx context.Context, name, dir string, options ...string) (*Server, error) {
	e, err := editionNamed(name)
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	r, err := openRuns(os.Stderr)
	if err != nil {
		return nil, err
	}
	i, err := r.in(ctx, e, dir, options)
	if err != nil {
		return nil, err
	}
	return i.server(), nil
}

// Close stops a server that Start gave, cleanly, and keeps its data.
func (s *Server) Close() error {
	defer s.instance.close()
	return s.instance.stop(context.Background())
}

// pool opens a connection pool of the administrator; several statements in one
// text are allowed.
func (s *Server) pool(schema string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", s.Address()
	config.User, config.Passwd, config.DBName = s.User, s.Password, schema
	config.MultiStatements = true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
