package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// A server that takes over may lack the last transactions of the one before. If
// rows that were copied show one of them, no binlog will ever take it back. So
// what was seen is noted with the rows, and each server has to have it.

// ReadSeen is ReadRange that also says what the rows may show: a position with
// every transaction that was committed before the read ended; the zero position
// where there are no GTIDs (then any other server is refused anyway). When fn
// ends the read another connection tells it; one that leads to another server by
// then counts as a lost connection, since nobody knows what the rows show.
func (s *Source) ReadSeen(ctx context.Context, t *table.Table, r table.KeyRange, fn func(row.Row) error) (position.Position, error) {
	if !s.capabilities.GTID || !s.capabilities.IsOn("log_bin") {
		return position.Position{}, s.ReadRange(ctx, t, r, fn)
	}
	var server string
	var ended error
	err := s.onPooled(ctx, func(conn *sql.Conn) (err error) {
		if server, err = identityOf(ctx, asking(conn)); err != nil {
			return err
		}
		return readRange(ctx, conn, t, r, func(found row.Row) error {
			ended = fn(found)
			return ended
		})
	})
	if err != nil && ended == nil {
		return position.Position{}, fmt.Errorf("read %s: %w", t.Name, err)
	}
	var seen position.Position
	err = s.onPooled(ctx, func(conn *sql.Conn) (err error) {
		seen, err = s.executed(ctx, conn, server)
		return err
	})
	if err != nil {
		return seen, fmt.Errorf("read what %s may show: %w", t.Name, err)
	}
	return seen, ended
}

// executed is everything that a server has executed; it has to be the given one,
// or another node of its Galera cluster.
func (s *Source) executed(ctx context.Context, conn *sql.Conn, server string) (position.Position, error) {
	p := position.Position{Flavor: s.capabilities.Flavor, Server: server}
	now, err := identityOf(ctx, asking(conn))
	if err != nil {
		return p, err
	}
	if now != server && !s.capabilities.IsOn("wsrep_on") {
		return p, fault.ConnectionLost.Wrap(driver.ErrBadConn, "another server answers on the source's address")
	}
	query := "SELECT @@GLOBAL.gtid_executed"
	if p.Flavor == position.MariaDB {
		query = "SELECT @@GLOBAL.gtid_binlog_pos"
	}
	return s.withSet(ctx, conn, p, query)
}

// CheckSeen says whether the server has executed everything of these positions:
// nil, or fault.HistoryLost. Positions without GTIDs say nothing.
func (s *Source) CheckSeen(ctx context.Context, seen []position.Position) error {
	return s.onPooled(ctx, func(conn *sql.Conn) error {
		for _, p := range seen {
			if !p.HasGTID() {
				continue
			}
			if err := contains(ctx, asking(conn), p); err != nil {
				return err
			}
		}
		return nil
	})
}

// onPooled runs f on a connection that goes back to the pool.
func (s *Source) onPooled(ctx context.Context, f func(*sql.Conn) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return mysqlconn.Fault(err, "source")
	}
	defer func() { _ = conn.Close() }()
	return mysqlconn.Fault(f(conn), "source")
}

func asking(conn *sql.Conn) mysqlconn.Ask {
	return func(ctx context.Context, query string) (string, error) {
		var text sql.NullString
		err := conn.QueryRowContext(ctx, query).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return text.String, err
	}
}
