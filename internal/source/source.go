package source

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// Source is a pool of connections to the source.
type Source struct {
	db           *sql.DB
	capabilities mysqlconn.Capabilities
	pin          *pin
	budget       int
}

// pin is what new connections have to prove; nil inside until Pin.
type pin struct {
	from atomic.Pointer[position.Position]
}

// settings are those of every connection: UTC, plain SQL, no limit that a server
// sets for everybody, committed rows only, no transaction left open.
func settings() []mysqlconn.Setting {
	return []mysqlconn.Setting{
		{Name: "time_zone", Value: "'+00:00'"},
		{Name: "sql_mode", Value: "''"},
		{Name: "autocommit", Value: "1"},
		{Name: "sql_select_limit", Value: "18446744073709551615"},
		{Name: "sql_big_selects", Value: "1"},
		{Name: "transaction_isolation", Value: "'REPEATABLE-READ'", Optional: true},
		{Name: "tx_isolation", Value: "'REPEATABLE-READ'", Optional: true},
		{Name: "max_execution_time", Value: "0", Optional: true},
		{Name: "max_statement_time", Value: "0", Optional: true},
		{Name: "lock_wait_timeout", Value: "60", Optional: true},
		{Name: "net_write_timeout", Value: "600"},
		mysqlconn.GIPKSetting(),
		mysqlconn.StatisticsSetting(),
	}
}

// silence is how long a statement may give no byte before its connection counts
// as lost: longer than any statement here takes, so that a source that froze is
// an error and not a task that hangs.
const silence = 10 * time.Minute

// Open opens at most budget connections and finds out what the server is.
func Open(ctx context.Context, c mysqlconn.Config, budget int) (*Source, error) {
	s := &Source{pin: &pin{}, budget: budget}
	c.MaxConnections = budget
	c.Session = slices.Concat(c.Session, settings())
	c.OnConnect = s.pin.check
	if c.ReadTimeout == 0 {
		c.ReadTimeout = silence
	}
	db, err := mysqlconn.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	s.db = db
	if s.capabilities, err = mysqlconn.Probe(ctx, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open the source: %w", err)
	}
	return s, nil
}

// Close closes all connections.
func (s *Source) Close() error { return s.db.Close() }

// Rest closes the connections that nobody uses at the moment, for a dump beside
// them that has no place of its own in the task's number of connections.
func (s *Source) Rest() {
	s.db.SetMaxIdleConns(0)
	s.db.SetMaxIdleConns(s.budget)
}

// DB is the pool, for questions of the pre-check.
func (s *Source) DB() *sql.DB { return s.db }

// Capabilities says what the server was at Open.
func (s *Source) Capabilities() mysqlconn.Capabilities { return s.capabilities }

// Catalogue returns the selected base tables, sorted by name. A table that the
// selection names and that does not exist, or is a view, is fault.TableMissing.
func (s *Source) Catalogue(ctx context.Context, sel selection.Selection) ([]*table.Table, error) {
	var out []*table.Table
	for _, schema := range sel.Schemas() {
		tables, err := mysqlconn.Catalogue(ctx, s.db, schema, nil)
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			if _, _, selected := sel.Match(t.Name); !selected {
				continue
			}
			if t.Engine == mysqlconn.SystemVersioned {
				return nil, fault.TableUnsupported.New(t.Name.String(), "it has system versioning")
			}
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *table.Table) int { return a.Name.Compare(b.Name) })
	for _, n := range sel.Named() {
		if !slices.ContainsFunc(out, func(t *table.Table) bool { return t.Name == n }) {
			return nil, fault.TableMissing.New(n.String(), "")
		}
	}
	return out, nil
}

// Table returns the definition of one base table as it is now.
func (s *Source) Table(ctx context.Context, n table.Name) (*table.Table, error) {
	tables, err := mysqlconn.Catalogue(ctx, s.db, n.Schema, []string{n.Table})
	if err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, fault.TableMissing.New(n.String(), "")
	}
	return tables[0], nil
}

// Unchanged says whether a table's columns are still those of its definition.
func (s *Source) Unchanged(ctx context.Context, t *table.Table) (bool, error) {
	columns, err := mysqlconn.Columns(ctx, s.db, t.Name)
	if err != nil {
		return false, err
	}
	return slices.EqualFunc(columns, t.Columns, sameColumn), nil
}

// sameColumn ignores what does not change a row: the default and whether it is shown.
func sameColumn(a, b table.Column) bool {
	return a.Name == b.Name && a.SQLType == b.SQLType && a.Nullable == b.Nullable && a.Generated == b.Generated &&
		a.Collation == b.Collation && slices.Equal(a.Labels, b.Labels)
}
