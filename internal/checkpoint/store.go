package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
)

// Store is the metadata of one task. It is safe for concurrent use; every
// method is durable when it returns without error.
type Store struct {
	d      *destination.Destination
	schema string
	taskID string
	task   literal
	// turn is what every change is made under, nil for none.
	turn *turn
}

var taskName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Open makes the tables when they are missing, notes the task, and sees to it
// that the destination's effects are known. It is idempotent.
func Open(ctx context.Context, d *destination.Destination, metadataSchema, taskID string) (*Store, error) {
	s, err := newStore(d, metadataSchema, taskID)
	if err != nil {
		return nil, err
	}
	if err := s.ensure(ctx); err != nil {
		return nil, fmt.Errorf("open metadata in %s: %w", metadataSchema, err)
	}
	if err := s.ensureEffects(ctx); err != nil {
		return nil, fmt.Errorf("open metadata in %s: %w", metadataSchema, err)
	}
	return s, nil
}

// Existing opens the metadata of a task without making anything; ok is false
// when the task has none there.
func Existing(ctx context.Context, d *destination.Destination, metadataSchema, taskID string) (s *Store, ok bool, err error) {
	if s, err = newStore(d, metadataSchema, taskID); err != nil {
		return nil, false, err
	}
	found, err := s.version(ctx)
	if err != nil || found == 0 {
		return nil, false, err
	}
	if err := s.migrate(ctx, found); err != nil {
		return nil, false, err
	}
	_, err = s.Epoch(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return s, true, s.ensureEffects(ctx)
}

func newStore(d *destination.Destination, schema, taskID string) (*Store, error) {
	if !taskName.MatchString(taskID) {
		return nil, fmt.Errorf("open metadata: %q is no task id", taskID)
	}
	if schema == "" {
		return nil, fault.MetadataSchema.New("destination.metadata_schema", "it is empty")
	}
	return &Store{d: d, schema: schema, taskID: taskID, task: str(taskID)}, nil
}

// t is the quoted name of a table of the metadata schema.
func (s *Store) t(name string) string { return dialect.QuoteName(s.schema, prefix+name) }

// exec runs one statement and returns the affected rows.
func (s *Store) exec(ctx context.Context, statement string) (n int64, err error) {
	if s.turn == nil {
		return run(ctx, s.d.DB(), statement)
	}
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		n, err = run(ctx, tx, statement)
		return err
	})
	return n, err
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// run is exec on a pool or a transaction. A lock conflict is repeated by
// retryConflict, not here.
func run(ctx context.Context, e execer, statement string) (int64, error) {
	var result sql.Result
	err := faultpoint.Around(ctx, "checkpoint.exec", func(ctx context.Context) (err error) {
		result, err = e.ExecContext(ctx, statement)
		return err
	})
	if err != nil {
		return 0, mysqlconn.Fault(err, object(statement))
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("read affected rows: %w", err)
	}
	return n, nil
}

// object names the table of a statement for an error.
func object(statement string) string {
	if at := strings.Index(statement, prefix); at >= 0 {
		return statement[at:][:len(prefix)+strings.IndexFunc(statement[at+len(prefix):]+" ", func(r rune) bool { return r < 'a' || r > 'z' })]
	}
	return "metadata"
}

// one scans the only row of a SELECT that names its table with t; sql.ErrNoRows
// when there is none.
func (s *Store) one(ctx context.Context, query string, into ...any) error {
	err := faultpoint.Around(ctx, "checkpoint.one", func(ctx context.Context) error {
		return s.d.DB().QueryRowContext(ctx, s.d.Hint()+query).Scan(into...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return mysqlconn.Fault(err, object(query))
}

// each calls scan for every row of a SELECT.
func (s *Store) each(ctx context.Context, query string, scan func(scan func(...any) error) error) error {
	return faultpoint.Around(ctx, "checkpoint.each", func(ctx context.Context) error { return s.readEach(ctx, query, scan) })
}

func (s *Store) readEach(ctx context.Context, query string, scan func(scan func(...any) error) error) (err error) {
	rows, err := s.d.ReadDB().QueryContext(ctx, s.d.Hint()+query)
	if err != nil {
		return mysqlconn.Fault(err, object(query))
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return err
		}
	}
	return mysqlconn.Fault(rows.Err(), object(query))
}

// conflicts is how often a transaction is repeated after a deadlock or a lock
// wait that took too long.
const conflicts = 10

// transaction runs f in one transaction and repeats it after lock conflicts.
func (s *Store) transaction(ctx context.Context, f func(tx *sql.Tx) error) error {
	return retryConflict(ctx, func() error {
		tx, err := s.begin(ctx)
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

func retryConflict(ctx context.Context, f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || !mysqlconn.IsDeadlock(err) || attempt == conflicts {
			return err
		}
		if err := wait(ctx, time.Duration(attempt)*10*time.Millisecond); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// put writes a row that there is one of: it raises and sets it, or inserts it.
// set is "a = 1, b = 2", columns and values are those of the INSERT.
func (s *Store) put(ctx context.Context, name, where, set, columns, values string) error {
	return retryConflict(ctx, func() error {
		n, err := s.exec(ctx, "UPDATE "+s.t(name)+" SET "+set+", counter = counter + 1 WHERE "+where)
		if err != nil || n > 0 {
			return err
		}
		_, err = s.exec(ctx, "INSERT INTO "+s.t(name)+" ("+columns+", counter) VALUES ("+values+", 1)")
		if mysqlconn.IsDuplicateKey(err) { // somebody inserted it meanwhile
			_, err = s.exec(ctx, "UPDATE "+s.t(name)+" SET "+set+", counter = counter + 1 WHERE "+where)
		}
		return err
	})
}
