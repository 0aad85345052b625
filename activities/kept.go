package activities

import (
	"errors"
	"sync"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
)

// keptFor is how long metadata that was read for a page stays open for the next.
const keptFor = 15 * time.Second

// stores keeps the metadata of tasks open between pages: to find out what a
// destination is takes far longer than the page itself. An entry belongs to one
// revision of a task, so that new credentials are used at once. It is safe for
// concurrent use.
type stores struct {
	mu     sync.Mutex
	open   map[contract.TaskRef]*keptStore
	closed bool
}

type keptStore struct {
	dst   *destination.Destination
	store *checkpoint.Store
	users int
	timer *time.Timer // runs while nobody uses it
}

func newStores() *stores { return &stores{open: map[contract.TaskRef]*keptStore{}} }

// read runs f, which only reads, on the metadata of a task: on what is open, and
// if that fails, or none is, on what open opens.
func (s *stores) read(ref contract.TaskRef, open func() (*destination.Destination, *checkpoint.Store, error), f func(*checkpoint.Store) error) error {
	if e := s.take(ref); e != nil {
		err := f(e.store)
		s.release(ref, e, err == nil)
		if err == nil {
			return nil
		}
	}
	d, store, err := open()
	if err != nil {
		return err
	}
	e := &keptStore{dst: d, store: store, users: 1}
	err = f(store)
	s.release(ref, e, err == nil)
	return err
}

func (s *stores) take(ref contract.TaskRef) *keptStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.open[ref]
	if e == nil {
		return nil
	}
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	e.users++
	return e
}

// release gives an entry back, a new one for the first time. One that failed is
// closed, as is one that another has taken the place of.
func (s *stores) release(ref contract.TaskRef, e *keptStore, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	switch there := s.open[ref]; {
	case good && !s.closed && there == nil:
		s.open[ref] = e
	case (!good || s.closed) && there == e:
		delete(s.open, ref)
	}
	switch {
	case e.users > 0:
	case s.open[ref] == e:
		e.timer = time.AfterFunc(keptFor, func() { s.expire(ref, e) })
	default:
		_ = e.dst.Close()
	}
}

func (s *stores) expire(ref contract.TaskRef, e *keptStore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[ref] == e && e.users == 0 {
		delete(s.open, ref)
		_ = e.dst.Close()
	}
}

// Close closes what nobody uses; the rest is closed by its last user.
func (s *stores) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for ref, e := range s.open {
		if e.users == 0 {
			e.timer.Stop()
			errs = append(errs, e.dst.Close())
			delete(s.open, ref)
		}
	}
	return errors.Join(errs...)
}
