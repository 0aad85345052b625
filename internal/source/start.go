package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// How long one attempt waits for table locks (writers wait behind it), how long
// attempts go on, and the pause between them.
const (
	lockAttempt  = 2 * time.Second
	lockAttempts = 15
	startPause   = time.Second
)

// xaPause is how often StartPosition looks for a moment without XA transactions
// under way.
const xaPause = 20 * time.Millisecond

// xaStuck is how long one XA transaction may wait for its verdict before it counts
// as forgotten.
const xaStuck = 15 * time.Second

// Patience is how long StartPosition waits for a moment without XA transactions
// under way where they come and go; for one that stays it waits 15 seconds at
// most. Tell, which may be nil, is called again and again meanwhile, with how many
// there are.
type Patience struct {
	For  time.Duration
	Tell func(prepared int)
}

// StartPosition returns a position of which every transaction before it is seen
// by any SELECT that begins later (rule 1 of the design), and before which no
// XA transaction waits for its verdict. Each family has the one way that was
// never ahead when measured; see TestStartPosition_NeverAheadOfSelect.
//
// tables are those that the SELECTs will read; they are locked for an instant
// only on MySQL without a usable GTID set where RELOAD is not granted.
func (s *Source) StartPosition(ctx context.Context, tables []table.Name) (position.Position, error) {
	return s.StartPositionWithin(ctx, tables, Patience{For: xaStuck})
}

// StartPositionWithin is StartPosition with another patience.
func (s *Source) StartPositionWithin(ctx context.Context, tables []table.Name, patience Patience) (position.Position, error) {
	since := map[string]time.Time{} // of the XA transactions that are prepared
	for deadline := time.Now().Add(patience.For); ; {
		p, spanning, prepared, err := s.between(ctx, tables)
		if err != nil {
			return p, err
		}
		if spanning <= 0 {
			return p, nil
		}
		if age := oldest(since, prepared); age > xaStuck || time.Now().After(deadline) {
			return p, fault.XAPrepared.New("source", "%d of them", spanning)
		}
		if patience.Tell != nil {
			patience.Tell(spanning)
		}
		rest := xaPause
		if !p.IsZero() && s.family() == familyLocks { // a position costs the source a binlog file, or a lock
			rest = startPause
		}
		if err := pause(ctx, rest); err != nil {
			return p, err
		}
	}
}

// oldest keeps since when each transaction is prepared, as far as was looked, and
// returns the longest time.
func oldest(since map[string]time.Time, prepared []string) (age time.Duration) {
	now := time.Now()
	maps.DeleteFunc(since, func(id string, _ time.Time) bool { return !slices.Contains(prepared, id) })
	for _, id := range prepared {
		if _, known := since[id]; !known {
			since[id] = now
		}
		age = max(age, now.Sub(since[id]))
	}
	return age
}

// between takes a position and counts the XA transactions that may span it:
// their rows are before it, and their verdict is not. One that is prepared
// afterwards shows in XA RECOVER, which is asked after the position; one that got
// its verdict in between was either prepared before, or is in the server's count
// of verdicts.
// There is no position as long as some are prepared already.
func (s *Source) between(ctx context.Context, tables []table.Name) (p position.Position, spanning int, prepared []string, err error) {
	verdicts, err := s.verdicts(ctx)
	if err != nil {
		return p, 0, nil, err
	}
	before, _, err := s.prepared(ctx)
	if err != nil {
		return p, 0, nil, err
	}
	if len(before) > 0 {
		return p, len(before), before, nil
	}
	if p, err = s.visible(ctx, tables); err != nil {
		return p, 0, nil, fmt.Errorf("take the start position: %w", err)
	}
	after, _, err := s.prepared(ctx)
	if err != nil {
		return p, 0, nil, err
	}
	now, err := s.verdicts(ctx)
	return p, len(after) + int(now-verdicts), after, err
}

// verdicts counts XA COMMIT and XA ROLLBACK statements of the whole server.
func (s *Source) verdicts(ctx context.Context) (n int64, err error) {
	records, err := mysqlconn.Records(ctx, s.db, "SHOW GLOBAL STATUS LIKE 'Com\\_xa\\_%'")
	if err != nil {
		return 0, fmt.Errorf("count the source's XA verdicts: %w", mysqlconn.Fault(err, "source"))
	}
	for _, r := range records {
		if name := strings.ToLower(r["variable_name"]); name == "com_xa_commit" || name == "com_xa_rollback" {
			count, _ := strconv.ParseInt(r["value"], 10, 64)
			n += count
		}
	}
	return n, nil
}

func (s *Source) visible(ctx context.Context, tables []table.Name) (position.Position, error) {
	switch s.family() {
	case familyGTID:
		return s.status(ctx, s.db)
	case familyMariaDB:
		return s.snapshot(ctx)
	default:
		p, err := s.flushed(ctx)
		if mysqlconn.IsAccessDenied(err) {
			return s.locked(ctx, tables)
		}
		return p, err
	}
}

// snapshot is MariaDB's way: a consistent snapshot knows the position it was
// taken at.
func (s *Source) snapshot(ctx context.Context) (p position.Position, err error) {
	err = s.onConn(ctx, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
			return err
		}
		status, err := mysqlconn.Records(ctx, conn, "SHOW STATUS LIKE 'binlog_snapshot_%'")
		if err != nil {
			return err
		}
		p = position.Position{Flavor: s.capabilities.Flavor, Server: s.capabilities.Identity()}
		for _, record := range status {
			switch strings.ToLower(record["variable_name"]) {
			case "binlog_snapshot_file":
				p.File = record["value"]
			case "binlog_snapshot_position":
				p.Offset, err = strconv.ParseUint(record["value"], 10, 64)
			}
		}
		if err != nil || p.File == "" {
			return fault.BinlogOff.New("source", "")
		}
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			return err
		}
		p, err = s.withSet(ctx, conn, p, fmt.Sprintf("SELECT BINLOG_GTID_POS('%s', %d)", p.File, p.Offset))
		return err
	})
	return p, err
}

// flushed begins a new binlog file: the server waits until everything in older
// files is committed in the engines. It locks no rows and needs RELOAD.
func (s *Source) flushed(ctx context.Context) (p position.Position, err error) {
	err = s.onConn(ctx, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, "FLUSH BINARY LOGS"); err != nil {
			return err
		}
		record, err := masterStatus(ctx, conn)
		if err != nil {
			return err
		}
		p = position.Position{Flavor: s.capabilities.Flavor, Server: s.capabilities.Identity(), File: record["file"], Offset: binlogHeader}
		if !s.capabilities.GTID {
			return nil
		}
		p, err = s.previousSet(ctx, conn, p)
		return err
	})
	return p, err
}

// binlogHeader is where the first event of a file begins.
const binlogHeader = 4

// previousSet reads the set at the beginning of a binlog file from its second event.
func (s *Source) previousSet(ctx context.Context, q mysqlconn.Querier, p position.Position) (position.Position, error) {
	events, err := mysqlconn.Records(ctx, q, fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' LIMIT 2", p.File))
	if err != nil {
		return p, err
	}
	for _, e := range events {
		if e["event_type"] != "Previous_gtids" {
			continue
		}
		set, err := position.ParseSet(p.Flavor, e["info"])
		if err != nil {
			return p, err
		}
		return p.WithSet(set), nil
	}
	return p, errors.New("the binlog file does not begin with its GTID set")
}

// locked takes the position while nobody can be between the binlog and the
// engine with rows of the tables. Only with autocommit=0 does LOCK TABLES take
// the engine's own locks, for which commits under way must end; with
// autocommit=1 the position was ahead in 770 of 7,921 polls.
func (s *Source) locked(ctx context.Context, tables []table.Name) (position.Position, error) {
	if len(tables) == 0 {
		return position.Position{}, errors.New("no tables to lock")
	}
	for attempt := 1; ; attempt++ {
		p, err := s.lockOnce(ctx, tables)
		if err == nil {
			return p, nil
		}
		if !mysqlconn.IsDeadlock(err) {
			return p, err
		}
		if attempt == lockAttempts {
			return p, fault.StartLockTimeout.Wrap(mysqlconn.Fault(err, "LOCK TABLES"), "source")
		}
		if err := pause(ctx, startPause); err != nil {
			return p, err
		}
	}
}

func (s *Source) lockOnce(ctx context.Context, tables []table.Name) (p position.Position, err error) {
	var list []string
	for _, n := range tables {
		list = append(list, quote(n)+" READ")
	}
	seconds := strconv.Itoa(int(lockAttempt / time.Second))
	err = s.onConn(ctx, func(conn *sql.Conn) error {
		for _, statement := range []string{
			"SET SESSION innodb_table_locks = 1", "SET SESSION autocommit = 0",
			"SET SESSION lock_wait_timeout = " + seconds, "SET SESSION innodb_lock_wait_timeout = " + seconds,
			"LOCK TABLES " + strings.Join(list, ", "),
		} {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		p, err = s.status(ctx, conn)
		return err
	})
	return p, err
}

// onConn runs f on a connection that is closed afterwards, with its locks,
// settings and transactions.
func (s *Source) onConn(ctx context.Context, f func(*sql.Conn) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return mysqlconn.Fault(err, "source")
	}
	err = f(conn)
	mysqlconn.Discard(conn)
	return mysqlconn.Fault(err, "source")
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func quote(n table.Name) string {
	clean := strings.NewReplacer("`", "``")
	return "`" + clean.Replace(n.Schema) + "`.`" + clean.Replace(n.Table) + "`"
}
