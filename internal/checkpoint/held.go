package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
)

// transactionOf is transaction for the owners of units. Its connection is recorded
// as theirs, so that the next owner ends it: when the owner's host is gone in the
// middle, the server hears nothing of it, and the transaction would hold its rows
// for hours.
func (s *Store) transactionOf(ctx context.Context, fences []*Fence, f func(tx *sql.Tx) error) error {
	return retryConflict(ctx, func() (err error) {
		conn, end, err := s.conn(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		for _, fence := range fences {
			forget, err := fence.record(ctx, conn)
			if err != nil {
				return err
			}
			defer forget()
		}
		tx, err := s.beginOn(ctx, conn)
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			_ = tx.Rollback()
			return err
		}
		err = faultpoint.Around(ctx, "checkpoint.commit", func(context.Context) error { return tx.Commit() })
		if err != nil {
			_ = tx.Rollback() // it says that the transaction has ended
		}
		return mysqlconn.Fault(err, "metadata")
	})
}

// conn is the turn's connection, or one of the pool until end.
func (s *Store) conn(ctx context.Context) (conn *sql.Conn, end func() error, err error) {
	if s.turn != nil {
		return s.turn.conn, func() error { return nil }, nil
	}
	conn, err = s.d.DB().Conn(ctx)
	if err != nil {
		return nil, nil, mysqlconn.Fault(err, "metadata")
	}
	return conn, func() error {
		if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
			return fmt.Errorf("give a connection back: %w", err)
		}
		return nil
	}, nil
}

// record records a connection of the metadata as the unit's, on that connection
// itself: a lane has no other one for its metadata. forget takes that back.
func (f *Fence) record(ctx context.Context, conn *sql.Conn) (forget func(), err error) {
	id, err := f.idOf(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("ask the connection id: %w", err)
	}
	name, token := f.store.t(tableConnection), str(f.token.String())
	where := f.store.whereUnit(f.unit) + " AND id = " + string(str(id))
	n, err := run(ctx, conn, fmt.Sprintf("UPDATE %s SET token = %s, counter = counter + 1 WHERE %s", name, token, where))
	if err == nil && n == 0 {
		_, err = run(ctx, conn, fmt.Sprintf("INSERT INTO %s (task, unit, id, token, counter) VALUES (%s, %s, %s, %s, 1)", name, f.store.task, str(f.unit), str(id), token))
	}
	if err != nil {
		return nil, fmt.Errorf("record a connection of %s: %w", f.unit, err)
	}
	return func() { _, _ = run(ctx, conn, fmt.Sprintf("DELETE FROM %s WHERE %s", name, where)) }, nil // else the next owner does it
}

// idOf asks each connection once.
func (f *Fence) idOf(ctx context.Context, conn *sql.Conn) (string, error) {
	var of any
	if err := conn.Raw(func(c any) error { of = c; return nil }); err != nil {
		return "", mysqlconn.Fault(err, "metadata")
	}
	f.mu.Lock()
	id := f.metadata[of]
	f.mu.Unlock()
	if id != "" {
		return id, nil
	}
	id, err := f.store.d.ConnectionID(ctx, conn)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.metadata == nil {
		f.metadata = map[any]string{}
	}
	f.metadata[of] = id
	return id, nil
}
