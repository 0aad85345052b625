package destination

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// ScratchTable is the table that ProbeEffects writes; checkpoint creates it
// with ScratchDDL in the metadata schema.
const ScratchTable = "shardlift_scratch"

// ScratchDDL creates ScratchTable in the current schema.
const ScratchDDL = "CREATE TABLE " + ScratchTable + " (id VARCHAR(64) NOT NULL, word VARCHAR(4) NOT NULL, counter BIGINT NOT NULL, PRIMARY KEY (id)) " +
	"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

// lockPatience is how long a second writer waits before a row lock counts as
// working; killPatience how long a killed connection may still answer.
const (
	lockPatience = time.Second
	killPatience = 3 * time.Second
)

// ProbeEffects finds out by trying, on a row of its own in ScratchTable of a
// schema, what no variable tells, and makes it known. It takes about two
// seconds and ends connections that it opened itself only.
func (d *Destination) ProbeEffects(ctx context.Context, schema string) (Effects, error) {
	p, err := d.newProbe(ctx, schema)
	if err != nil {
		return Effects{}, fmt.Errorf("probe the destination: %w", err)
	}
	e, err := p.run(ctx)
	if err := errors.Join(err, p.close(ctx)); err != nil {
		return e, fmt.Errorf("probe the destination: %w", err)
	}
	d.SetEffects(e)
	return e, nil
}

type probe struct {
	d      *Destination
	a, b   *Session
	row    string // the row's condition
	table  string
	insert string
}

func (d *Destination) newProbe(ctx context.Context, schema string) (*probe, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("make a scratch id: %w", err)
	}
	id := hex.EncodeToString(random)
	p := &probe{d: d, table: dialect.QuoteName(schema, ScratchTable), row: " WHERE id = '" + id + "'"}
	p.insert = "INSERT INTO " + p.table + " (id, word, counter) VALUES ('" + id + "', "
	var err error
	if p.a, err = d.Session(ctx); err != nil {
		return nil, err
	}
	if p.b, err = d.Session(ctx); err != nil {
		return nil, errors.Join(err, p.a.Close())
	}
	return p, nil
}

func (p *probe) close(ctx context.Context) error {
	err := p.renew(ctx, &p.b)
	if err == nil {
		_, err = p.b.Exec(ctx, "DELETE FROM "+p.table+p.row)
	}
	return errors.Join(err, p.a.Close(), p.b.Close())
}

// renew replaces a session that a step used up.
func (p *probe) renew(ctx context.Context, s **Session) error {
	_ = (*s).Close() // first: the pool may be small
	fresh, err := p.d.Session(ctx)
	if err != nil {
		return err
	}
	*s = fresh
	return nil
}

func (p *probe) run(ctx context.Context) (Effects, error) {
	var e Effects
	if err := p.strict(ctx); err != nil {
		return e, err
	}
	if _, err := p.a.Exec(ctx, p.insert+"'a', 0)"); err != nil {
		return e, err
	}
	affected, err := p.a.Exec(ctx, "UPDATE "+p.table+" SET word = 'a'"+p.row)
	if err != nil {
		return e, err
	}
	e.FoundRows = affected != 0
	if e.Lock, err = p.lock(ctx); err != nil {
		return e, err
	}
	e.Kill, err = p.kill(ctx)
	return e, err
}

// strict makes sure that a value that does not fit is refused.
func (p *probe) strict(ctx context.Context) error {
	_, err := p.a.Exec(ctx, p.insert+"'too long', 0)")
	if err == nil {
		_, err = p.a.Exec(ctx, "DELETE FROM "+p.table+p.row)
		return errors.Join(fault.SessionVariable.New("sql_mode", "a value that is too long was cut and stored"), err)
	}
	if mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err) || mysqlconn.IsAccessDenied(err) {
		return err
	}
	return nil
}

func (p *probe) lock(ctx context.Context) (string, error) {
	for _, form := range []string{LockShare, LockUpdate} {
		holds, err := p.holds(ctx, form)
		if err != nil {
			return LockNone, err
		}
		if holds {
			return form, nil
		}
	}
	return LockNone, nil
}

// holds says whether a row read with the lock form by a cannot be written by b
// while a's transaction is open.
func (p *probe) holds(ctx context.Context, form string) (bool, error) {
	if err := p.a.Begin(ctx); err != nil {
		return false, err
	}
	rows, err := p.a.Query(ctx, "SELECT counter FROM "+p.table+p.row+LockClause(form))
	if err != nil {
		refused := mysqlconn.Number(err) != 0 && !mysqlconn.IsConnectionLost(err)
		err2 := p.a.Rollback(ctx)
		if refused {
			return false, err2
		}
		return false, errors.Join(err, err2)
	}
	if _, err := readRecords(rows); err != nil { // the lock is complete when the result has been read
		return false, errors.Join(mysqlconn.Fault(err, "destination"), p.a.Rollback(ctx))
	}
	short, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	_, err = p.b.Exec(short, "UPDATE "+p.table+" SET counter = counter + 1"+p.row)
	waited := err != nil && (short.Err() != nil || mysqlconn.IsDeadlock(err))
	back := p.a.Rollback(ctx)
	if err != nil {
		back = errors.Join(back, p.renew(ctx, &p.b))
	}
	if err != nil && !waited {
		return false, errors.Join(err, back)
	}
	return waited && ctx.Err() == nil, back
}

// LockClause is what follows a SELECT to take the form's row lock.
func LockClause(form string) string {
	switch form {
	case LockShare:
		return " LOCK IN SHARE MODE"
	case LockUpdate:
		return " FOR UPDATE"
	default:
		return ""
	}
}

// kill ends a by b and sees whether a still answers.
func (p *probe) kill(ctx context.Context) (string, error) {
	if p.d.info.Kind == dialect.Vitess {
		return KillNone, nil // a vtgate's connection ids are its own: another one would kill a stranger
	}
	number, _ := splitID(p.a.ID())
	_, err := p.b.Exec(ctx, "KILL "+strconv.FormatUint(number, 10))
	if err != nil && (mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err)) {
		return KillNone, err
	}
	if err == nil {
		dead, err := p.dies(ctx)
		if err != nil || dead {
			return KillConnection, err
		}
	}
	physical, err := understandsSession(ctx, p.b, "SHOW PHYSICAL PROCESSLIST")
	if err != nil || !physical {
		return KillNone, err
	}
	return KillPhysical, nil
}

func (p *probe) dies(ctx context.Context) (bool, error) {
	deadline := time.Now().Add(killPatience)
	for time.Now().Before(deadline) {
		_, err := p.a.Exec(ctx, "UPDATE "+p.table+" SET counter = counter + 1"+p.row)
		if err != nil {
			return mysqlconn.IsConnectionLost(err), ctx.Err()
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

func understandsSession(ctx context.Context, s *Session, statement string) (bool, error) {
	rows, err := s.Query(ctx, statement)
	if err != nil {
		if mysqlconn.Number(err) != 0 && !mysqlconn.IsConnectionLost(err) {
			return false, nil
		}
		return false, err
	}
	defer func() { _ = rows.Close() }()
	return true, rows.Err()
}

// pause waits without outliving the context.
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
