package destination

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
)

// Info is what is known of a destination.
type Info struct {
	Kind    dialect.Kind
	Version string // as printed; middlewares print a fake MySQL version
	// MaxPacket is max_allowed_packet in bytes, 0 when unknown. Middlewares may
	// have a lower limit of their own (DBLE: 4 MiB behind a printed 1 GiB).
	MaxPacket int64
	Effects
}

// Effects is what only trying tells; see ProbeEffects. Until it was called,
// FoundRows is false, Lock is LockShare and Kill is KillConnection.
type Effects struct {
	// FoundRows: affected rows count rows found, also those an UPDATE left as
	// they were. Our connections never ask for it; a proxy may decide for all.
	FoundRows bool   `json:"found_rows"`
	Lock      string `json:"lock"`
	Kill      string `json:"kill"`
}

// Forms of row locks that work across the middleware.
const (
	LockShare  = "share"  // SELECT … LOCK IN SHARE MODE
	LockUpdate = "update" // SELECT … FOR UPDATE
	LockNone   = "none"
)

// Forms of ending other connections.
const (
	KillConnection = "kill"     // KILL <id>
	KillPhysical   = "physical" // kill physical <thread>@<ip>:<port>
	KillNone       = "none"
)

// Destination is a pool of connections to one destination. It is safe for
// concurrent use.
type Destination struct {
	db      *sql.DB
	config  mysqlconn.Config
	dialect *dialect.Dialect
	checks  []check // what every session verifies

	reads *sql.DB // nil where db reads results of any length

	mu   sync.Mutex
	info Info
}

// minConnections is what one fenced writer needs at once: its session, one that
// looks at the fence rows, the metadata, and one to spare. A smaller pool would
// wait for itself.
const minConnections = 4

// Open finds out what the server is and opens a pool of at most
// c.MaxConnections connections, but no fewer than four. kind is "auto", empty, or a dialect.Kind that
// overrides the finding.
func Open(ctx context.Context, c mysqlconn.Config, kind string) (*Destination, error) {
	f, err := findOut(ctx, c, kind)
	if err != nil {
		return nil, err
	}
	c.Session = append(f.settings, c.Session...)
	if c.MaxConnections > 0 {
		c.MaxConnections = max(c.MaxConnections, minConnections)
	}
	db, err := mysqlconn.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open destination: %w", err)
	}
	features := dialect.Default(f.info.Kind)
	features.RowAlias = f.rowAlias
	if limit := f.info.MaxPacket; limit > 0 {
		features.MaxStatementBytes = int(min(int64(features.MaxStatementBytes), limit/2))
	}
	d := &Destination{db: db, config: c, dialect: dialect.New(f.info.Kind, features), checks: f.checks, info: f.info}
	if err := d.openReads(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

// Close closes all connections that are not in a Session.
func (d *Destination) Close() error {
	if d.reads != nil {
		return errors.Join(d.reads.Close(), d.db.Close())
	}
	return d.db.Close()
}

// Info returns what is known now.
func (d *Destination) Info() Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.info
}

// SetEffects makes known what ProbeEffects found earlier.
func (d *Destination) SetEffects(e Effects) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.info.Effects = e
}

// Dialect returns how statements are written for this destination.
func (d *Destination) Dialect() *dialect.Dialect { return d.dialect }

// DB returns the pool; its connections have the session variables of rule 10.
// Reads of our own metadata begin with Hint.
func (d *Destination) DB() *sql.DB { return d.db }

// Hint returns what stands before a SELECT so that it reads the primary; empty
// where nothing is needed.
func (d *Destination) Hint() string { return d.dialect.Features().ReadHint }

// isPlain says whether one server answers everything.
func (d *Destination) isPlain() bool {
	return d.info.Kind == dialect.MySQL || d.info.Kind == dialect.MariaDB
}

// in runs f on a connection whose current schema is the given one, as DDL and
// SHOW RULE need it, and drops the connection afterwards.
func (d *Destination) in(ctx context.Context, schema string, f func(*sql.Conn) error) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return mysqlconn.Fault(err, "destination")
	}
	defer discard(conn)
	if _, err := conn.ExecContext(ctx, "USE "+dialect.QuoteName(schema)); err != nil {
		return mysqlconn.Fault(err, schema)
	}
	return f(conn)
}

// Define runs DDL or another statement without result in a schema.
func (d *Destination) Define(ctx context.Context, schema, statement string) error {
	return d.in(ctx, schema, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, statement)
		verb, _, _ := strings.Cut(statement, " (")
		return mysqlconn.Fault(err, schema+": "+verb)
	})
}
