package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// turn is the right to change a task's plan: planning and a reset have it.
type turn struct {
	fence *Fence
	conn  *sql.Conn // recorded, so that a newer owner ends it
}

// planUnit is what planning and a reset own.
const planUnit = "plan"

// Turn makes the caller the only one who changes the task's plan, and returns the
// store to do it with: each change is a transaction that holds the owner row, so
// that an older attempt, frozen and continued, changes nothing any more. An older
// one's connection is ended where the destination can do that. end gives the turn
// back. Fault Fenced, also of each change, when a newer owner is there.
func (s *Store) Turn(ctx context.Context, t Token) (_ *Store, end func(context.Context) error, err error) {
	f := &Fence{store: s, unit: planUnit, token: t, slots: map[string]int{}, threads: map[string]bool{}, slotCount: 1}
	// Twice: an older one may hold the owner row, and may begin until it is ours.
	err = f.killOlder(ctx, false)
	if err == nil {
		_, err = s.claimOwner(ctx, planUnit, t)
	}
	if err == nil {
		err = f.killOlder(ctx, false)
	}
	if err == nil {
		err = s.removeConnections(ctx, planUnit, fmt.Sprintf("token < %s", str(t.String())))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("take the turn of planning: %w", err)
	}
	conn, err := s.d.DB().Conn(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("take the turn of planning: %w", mysqlconn.Fault(err, "metadata"))
	}
	id, err := s.d.ConnectionID(ctx, conn)
	if err == nil {
		err = s.addConnection(ctx, planUnit, id, t)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("take the turn of planning: %w", err), conn.Close())
	}
	mine := *s
	mine.turn = &turn{f, conn}
	return &mine, func(ctx context.Context) error { return errors.Join(f.Release(ctx), conn.Close()) }, nil
}

// begin opens a transaction; one of a turn holds the owner row until its end.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	if s.turn == nil {
		tx, err := s.d.DB().BeginTx(ctx, nil)
		return tx, mysqlconn.Fault(err, "metadata")
	}
	return s.beginOn(ctx, s.turn.conn)
}

// beginOn is begin on a connection, the turn's where there is one.
func (s *Store) beginOn(ctx context.Context, conn *sql.Conn) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, mysqlconn.Fault(err, "metadata")
	}
	if s.turn == nil {
		return tx, nil
	}
	if err := s.hold(ctx, tx, s.turn.fence); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}

// Truncate empties a destination table within a turn. The statement is not part of
// a transaction: whoever takes the next turn ends its connection first.
func (s *Store) Truncate(ctx context.Context, n table.Name) error {
	if s.turn == nil {
		return fmt.Errorf("truncate %s: not within a turn", n)
	}
	if err := s.transaction(ctx, func(*sql.Tx) error { return nil }); err != nil {
		return fmt.Errorf("truncate %s: %w", n, err)
	}
	if _, err := s.turn.conn.ExecContext(ctx, "TRUNCATE TABLE "+dialect.QuoteName(n.Schema, n.Table)); err != nil {
		return fmt.Errorf("truncate %s: %w", n, mysqlconn.Fault(err, n.String()))
	}
	return nil
}
