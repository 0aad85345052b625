package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// acquirePatience is how long Acquire waits for an older attempt's transaction.
const acquirePatience = time.Minute

// lockSlots is the number of fence rows per shard where only FOR UPDATE works:
// sessions of one attempt would wait for each other on a single row.
const lockSlots = 16

// Acquire makes the caller the owner of a unit ("copy/3", "apply/0") and
// returns when no older attempt can commit a data write any more:
//
//  1. the owner row takes the token, so that older ones register nothing more;
//  2. the connections that older ones have recorded are killed and seen gone;
//  3. every fence row takes the token, which waits for transactions that hold it;
//  4. the owner row says owned.
//
// schemas are the destination schemas the unit writes. confirmed is the
// operator's word that no older writer lives; it counts only where neither KILL
// nor row locks pass the destination. Faults: Fenced when a newer owner is
// there, FenceHeld, ConnectionStays and FenceUnconfirmed. The same token may
// acquire again.
func (s *Store) Acquire(ctx context.Context, unit string, t Token, schemas []string, confirmed bool) (*Fence, error) {
	f := &Fence{store: s, unit: unit, token: t, slots: map[string]int{}, threads: map[string]bool{}, slotCount: 1}
	if s.d.Info().Lock == destination.LockUpdate {
		f.slotCount = lockSlots
	}
	// Before, too: an older one whose host is gone may hold the owner row.
	if err := f.killOlder(ctx, false); err != nil {
		return nil, fmt.Errorf("acquire %s: %w", unit, err)
	}
	before, err := s.claimOwner(ctx, unit, t)
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", unit, err)
	}
	if err := f.shutOut(ctx, before, schemas, confirmed); err != nil {
		return nil, fmt.Errorf("acquire %s: %w", unit, err)
	}
	if err := s.setOwner(ctx, unit, t, ownerOwned); err != nil {
		return nil, fmt.Errorf("acquire %s: %w", unit, err)
	}
	if err := s.takeOver(ctx, unit, t); err != nil {
		return nil, fmt.Errorf("acquire %s: %w", unit, err)
	}
	return f, nil
}

func (f *Fence) shutOut(ctx context.Context, before *owner, schemas []string, confirmed bool) error {
	info := f.store.d.Info()
	if before != nil && before.state != ownerReleased && info.Lock == destination.LockNone && info.Kill != destination.KillConnection && !confirmed {
		return fault.FenceUnconfirmed.New(f.unit, "")
	}
	if err := f.killOlder(ctx, false); err != nil {
		return err
	}
	for _, schema := range schemas {
		shards, err := f.store.ensureFence(ctx, schema)
		if err != nil {
			return fmt.Errorf("fence of schema %s: %w", schema, err)
		}
		if err := f.raise(ctx, schema, shards); err != nil {
			return fmt.Errorf("fence of schema %s: %w", schema, err)
		}
		if _, err := f.store.shardsOf(ctx, schema); err != nil {
			return fmt.Errorf("marks of schema %s: %w", schema, err)
		}
	}
	f.schemas = schemas
	older := fmt.Sprintf("token < %s", str(f.token.String()))
	return f.store.removeConnections(ctx, f.unit, older)
}

// killOlder ends the recorded connections of other attempts. Connections of the
// middleware to its data nodes are ended only when one of them blocks us: they
// are pooled, and may serve somebody else by now.
func (f *Fence) killOlder(ctx context.Context, blocked bool) error {
	recorded, err := f.store.olderConnections(ctx, f.unit, f.token)
	if err != nil {
		return err
	}
	physical := f.store.d.Info().Kill == destination.KillPhysical
	var ids []string
	for _, id := range recorded {
		if strings.Contains(id, "@") == physical {
			ids = append(ids, id)
		}
	}
	if f.store.d.Info().Kill == destination.KillNone || physical && !blocked {
		return nil
	}
	return f.store.d.Kill(ctx, ids)
}

// ensureFence makes the fence table of a schema and returns its shards.
func (s *Store) ensureFence(ctx context.Context, schema string) (int, error) {
	return s.spread(ctx, schema, tableFence, fenceStatement)
}

// spread makes a table that has rows on each physical shard of a schema, by
// their column shard, and returns the number of shards.
func (s *Store) spread(ctx context.Context, schema, name string, statement func(sharded bool) string) (int, error) {
	own := table.Name{Schema: schema, Table: prefix + name}
	shards, err := s.d.Spread(ctx, own, func() error { return s.createTable(ctx, schema, statement(false)) })
	if err != nil || shards > 0 {
		return shards, err
	}
	sharded := s.d.Info().Kind == dialect.DDM
	var n int64
	err = s.one(ctx, "SELECT COUNT(*) FROM "+dialect.QuoteName(own.Schema, own.Table)+" WHERE task = "+string(s.task), &n)
	if mysqlconn.Number(err) == errNoTable {
		err = s.createTable(ctx, schema, statement(sharded))
	}
	if err != nil || !sharded {
		return 1, err
	}
	p, err := s.d.Placement(ctx, own)
	return max(1, p.Database.Count), err
}

func (s *Store) fenceTable(schema string) string {
	return dialect.QuoteName(schema, prefix+tableFence)
}

// raise writes the token into every fence row of the unit in a schema.
func (f *Fence) raise(ctx context.Context, schema string, shards int) error {
	session, err := f.store.d.Session(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	// Short waits, so that connections are looked for again; where it is refused
	// the destination's own limit counts.
	if _, err := session.Exec(ctx, "SET SESSION innodb_lock_wait_timeout = 1"); err != nil && mysqlconn.Number(err) == 0 {
		return err
	}
	if err := f.insertRows(ctx, session, schema, shards); err != nil {
		return err
	}
	deadline := time.Now().Add(acquirePatience)
	for shard := range shards {
		if err := f.raiseShard(ctx, session, schema, shard, deadline); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fence) insertRows(ctx context.Context, session *destination.Session, schema string, shards int) error {
	there := map[[2]int64]bool{}
	query := fmt.Sprintf("SELECT shard, slot FROM %s WHERE %s", f.store.fenceTable(schema), f.store.whereUnit(f.unit))
	err := f.store.each(ctx, query, func(scan func(...any) error) error {
		var k [2]int64
		if err := scan(&k[0], &k[1]); err != nil {
			return err
		}
		there[k] = true
		return nil
	})
	if err != nil {
		return err
	}
	for shard := range shards {
		for slot := range f.slotCount {
			if there[[2]int64{int64(shard), int64(slot)}] {
				continue
			}
			// An empty token is older than all: an attempt that inserts late opens nothing.
			_, err := session.Exec(ctx, fmt.Sprintf("INSERT INTO %s (task, unit, shard, slot, token, counter) VALUES (%s, %s, %d, %d, '', 1)",
				f.store.fenceTable(schema), f.store.task, str(f.unit), shard, slot))
			if err != nil && !mysqlconn.IsDuplicateKey(err) {
				return err
			}
		}
	}
	return nil
}

// raiseShard waits until no older transaction holds the shard's rows, then
// checks that the token stands in all of them.
func (f *Fence) raiseShard(ctx context.Context, session *destination.Session, schema string, shard int, deadline time.Time) error {
	where := fmt.Sprintf("%s AND shard = %d", f.store.whereUnit(f.unit), shard)
	mine := str(f.token.String())
	for {
		_, err := session.Exec(ctx, fmt.Sprintf("UPDATE %s SET token = %s, counter = counter + 1 WHERE %s AND token <= %s", f.store.fenceTable(schema), mine, where, mine))
		if err == nil {
			break
		}
		if !mysqlconn.IsDeadlock(err) {
			return err
		}
		if time.Now().After(deadline) {
			return fault.FenceHeld.Wrap(err, f.unit)
		}
		if err := f.killOlder(ctx, true); err != nil && !errors.Is(err, destination.ErrCannotKill) {
			return err
		}
	}
	var tokens []string
	rows, err := session.Query(ctx, fmt.Sprintf("%sSELECT token FROM %s WHERE %s", f.store.d.Hint(), f.store.fenceTable(schema), where))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var token string
		if err := rows.Scan(&token); err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	if err := rows.Err(); err != nil {
		return mysqlconn.Fault(err, schema)
	}
	if len(tokens) < f.slotCount {
		return fault.Fenced.New(f.unit, "fence rows have vanished")
	}
	for _, token := range tokens {
		if token != f.token.String() {
			return fault.Fenced.New(f.unit, "")
		}
	}
	return nil
}
