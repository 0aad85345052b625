package destination

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
)

// ErrUnknownOutcome means that a statement or COMMIT was sent and its answer
// did not come: it may have taken effect, or may still do so.
var ErrUnknownOutcome = errors.New("the outcome is unknown: the connection ended before the answer came")

// rollbackTimeout bounds a ROLLBACK, which is tried even after the context's end.
const rollbackTimeout = 10 * time.Second

// Session is one connection of its own with the session variables of rule 10
// verified. It is not safe for concurrent use.
type Session struct {
	conn  *sql.Conn
	id    string
	inTx  bool
	ended bool
}

// Session opens one. The pool's limit counts it until Close.
func (d *Destination) Session(ctx context.Context) (*Session, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", mysqlconn.Fault(err, "destination"))
	}
	s := &Session{conn: conn}
	err = faultpoint.Around(ctx, "session.open", func(ctx context.Context) error { return d.verify(ctx, conn) })
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.id, err = d.ConnectionID(ctx, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("ask the connection id: %w", err), s.Close())
	}
	return s, nil
}

// ConnectionID names a connection for Kill: it is "<id>" or "<id>.<hash>", where the hash is of the client's
// address as the server sees it: an id that was given again to somebody else
// is then not taken for ours.
func (d *Destination) ConnectionID(ctx context.Context, conn *sql.Conn) (string, error) {
	var id uint64
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return "", mysqlconn.Fault(err, "destination")
	}
	text := strconv.FormatUint(id, 10)
	if !d.isPlain() {
		return text, nil
	}
	client, ok, err := clientOf(ctx, conn, text)
	if err != nil || !ok {
		return text, err
	}
	return text + "." + client, nil
}

// clientOf returns the hash of the address a connection comes from; ok is false
// when the server shows no such connection. It asks SHOW PROCESSLIST: the list of
// information_schema fails with 3854 on MySQL 9 while anybody's statement with
// bytes that are no text is running, such as ours.
func clientOf(ctx context.Context, q mysqlconn.Querier, id string) (hash string, ok bool, err error) {
	list, err := records(ctx, q, "SHOW PROCESSLIST")
	if err != nil {
		return "", false, err
	}
	for _, r := range list {
		if r["id"] == id {
			h := fnv.New32a()
			_, _ = h.Write([]byte(r["host"]))
			return strconv.FormatUint(uint64(h.Sum32()), 16), true, nil
		}
	}
	return "", false, nil
}

// ID names the connection for Destination.Kill. It is opaque.
func (s *Session) ID() string { return s.id }

// Exec runs one statement and returns the affected rows. Errors are faults that
// show no values; mysqlconn.IsDuplicateKey, IsDeadlock and IsConnectionLost
// know them. Outside a transaction a connection lost after sending gives
// ErrUnknownOutcome too; inside one, nothing took effect once the server has
// noticed the loss.
func (s *Session) Exec(ctx context.Context, statement string) (int64, error) {
	result, err := s.send(ctx, "session.exec", statement)
	if err != nil {
		return 0, s.judge(err, !s.inTx)
	}
	affected, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("read affected rows: %w", err)
	}
	return affected, nil
}

// send runs one statement; point names the fault point.
func (s *Session) send(ctx context.Context, point, statement string) (result sql.Result, err error) {
	err = faultpoint.Around(ctx, point, func(ctx context.Context) error {
		result, err = s.conn.ExecContext(ctx, statement)
		return err
	})
	return result, err
}

// Query runs one SELECT in the text protocol. The caller closes the rows and
// looks at their Err.
func (s *Session) Query(ctx context.Context, query string) (*sql.Rows, error) {
	var rows *sql.Rows
	err := faultpoint.Around(ctx, "session.query", func(ctx context.Context) (err error) {
		rows, err = s.conn.QueryContext(ctx, query) //nolint:rowserrcheck,sqlclosecheck // the caller does both
		return err
	})
	if err != nil {
		if rows != nil { // the fault came after the answer
			_ = rows.Close()
		}
		return nil, s.judge(err, false)
	}
	return rows, nil
}

// Begin starts a transaction.
func (s *Session) Begin(ctx context.Context) error {
	if s.inTx {
		return errors.New("begin: the session has a transaction already")
	}
	if _, err := s.send(ctx, "session.begin", "START TRANSACTION"); err != nil {
		return s.judge(err, false)
	}
	s.inTx = true
	return nil
}

// Commit ends the transaction. Everything but success and a conflict
// (IsDeadlock) is ErrUnknownOutcome: parts of a transaction over several shards
// may have been committed.
func (s *Session) Commit(ctx context.Context) error {
	if !s.inTx {
		return errors.New("commit: the session has no transaction")
	}
	_, err := s.send(ctx, "session.commit", "COMMIT")
	s.inTx = false
	switch {
	case err == nil:
		return nil
	case mysqlconn.Number(err) != 0 && !mysqlconn.IsConnectionLost(err) && !mysqlconn.IsDeadlock(err):
		s.end()
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, mysqlconn.Fault(err, "commit"))
	default:
		return s.judge(err, true)
	}
}

// Rollback ends the transaction without effect, also when ctx has ended. A
// session whose connection is lost has nothing to roll back.
func (s *Session) Rollback(ctx context.Context) error {
	if !s.inTx || s.ended {
		s.inTx = false
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := s.send(ctx, "session.rollback", "ROLLBACK")
	s.inTx = false
	if err == nil {
		return nil
	}
	lost := mysqlconn.IsConnectionLost(err)
	s.end() // an open transaction must not go on in a pool
	if lost {
		return nil
	}
	return fmt.Errorf("roll back: %w", mysqlconn.Fault(err, "destination"))
}

// judge turns an error into a fault and ends the session when its connection
// is gone. sent means that a lost answer leaves the outcome open.
func (s *Session) judge(err error, sent bool) error {
	gone := mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err)
	if gone {
		s.end()
	}
	// database/sql gives ErrBadConn and ErrConnDone only when nothing was sent.
	unsent := errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
	out := mysqlconn.Fault(err, "destination")
	if errors.Is(err, sql.ErrConnDone) {
		out = fault.ConnectionLost.Wrap(driver.ErrBadConn, "destination")
	}
	if gone && sent && !unsent {
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, out)
	}
	return out
}

func (s *Session) end() {
	if !s.ended {
		s.ended = true
		discard(s.conn)
	}
}

// Close closes the connection itself, so that the server ends what is open on
// it. It may be called again.
func (s *Session) Close() error {
	s.end()
	return nil
}

// discard closes a connection instead of giving it back to the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
