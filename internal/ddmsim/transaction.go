package ddmsim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vitess.io/vitess/go/sqltypes"
)

// transaction holds one connection per shard it touched. It commits in the
// order of the shards.
type transaction struct {
	broken bool // a part was rolled back: only ROLLBACK may follow
	xid    string

	mu    sync.Mutex
	order []*backend
}

var xaCounter atomic.Uint64

func (ss *session) newTransaction() *transaction {
	t := &transaction{}
	if ss.server.cfg.XA {
		t.xid = fmt.Sprintf("ddmsim.%s.%d.%d", ss.server.cfg.MetaDatabase, time.Now().UnixNano(), xaCounter.Add(1))
	}
	return t
}

// backend gives the transaction's connection to a shard, and begins there at
// the first use.
func (t *transaction) backend(ss *session, at place) (*backend, error) {
	t.mu.Lock()
	for _, b := range t.order {
		if b.at == at {
			t.mu.Unlock()
			return b, nil
		}
	}
	t.mu.Unlock()
	b, err := ss.borrow(at)
	if err != nil {
		return nil, err
	}
	begin := "BEGIN"
	if t.xid != "" {
		begin = "XA START " + quoteText(t.xid) + "," + quoteText(at.database)
	}
	if _, err := b.exec(begin, false); err != nil {
		b.broken = true
		ss.release(b)
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.order = append(t.order, b)
	return b, nil
}

// applyVars brings a changed session variable to the transaction's connections.
func (t *transaction) applyVars(vars map[string]string) error {
	for _, b := range t.order {
		if err := b.apply(vars); err != nil {
			return err
		}
	}
	return nil
}

func (ss *session) begin() error {
	if ss.tx != nil {
		if err := ss.commit(); err != nil {
			return err
		}
	}
	ss.tx = ss.newTransaction()
	return nil
}

// commit ends the transaction. One that lost a part rolls back and fails.
func (ss *session) commit() error {
	t := ss.tx
	if t == nil {
		return nil
	}
	if t.broken {
		ss.rollback()
		return sqlError(1003, "HY000", "ddmsim: Transaction error, need to rollback: it was rolled back")
	}
	ss.tx = nil
	defer ss.giveBack(t)
	slices.SortFunc(t.order, func(a, b *backend) int { return strings.Compare(a.at.database, b.at.database) })
	if t.xid != "" {
		return t.commitXA(ss)
	}
	return t.commitFree(ss)
}

// commitFree commits shard by shard; a failure leaves the first ones committed.
func (t *transaction) commitFree(ss *session) error {
	failAfter := -1
	if len(t.order) > 1 {
		if n, ok := ss.server.faults.failCommit(); ok {
			failAfter = n
		}
	}
	for i, b := range t.order {
		var err error
		if i == failAfter {
			err = errors.New("injected fault")
		} else {
			_, err = b.exec("COMMIT", false)
		}
		if err == nil {
			continue
		}
		for _, rest := range t.order[i:] {
			if _, rerr := rest.exec("ROLLBACK", false); rerr != nil {
				rest.broken = true
			}
		}
		if len(t.order) == 1 {
			return err
		}
		return sqlError(1105, "HY000", fmt.Sprintf("ddmsim: D-60: commit failed after %d of %d shards, which stay committed: %v", i, len(t.order), err))
	}
	return nil
}

func (t *transaction) xaName(b *backend) string {
	return quoteText(t.xid) + "," + quoteText(b.at.database)
}

// commitXA commits in one phase on one shard, in two phases on several.
func (t *transaction) commitXA(ss *session) error {
	failPrepare := false
	if len(t.order) > 1 {
		_, failPrepare = ss.server.faults.failCommit()
	}
	for i, b := range t.order {
		_, err := b.exec("XA END "+t.xaName(b), false)
		if err == nil && len(t.order) > 1 {
			_, err = b.exec("XA PREPARE "+t.xaName(b), false)
		}
		if err == nil && failPrepare && i == len(t.order)-1 {
			err = errors.New("injected fault")
		}
		if err != nil {
			t.rollbackXA()
			return sqlError(1105, "HY000", fmt.Sprintf("ddmsim: D-60: the transaction was rolled back on all shards: %v", err))
		}
	}
	var lost error
	for _, b := range t.order {
		phase := ""
		if len(t.order) == 1 {
			phase = " ONE PHASE"
		}
		if _, err := b.exec("XA COMMIT "+t.xaName(b)+phase, false); err != nil {
			b.broken = true
			lost = ss.finishXA(b, "XA COMMIT "+t.xaName(b), err)
		}
	}
	return lost
}

// finishXA commits a prepared branch from another connection: after the
// decision a branch must not stay behind.
func (ss *session) finishXA(b *backend, commit string, cause error) error {
	ctx, cancel := context.WithTimeout(ss.server.ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ss.server.pool.once(ctx, place{node: b.at.node}, func(b *backend) error { _, err := b.exec(commit, false); return err })
		if err == nil || errorCode(err) == 1397 {
			return nil
		}
		select {
		case <-ctx.Done():
			return sqlError(1105, "HY000", fmt.Sprintf("ddmsim: D-60: commit on shard %s is in doubt: %v", b.at.database, cause))
		case <-tick.C:
		}
	}
}

func (t *transaction) rollbackXA() {
	for _, b := range t.order {
		// END fails where it was done before; ROLLBACK works from both states.
		_, _ = b.exec("XA END "+t.xaName(b), false)
		if _, err := b.exec("XA ROLLBACK "+t.xaName(b), false); err != nil {
			b.broken = true
		}
	}
}

func (ss *session) rollback() {
	t := ss.tx
	if t == nil {
		return
	}
	ss.tx = nil
	if t.xid != "" {
		t.rollbackXA()
	} else {
		for _, b := range t.order {
			if _, err := b.exec("ROLLBACK", false); err != nil {
				b.broken = true
			}
		}
	}
	ss.giveBack(t)
}

func (ss *session) giveBack(t *transaction) {
	for _, b := range t.order {
		ss.release(b)
	}
}

// recoverXA rolls back branches that a killed simulator left prepared: it
// reported none of them as committed.
func (s *Server) recoverXA(ctx context.Context) error {
	prefix := "ddmsim." + s.cfg.MetaDatabase + "."
	for n := range s.cfg.Nodes {
		err := s.pool.once(ctx, place{node: n}, func(b *backend) error {
			r, err := b.exec("XA RECOVER", false)
			if err != nil {
				return err
			}
			for _, row := range r.Rows {
				split, _ := row[1].ToInt()
				data := row[3].ToString()
				if !strings.HasPrefix(data, prefix) || split > len(data) || !s.ownsDatabase(data[split:]) {
					continue
				}
				if _, err := b.exec("XA ROLLBACK "+quoteText(data[:split])+","+quoteText(data[split:]), false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && s.cfg.XA { // the right to ask matters with XA only
			return fmt.Errorf("roll back prepared transactions: %w", err)
		}
	}
	return nil
}

func (s *Server) ownsDatabase(database string) bool {
	i := strings.LastIndexByte(database, '_')
	return i > 0 && slices.Contains(s.cfg.Schemas, database[:i])
}

// call is one statement for one shard.
type call struct {
	shard int
	sql   string
}

// each runs the calls: shards in parallel, the calls of a shard in order. The
// results come in the order of the calls.
func (ss *session) each(schema string, calls []call, binary bool) ([]*sqltypes.Result, error) {
	results := make([]*sqltypes.Result, len(calls))
	byShard := map[int][]int{}
	for i, c := range calls {
		byShard[c.shard] = append(byShard[c.shard], i)
	}
	work := func(shard int, indexes []int) error {
		b, done, err := ss.loan(ss.server.placeOf(schema, shard))
		if err != nil {
			return err
		}
		defer done()
		for _, i := range indexes {
			if results[i], err = b.exec(calls[i].sql, binary); err != nil {
				return err
			}
		}
		return nil
	}
	if len(byShard) == 1 {
		return results, ss.after(work(calls[0].shard, byShard[calls[0].shard]))
	}
	shards := slices.Sorted(maps.Keys(byShard))
	failed := make([]error, len(shards))
	var all sync.WaitGroup
	for i, shard := range shards {
		all.Go(func() { failed[i] = work(shard, byShard[shard]) })
	}
	all.Wait()
	var first error // the lowest shard's, whichever came first
	for _, err := range failed {
		if err = ss.after(err); first == nil {
			first = err
		}
	}
	return results, first
}

// write runs the calls as one statement: in autocommit mode with several
// shards or several physical tables inside a transaction of its own, so that a
// refused row leaves nothing behind.
func (ss *session) write(schema string, calls []call) ([]*sqltypes.Result, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	ss.beginImplicit()
	if ss.tx != nil || len(calls) == 1 {
		results, err := ss.each(schema, calls, false)
		if err != nil && ss.tx != nil && len(calls) > 1 {
			if ss.server.cfg.SilentRollback {
				ss.rollback()
				return results, err
			}
			ss.tx.broken = true // some shards may have the statement, some not
		}
		return results, err
	}
	ss.tx = ss.newTransaction()
	// A lock is never waited for in two shards' orders by one client: sort.
	slices.SortStableFunc(calls, func(a, b call) int { return a.shard - b.shard })
	results, err := ss.each(schema, calls, false)
	if err != nil {
		ss.rollback()
		return nil, err
	}
	return results, ss.commit()
}

// beginImplicit opens the transaction of autocommit=0.
func (ss *session) beginImplicit() {
	if ss.tx == nil && !ss.autocommit {
		ss.tx = ss.newTransaction()
	}
}
