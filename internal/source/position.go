package source

import (
	"context"
	"fmt"
	"strconv"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// Head returns the source's current position. It may be ahead of what a SELECT
// sees: use it for delays, stop positions and the end of the copy only.
func (s *Source) Head(ctx context.Context) (position.Position, error) {
	p, err := s.status(ctx, s.db)
	if err != nil {
		return p, fmt.Errorf("read the source's position: %w", err)
	}
	return p, nil
}

// Low returns a position that is not ahead of what a later SELECT on the source
// sees, without locks; the zero position where that cannot be had (MySQL
// without GTIDs, and 5.6 with them) or where there is no binlog, as a full-only
// task allows.
func (s *Source) Low(ctx context.Context) (position.Position, error) {
	if !s.capabilities.IsOn("log_bin") {
		return position.Position{}, nil
	}
	switch s.family() {
	case familyGTID:
		return s.Head(ctx)
	case familyMariaDB:
		return s.snapshot(ctx)
	default:
		return position.Position{}, nil
	}
}

// status reads SHOW BINARY LOG STATUS, or what it was called before MySQL 8.2,
// and the GTID set. For MySQL from 5.7 the set is not ahead of a later SELECT.
func (s *Source) status(ctx context.Context, q mysqlconn.Querier) (position.Position, error) {
	p := position.Position{Flavor: s.capabilities.Flavor, Server: s.capabilities.Identity()}
	record, err := masterStatus(ctx, q)
	switch {
	case err == nil:
		p.File = record["file"]
		if p.Offset, err = strconv.ParseUint(record["position"], 10, 64); err != nil {
			return p, fmt.Errorf("read the binlog offset: %w", err)
		}
	case s.family() == familyGTID && mysqlconn.IsAccessDenied(err):
		// The set alone is a position, and @@gtid_executed needs no privilege.
	case mysqlconn.IsAccessDenied(err):
		return p, fault.PositionUnreadable.Wrap(mysqlconn.Fault(err, "SHOW MASTER STATUS"), "source")
	default:
		return p, mysqlconn.Fault(err, "source")
	}
	if !s.capabilities.GTID {
		return p, nil
	}
	query := "SELECT @@GLOBAL.gtid_executed"
	if s.capabilities.Flavor == position.MariaDB {
		query = "SELECT @@GLOBAL.gtid_binlog_pos"
	}
	return s.withSet(ctx, q, p, query)
}

// withSet adds the GTID set that a query returns, in the stable form.
func (s *Source) withSet(ctx context.Context, q mysqlconn.Querier, p position.Position, query string) (position.Position, error) {
	var text []byte
	if err := q.QueryRowContext(ctx, query).Scan(&text); err != nil {
		return p, mysqlconn.Fault(err, "source")
	}
	set, err := position.ParseSet(p.Flavor, string(text))
	if err != nil {
		return p, err
	}
	return p.WithSet(set), nil
}

// masterStatus tries both names of the statement. No row means no binlog.
func masterStatus(ctx context.Context, q mysqlconn.Querier) (map[string]string, error) {
	records, err := mysqlconn.Records(ctx, q, "SHOW MASTER STATUS")
	if err != nil && mysqlconn.IsSyntax(err) {
		records, err = mysqlconn.Records(ctx, q, "SHOW BINARY LOG STATUS")
	}
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fault.BinlogOff.New("source", "")
	}
	return records[0], nil
}

// family says how a start position is taken.
type family int

const (
	familyLocks   family = iota // MySQL before 5.7, or without GTIDs
	familyGTID                  // MySQL from 5.7 with GTIDs
	familyMariaDB               // MariaDB from 10.0
)

const firstWithSafeSet = 50700

func (s *Source) family() family {
	switch c := s.capabilities; {
	case c.Flavor == position.MariaDB && c.GTID:
		return familyMariaDB
	case c.GTID && c.Number >= firstWithSafeSet:
		return familyGTID
	default:
		return familyLocks
	}
}
