package precheck

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// Config says which task is checked.
type Config struct {
	TaskID      string
	Spec        task.Spec
	Source      mysqlconn.Config
	Destination mysqlconn.Config
	// Nodes are the data nodes behind the destination that the task names.
	Nodes []mysqlconn.Config
	// AfterReset: a destination with rows is an alarm, not a failure.
	AfterReset bool
	// Scope tells runs over other tables than the task's own apart, "" for its own.
	Scope string
}

// Env is what the items of one task share. It is safe for concurrent use.
type Env struct {
	config Config

	source       lazy[*server]
	destination  lazy[*destination.Destination]
	pairs        lazy[[]pair]
	sourcePairs  lazy[[]pair]
	foundSchemas lazy[[]string]
	sourceGrants lazy[grants]
	targetGrants lazy[grants]
	dataNodes    lazy[[]*node]
	createOption lazy[map[table.Name]string]
	valueAnswers lazy[answers]
	largestRows  lazy[map[table.Name]largest]
}

// server is the source and what it says of itself.
type server struct {
	db           *sql.DB
	capabilities mysqlconn.Capabilities
}

// NewEnv makes an Env; nothing is connected yet.
func NewEnv(c Config) *Env { return &Env{config: c} }

// statementTime bounds each statement where the server can do it, itemTime what
// an item may spend on reading rows.
const (
	statementTime = 10 * time.Second
	itemTime      = 45 * time.Second
)

// Close closes the connections.
func (e *Env) Close() error {
	var errs []error
	if s, ok := e.source.have(); ok {
		errs = append(errs, s.db.Close())
	}
	if d, ok := e.destination.have(); ok {
		errs = append(errs, d.Close())
	}
	if nodes, ok := e.dataNodes.have(); ok {
		for _, n := range nodes {
			errs = append(errs, n.close())
		}
	}
	return errors.Join(errs...)
}

// src is the source over one connection.
func (e *Env) src(ctx context.Context) (*server, error) {
	return e.source.get(func() (*server, error) {
		c := e.config.Source
		c.MaxConnections = 1
		c.ReadTimeout = 2 * time.Minute
		c.Session = append([]mysqlconn.Setting{
			{Name: "time_zone", Value: "'+00:00'"},
			{Name: "sql_mode", Value: "''"},
			{Name: "max_execution_time", Value: "10000", Optional: true}, // MySQL, milliseconds
			{Name: "max_statement_time", Value: "10", Optional: true},    // MariaDB, seconds
			mysqlconn.GIPKSetting(), mysqlconn.StatisticsSetting(),
		}, c.Session...)
		db, err := mysqlconn.Open(ctx, c)
		if err != nil {
			return nil, err
		}
		found, err := mysqlconn.Probe(ctx, db)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		return &server{db, found}, nil
	})
}

// dst is the destination over one connection.
func (e *Env) dst(ctx context.Context) (*destination.Destination, error) {
	return e.destination.get(func() (*destination.Destination, error) {
		c := e.config.Destination
		c.MaxConnections = 1
		c.ReadTimeout = 2 * time.Minute
		return destination.Open(ctx, c, e.config.Spec.Destination.Kind)
	})
}

// limited says whether the source ends a statement after statementTime.
func (s *server) limited() bool {
	_, mysql := s.capabilities.Variable("max_execution_time")
	_, mariadb := s.capabilities.Variable("max_statement_time")
	return mysql || mariadb
}

// plain says whether the destination is one MySQL or MariaDB server.
func plain(d *destination.Destination) bool {
	k := d.Info().Kind
	return k == dialect.MySQL || k == dialect.MariaDB
}

func isDDM(d *destination.Destination) bool { return d.Info().Kind == dialect.DDM }

// lazy computes a value once; an error is not kept.
type lazy[T any] struct {
	mu    sync.Mutex
	done  bool
	value T
}

func (l *lazy[T]) get(compute func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return l.value, nil
	}
	v, err := compute()
	if err == nil {
		l.value, l.done = v, true
	}
	return v, err
}

func (l *lazy[T]) have() (T, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value, l.done
}
