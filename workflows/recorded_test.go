package workflows

import "sync"

// recorded collects what played activities were given; lanes and watch call
// theirs at the same time.
type recorded[T any] struct {
	mu   sync.Mutex
	list []T
}

// add appends and returns how many there are.
func (r *recorded[T]) add(v T) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, v)
	return len(r.list)
}

func (r *recorded[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T(nil), r.list...)
}
