package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// Fence is the right to write a unit, until a newer attempt acquires it. It is
// safe for concurrent use by sessions of one process.
type Fence struct {
	store     *Store
	unit      string
	token     Token
	schemas   []string
	slotCount int

	mu      sync.Mutex
	next    int
	slots   map[string]int            // fence row per session, by Session.ID
	threads map[string]bool           // physical connections recorded, by schema, shard and thread
	saved   map[int]position.Position // per group, by this fence
	// metadata are the ids of the metadata's connections, by driver connection.
	metadata map[any]string
}

// Unit returns what is fenced.
func (f *Fence) Unit() string { return f.unit }

// Token returns the attempt that holds the fence.
func (f *Fence) Token() Token { return f.token }

// Register records a session before its first write, so that a newer owner can
// end it. Fault Fenced when there is a newer owner: then it writes nothing.
func (f *Fence) Register(ctx context.Context, session *destination.Session) error {
	// Record, then look. A newer owner writes its token, then reads what is
	// recorded: one of the two sees the other.
	if err := f.store.addConnection(ctx, f.unit, session.ID(), f.token); err != nil {
		return err
	}
	now, err := f.store.owner(ctx, f.unit)
	if err != nil {
		return err
	}
	if now == nil || now.token != f.token.String() {
		return fault.Fenced.New(f.unit, "")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slots[session.ID()] = f.next % f.slotCount
	f.next++
	return nil
}

// Guard is the first statement of each data transaction of a registered
// session: it holds the fence row of a physical shard until the transaction
// ends. A shard below 0 stands for a transaction over several or unknown shards:
// it may take any row, on Vitess, which commits shard by shard, it takes all of
// them. Fault Fenced when a newer attempt has been there: roll back and end.
func (f *Fence) Guard(ctx context.Context, session *destination.Session, schema string, shard int) error {
	f.mu.Lock()
	slot, registered := f.slots[session.ID()]
	f.mu.Unlock()
	if !registered {
		return fmt.Errorf("guard %s: the session is not registered", f.unit)
	}
	info := f.store.d.Info()
	physical := info.Kill == destination.KillPhysical
	columns := "token"
	if physical {
		columns = "token, @@pseudo_thread_id" // the data node's own number (D-41)
	}
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s AND slot = %d", columns, f.store.fenceTable(schema), f.store.whereUnit(f.unit), slot)
	if shard >= 0 || info.Kind != dialect.Vitess {
		query += fmt.Sprintf(" AND shard = %d", max(shard, 0))
	}
	if info.Lock == destination.LockNone {
		query = f.store.d.Hint() + query
	}
	tokens, thread, err := guardTokens(ctx, session, query+destination.LockClause(info.Lock), physical)
	if err != nil {
		return fmt.Errorf("guard %s: %w", f.unit, err)
	}
	if len(tokens) == 0 || slices.ContainsFunc(tokens, func(t string) bool { return t != f.token.String() }) {
		return fault.Fenced.New(f.unit, "")
	}
	if physical {
		return f.recordPhysical(ctx, schema, max(shard, 0), thread)
	}
	return nil
}

func guardTokens(ctx context.Context, session *destination.Session, query string, physical bool) (tokens []string, thread string, err error) {
	rows, err := session.Query(ctx, query)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var token string
	into := []any{&token}
	if physical {
		into = append(into, &thread)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, "", err
		}
		tokens = append(tokens, token)
	}
	return tokens, thread, rows.Err()
}

// recordPhysical notes the middleware's connection that the open transaction
// uses, when it is a new one: only that can be killed where KILL does not pass.
func (f *Fence) recordPhysical(ctx context.Context, schema string, shard int, thread string) error {
	key := fmt.Sprintf("%s/%d/%s", schema, shard, thread)
	f.mu.Lock()
	known := f.threads[key]
	f.mu.Unlock()
	if known {
		return nil
	}
	id, err := f.store.d.PhysicalID(ctx, schema, shard, thread)
	if err == nil && id != "" {
		err = f.store.addConnection(ctx, f.unit, id, f.token)
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.threads[key] = true
	return nil
}

// Settle returns when none of the given sessions' transactions can commit any
// more: their connections are killed where that works, and the fence rows are
// raised, which waits for every transaction that holds one. Use it after a
// connection of one's own was lost, with every session of the fence closed.
func (f *Fence) Settle(ctx context.Context, sessions []string) error {
	if err := f.store.d.Kill(ctx, sessions); err != nil && !errors.Is(err, destination.ErrCannotKill) {
		return fmt.Errorf("settle %s: %w", f.unit, err)
	}
	f.mu.Lock()
	ids := make([]string, 0, len(sessions))
	for _, id := range sessions {
		delete(f.slots, id)
		ids = append(ids, string(str(id)))
	}
	f.mu.Unlock()
	for _, schema := range f.schemas {
		shards, err := f.store.ensureFence(ctx, schema)
		if err != nil {
			return fmt.Errorf("settle %s: %w", f.unit, err)
		}
		if err := f.raise(ctx, schema, shards); err != nil {
			return fmt.Errorf("settle %s: %w", f.unit, err)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return f.store.removeConnections(ctx, f.unit, "id IN ("+strings.Join(ids, ", ")+")")
}

// Release gives the unit up in order; call it with every session closed. The
// next owner then has nobody to wait for.
func (f *Fence) Release(ctx context.Context) error {
	if err := f.store.removeConnections(ctx, f.unit, fmt.Sprintf("token = %s", str(f.token.String()))); err != nil {
		return err
	}
	err := f.store.setOwner(ctx, f.unit, f.token, ownerReleased)
	if errors.Is(err, fault.Fenced) {
		return nil // a newer owner is there already
	}
	return err
}
