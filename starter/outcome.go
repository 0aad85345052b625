package main

import (
	"context"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

// outcome is a response that brings an Outcome.
type outcome interface {
	answer
	GetJSON200() *api.Outcome
	GetJSON202() *api.Operation
}

// ended waits for a command that goes on, and returns what it brought about.
func (a *app) ended(ctx context.Context, c *api.ClientWithResponses, r outcome) (*api.Outcome, []byte, error) {
	running := r.GetJSON202()
	if running == nil {
		return r.GetJSON200(), r.GetBody(), nil
	}
	a.note("the task has accepted the command and carries it out; Ctrl-C leaves it to the server (operation %s)", running.ID)
	o, body, err := a.awaitOperation(ctx, c, running.ID)
	switch {
	case err != nil:
		return nil, nil, err
	case o.Problem != nil:
		return nil, nil, &refusal{*o.Problem}
	case o.Result == nil:
		return nil, nil, fault.OutcomeLost.New("operation "+o.ID, "it is %s", o.State)
	}
	return o.Result, body, nil
}

// tell prints what a command brought about; what says it in words ("pause accepted").
func (a *app) tell(ctx context.Context, c *api.ClientWithResponses, task, what string, r outcome) error {
	o, body, err := a.ended(ctx, c, r)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(body)
	}
	if o == nil {
		return a.say("%s: %s", task, what)
	}
	return a.say("%s: %s; status %s, phase %s, revision %d", task, what, label(o.Status), o.Phase, o.Revision)
}

// awaitOperation waits until an operation has ended.
func (a *app) awaitOperation(ctx context.Context, c *api.ClientWithResponses, id string) (*api.Operation, []byte, error) {
	p := patience{a: a}
	for {
		r, err := answered(c.GetOperationWithResponse(ctx, id))
		if err == nil && r.JSON200.State != "running" {
			return r.JSON200, r.Body, nil
		}
		if err := p.bear(err); err != nil {
			return nil, nil, err
		}
		if err := pause(ctx, a.poll); err != nil {
			return nil, nil, err
		}
	}
}

// command sends one command and prints its outcome.
func command[R outcome](ctx context.Context, a *app, task, what string, send func(c *api.ClientWithResponses) (R, error)) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	r, err := answered(send(c))
	if err != nil {
		return err
	}
	return a.tell(ctx, c, task, what, r)
}

// getTask reads a task.
func getTask(ctx context.Context, c *api.ClientWithResponses, id string) (*api.Task, []byte, error) {
	r, err := answered(c.GetTaskWithResponse(ctx, id))
	if err != nil {
		return nil, nil, err
	}
	return r.JSON200, r.Body, nil
}
