package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/web/api"
)

// Bounds of a batch: how many tasks it may name, how many are commanded at once.
const (
	batchTasks  = 100
	batchAtOnce = 8
)

// Batch gives one command to many tasks. Each answers for itself: a refused one
// holds up no other (drs.md L-20).
func (h *handlers) Batch(ctx context.Context, r api.BatchRequestObject) (api.BatchResponseObject, error) {
	b := value(r.Body)
	if !b.Command.Valid() {
		return nil, invalid("command", "must be precheck, start, pause, resume, retry, stop, reset or delete")
	}
	if len(b.Tasks) == 0 || len(b.Tasks) > batchTasks {
		return nil, invalid("tasks", fmt.Sprintf("must be 1 to %d ids or names", batchTasks))
	}
	out := api.Batch200JSONResponse{Results: make([]api.BatchedTask, len(b.Tasks))}
	var g errgroup.Group
	g.SetLimit(batchAtOnce)
	for i, name := range b.Tasks {
		g.Go(func() error {
			out.Results[i] = h.batched(ctx, name, b, r.Params.IdempotencyKey)
			return nil
		})
	}
	return out, g.Wait()
}

func (h *handlers) batched(ctx context.Context, name string, b api.BatchCommand, key *string) api.BatchedTask {
	operation, err := h.one(ctx, name, b, key)
	out := api.BatchedTask{Task: name, State: api.BatchedTaskState(operation.State), OperationID: orNull(operation.ID)}
	if err == nil {
		return out
	}
	p := problem(err)
	out.State, out.Problem = "failed", &p
	if p.OperationID != nil {
		out.State, out.OperationID = "unknown", p.OperationID
	}
	return out
}

// one carries the command out for one task.
func (h *handlers) one(ctx context.Context, name string, b api.BatchCommand, key *string) (control.Operation, error) {
	id, err := h.service.Resolve(ctx, name)
	if err != nil {
		return control.Operation{}, err
	}
	c := command(ctx, nil)
	done := func(o control.Outcome, err error) (control.Operation, error) {
		return control.Operation{ID: o.OperationID, State: "done"}, err
	}
	switch b.Command {
	case "precheck":
		return done(control.Send(ctx, h.service, id, contract.UpdatePrecheck, contract.PrecheckRequest{Command: c}, value(key)))
	case "start":
		return done(control.Send(ctx, h.service, id, contract.UpdateStart, contract.StartRequest{Command: c}, value(key)))
	case "pause":
		return done(control.Send(ctx, h.service, id, contract.UpdatePause, contract.PauseRequest{Command: c}, value(key)))
	case "resume":
		return done(control.Send(ctx, h.service, id, contract.UpdateResume, contract.ResumeRequest{Command: c}, value(key)))
	case "retry":
		return done(control.Send(ctx, h.service, id, contract.UpdateRetry, contract.RetryRequest{Command: c}, value(key)))
	case "stop":
		return done(control.Send(ctx, h.service, id, contract.UpdateStop, contract.StopRequest{Command: c, Incomplete: value(b.Incomplete), Force: value(b.Force)}, value(key)))
	case "reset":
		return done(control.Send(ctx, h.service, id, contract.UpdateReset, contract.ResetRequest{Command: c, TruncateDestination: value(b.TruncateDestination)}, value(key)))
	default:
		return h.service.Delete(ctx, id, actor(ctx))
	}
}
