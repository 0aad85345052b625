package mysqlconn

import (
	"context"
	"net"
	"strconv"
	"time"

	"shardlift/internal/secret"
	"shardlift/internal/task"
)

// The modes of TLS.
const (
	TLSDisabled       = "disabled"
	TLSPreferred      = "preferred"
	TLSRequired       = "required"
	TLSVerifyCA       = "verify-ca"
	TLSVerifyIdentity = "verify-identity"
)

// TLS says how a connection is encrypted and whom it trusts. CA, Cert and Key
// are PEM texts; without CA the system's roots are used.
type TLS struct {
	Mode          string
	CA            string
	Cert          string
	Key           secret.Text
	MinVersion    string // "1.0" … "1.3", empty for 1.2
	LegacyCiphers bool   // RSA key exchange, CBC with SHA-1, 3DES
}

// Setting is a session variable. Value is SQL text. A setting that a server may
// not know is Optional: error 1193 is then no error.
type Setting struct {
	Name     string
	Value    string
	Optional bool
}

// Config says how to reach one server. The zero timeouts stand for 10 s to
// connect and none for reads and writes.
type Config struct {
	Host           string
	Port           int
	User           string
	Password       secret.Text
	TLS            TLS
	Schema         string
	MaxConnections int
	ConnectTimeout time.Duration
	ReadTimeout    time.Duration
	WriteTimeout   time.Duration
	// Session is set on every new connection, in order, after the character set.
	Session []Setting
	// OnConnect sees every new connection after its session is set; an error
	// closes it and comes back from whoever wanted a connection.
	OnConnect func(ctx context.Context, ask Ask) error
}

// Ask runs a query on a new connection and returns the first column of its
// first row as text, "" for NULL or no row.
type Ask func(ctx context.Context, query string) (string, error)

// defaultConnectTimeout bounds everything until a connection can be used.
const defaultConnectTimeout = 10 * time.Second

// FromEndpoint takes over a task's endpoint.
func FromEndpoint(e task.Endpoint) Config {
	return Config{
		Host: e.Host, Port: e.Port, User: e.User, Password: secret.NewText(e.Password),
		TLS: TLS{
			Mode: e.TLS.Mode, CA: e.TLS.CA, Cert: e.TLS.Cert, Key: secret.NewText(e.TLS.Key),
			MinVersion: e.TLS.MinVersion, LegacyCiphers: e.TLS.LegacyCiphers,
		},
		MaxConnections: e.MaxConnections,
	}
}

// Address is host:port.
func (c Config) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// String hides everything: a Config in a log tells neither host nor user.
func (c Config) String() string { return "[server]" }

// GoString hides everything.
func (c Config) GoString() string { return "[server]" }

// Settled replaces the mode "preferred" by what the probe found, for clients
// that cannot fall back by themselves.
func (c Config) Settled(found Capabilities) Config {
	if c.TLS.Mode != TLSPreferred {
		return c
	}
	c.TLS.Mode = TLSDisabled
	if found.Encrypted {
		c.TLS.Mode = TLSRequired
	}
	return c
}

func (c Config) connectTimeout() time.Duration {
	if c.ConnectTimeout > 0 {
		return c.ConnectTimeout
	}
	return defaultConnectTimeout
}
