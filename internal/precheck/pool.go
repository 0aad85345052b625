package precheck

import (
	"context"
	"sync"
	"time"

	"shardlift/internal/contract"
)

// keep is how long an Env that nobody uses waits for the next item of its run.
const keep = 10 * time.Second

// Pool lets the items of one run share an Env. An item that is run again gets a
// fresh Env, so that "check again" sees what was changed. It is safe for
// concurrent use.
type Pool struct {
	mu     sync.Mutex
	envs   map[poolKey]*pooled
	closed bool
}

type poolKey struct {
	taskID     string
	revision   int
	afterReset bool
}

type pooled struct {
	env   *Env
	ran   map[string]bool
	users int
	timer *time.Timer // runs while nobody uses the Env
}

// NewPool makes an empty pool.
func NewPool() *Pool { return &Pool{envs: map[poolKey]*pooled{}} }

// Run runs one item of a revision of a task.
func (p *Pool) Run(ctx context.Context, c Config, revision int, code string) (contract.PrecheckItemResult, error) {
	key := poolKey{c.TaskID + c.Scope, revision, c.AfterReset}
	shared := p.take(key, c, code)
	defer p.release(key, shared)
	return Run(ctx, shared.env, code)
}

func (p *Pool) take(key poolKey, c Config, code string) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.envs[key]
	if !ok || e.ran[code] {
		if ok && e.users == 0 {
			e.timer.Stop()
			_ = e.env.Close()
		}
		e = &pooled{env: NewEnv(c), ran: map[string]bool{}}
		p.envs[key] = e
	}
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	e.ran[code] = true
	e.users++
	return e
}

func (p *Pool) release(key poolKey, e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	switch {
	case e.users > 0:
	case p.closed || p.envs[key] != e:
		_ = e.env.Close()
	default:
		e.timer = time.AfterFunc(keep, func() { p.expire(key, e) })
	}
}

func (p *Pool) expire(key poolKey, e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.envs[key] == e && e.users == 0 {
		delete(p.envs, key)
		_ = e.env.Close()
	}
}

// Close closes what nobody uses; the rest is closed by its last user.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for key, e := range p.envs {
		if e.users == 0 {
			e.timer.Stop()
			_ = e.env.Close()
			delete(p.envs, key)
		}
	}
	return nil
}
