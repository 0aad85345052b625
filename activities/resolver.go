package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/task"
)

// resolved is a task with its endpoints opened.
type resolved struct {
	contract.TaskRef
	Spec        task.Spec
	Source      task.Endpoint
	Destination task.Endpoint
}

// resolver turns a TaskRef into a resolved task: it asks the workflow for the
// sealed specification and keeps the last revision of each task.
type resolver struct {
	ask      func(ctx context.Context, taskID string) (contract.Endpoints, error)
	ring     *secret.KeyRing
	redactor *Redactor
	// certificates is the folder of certificates that endpoints name.
	certificates string

	mu     sync.Mutex
	cached map[string]*resolved
	order  []string // oldest first
}

// keptTasks bounds the cache; a task that fell out is asked again.
const keptTasks = 256

func newResolver(ask func(context.Context, string) (contract.Endpoints, error), ring *secret.KeyRing, redactor *Redactor) *resolver {
	return &resolver{ask: ask, ring: ring, redactor: redactor, cached: map[string]*resolved{}}
}

// task resolves a reference. A workflow that has moved on answers with its
// present revision, which is as good: the step that asked is about to be
// interrupted. Revision 0 is the present one.
func (r *resolver) task(ctx context.Context, ref contract.TaskRef) (*resolved, error) {
	r.mu.Lock()
	have := r.cached[ref.TaskID]
	r.mu.Unlock()
	if have != nil && ref.Revision != 0 && have.Revision == ref.Revision {
		return have, nil
	}
	e, err := r.ask(ctx, ref.TaskID)
	if err != nil {
		return nil, err
	}
	t := &resolved{TaskRef: contract.TaskRef{TaskID: ref.TaskID, Revision: e.Revision}, Spec: e.Spec}
	if t.Source, err = r.open(ref.TaskID, task.SourceSide, e.Spec.Source); err != nil {
		return nil, err
	}
	if t.Destination, err = r.open(ref.TaskID, task.DestinationSide, e.Spec.Destination); err != nil {
		return nil, err
	}
	r.keep(t)
	return t, nil
}

func (r *resolver) open(taskID string, side task.Side, s task.SealedSide) (task.Endpoint, error) {
	e, err := task.OpenEndpoint(taskID, side, s, r.ring)
	if err != nil {
		return task.Endpoint{}, fault.KeyMissing.Wrap(err, string(side))
	}
	if err := r.fill(side, &e.TLS); err != nil {
		return task.Endpoint{}, err
	}
	r.redactor.Learn(e)
	return e, nil
}

func (r *resolver) keep(t *resolved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.cached[t.TaskID]; !known {
		r.order = append(r.order, t.TaskID)
	}
	r.cached[t.TaskID] = t
	if len(r.order) > keptTasks {
		delete(r.cached, r.order[0])
		r.order = r.order[1:]
	}
}

// askTime bounds the query: without a worker of the control queue nobody answers.
const askTime = 10 * time.Second

func (a *Activities) askEndpoints(ctx context.Context, taskID string) (contract.Endpoints, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var e contract.Endpoints
	value, err := a.temporal.QueryWorkflow(ctx, contract.MigrationID(taskID), "", contract.QueryEndpoints)
	if err == nil {
		err = value.Get(&e)
	}
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return e, fault.UnknownTask.New("task "+taskID, "")
	}
	if err != nil {
		return e, fmt.Errorf("ask task %s for its endpoints: %w", taskID, err)
	}
	return e, nil
}
