package mysqlconn

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"
)

// maxPacket is the largest packet the protocol's servers accept at all; what
// this server accepts is its own matter.
const maxPacket = 1 << 30

// Querier is a pool, a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Open opens a pool of at most MaxConnections connections and pings it. Every
// connection has the character set utf8mb4, gives results unconverted
// (character_set_results NULL) and has the session settings. One statement per
// packet, no client-side interpolation, no time.Time. Affected rows are
// changed rows, not found ones.
func Open(ctx context.Context, c Config) (*sql.DB, error) {
	connector, err := newConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	if c.MaxConnections > 0 {
		db.SetMaxOpenConns(c.MaxConnections)
		db.SetMaxIdleConns(c.MaxConnections)
	}
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, Fault(err, "connect")
	}
	return db, nil
}

type connector struct {
	inner driver.Connector
	// plain is tried when encryption is preferred and the server cannot do it.
	plain     driver.Connector
	session   []Setting
	onConnect func(ctx context.Context, ask Ask) error
}

func newConnector(c Config) (*connector, error) {
	encryption, err := c.TLSConfig()
	if err != nil {
		return nil, err
	}
	out := &connector{session: c.settings(), onConnect: c.OnConnect}
	if out.inner, err = c.driverConnector(encryption); err != nil {
		return nil, err
	}
	if c.TLS.Mode == TLSPreferred {
		if out.plain, err = c.driverConnector(nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c Config) driverConnector(encryption *tls.Config) (driver.Connector, error) {
	d := mysql.NewConfig()
	d.Net, d.Addr, d.User, d.Passwd, d.DBName = "tcp", c.Address(), c.User, c.Password.Reveal(), c.Schema
	d.TLS = encryption
	d.Timeout, d.ReadTimeout, d.WriteTimeout = c.connectTimeout(), c.ReadTimeout, c.WriteTimeout
	d.DialFunc = remembered(c.Dialer())
	d.MaxAllowedPacket = maxPacket
	d.Logger = &mysql.NopLogger{} // the driver's lines would name hosts
	inner, err := mysql.NewConnector(d)
	if err != nil {
		return nil, fmt.Errorf("configure the connection: %w", err)
	}
	return inner, nil
}

func (c Config) settings() []Setting {
	return append([]Setting{{Name: "character_set_results", Value: "NULL"}}, c.Session...)
}

// Connect opens one connection and sets its session.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := connect(ctx, c.inner)
	if err != nil && c.plain != nil && isTLSError(err) {
		conn, err = connect(ctx, c.plain)
	}
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// connect turns a panic of the driver (it trusts lengths that a server sends)
// into an error, and closes the socket that the driver then forgets.
func connect(ctx context.Context, inner driver.Connector) (conn driver.Conn, err error) {
	socket := &socket{}
	defer func() {
		if recover() != nil {
			if socket.conn != nil {
				_ = socket.conn.Close()
			}
			conn, err = nil, errGreeting
		}
	}()
	conn, err = inner.Connect(context.WithValue(ctx, socketKey{}, socket))
	if c, ok := socket.conn.(*connection); ok && err != nil && c.greeting && IsConnectionLost(err) {
		err = fmt.Errorf("%w: %w", errTLSRefused, err)
	}
	return conn, err
}

var errTLSRefused = errors.New("the server hung up on the TLS handshake")

type socketKey struct{}

// socket is where the dial function leaves the connection it made.
type socket struct{ conn net.Conn }

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func remembered(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if s, ok := ctx.Value(socketKey{}).(*socket); ok {
			s.conn = conn
		}
		return conn, err
	}
}

// Driver returns the driver behind the connector.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

func (c *connector) prepare(ctx context.Context, conn driver.Conn) error {
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver cannot execute")
	}
	if err := setNames(ctx, execer); err != nil {
		return fmt.Errorf("set the connection's character set: %w", err)
	}
	for _, s := range c.session {
		_, err := execer.ExecContext(ctx, "SET SESSION "+s.Name+" = "+s.Value, nil)
		if err != nil && s.Optional && Number(err) == errUnknownVariable {
			continue
		}
		if err != nil {
			return fmt.Errorf("set session variable %s: %w", s.Name, err)
		}
	}
	if c.onConnect == nil {
		return nil
	}
	return c.onConnect(ctx, func(ctx context.Context, query string) (string, error) { return ask(ctx, conn, query) })
}

func ask(ctx context.Context, conn driver.Conn, query string) (answer string, err error) {
	queryer, ok := conn.(driver.QueryerContext)
	if !ok {
		return "", errors.New("the driver cannot query")
	}
	rows, err := queryer.QueryContext(ctx, query, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(rows.Columns()))
	switch err := next(rows, values); {
	case errors.Is(err, io.EOF):
		return "", nil
	case err != nil:
		return "", err
	}
	if text, ok := values[0].([]byte); ok {
		return string(text), nil
	}
	if values[0] == nil {
		return "", nil
	}
	return fmt.Sprint(values[0]), nil
}

// setNames falls back to utf8 on servers older than 5.5.3.
func setNames(ctx context.Context, execer driver.ExecerContext) error {
	_, err := execer.ExecContext(ctx, "SET NAMES utf8mb4", nil)
	if Number(err) == errUnknownCharset {
		_, err = execer.ExecContext(ctx, "SET NAMES utf8", nil)
	}
	return err
}

// Discard closes a connection instead of giving it back to the pool: with it go
// its locks, its transaction and its settings.
func Discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
