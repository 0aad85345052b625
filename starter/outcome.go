package main

import (
	"context"

	"shardlift/web/api"
)

// outcome is a response that brings an Outcome.
type outcome interface {
	answer
	GetJSON200() *api.Outcome
}

// tell prints what a command brought about; what says it in words ("pause accepted").
func (a *app) tell(task, what string, r outcome) error {
	if a.json() {
		return a.printJSON(r.GetBody())
	}
	o := r.GetJSON200()
	if o == nil {
		return a.say("%s: %s", task, what)
	}
	return a.say("%s: %s; status %s, phase %s, revision %d", task, what, label(o.Status), o.Phase, o.Revision)
}

// command sends one command and prints its outcome.
func command[R outcome](a *app, task, what string, send func(c *api.ClientWithResponses) (R, error)) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	r, err := answered(send(c))
	if err != nil {
		return err
	}
	return a.tell(task, what, r)
}

// getTask reads a task.
func getTask(ctx context.Context, c *api.ClientWithResponses, id string) (*api.Task, []byte, error) {
	r, err := answered(c.GetTaskWithResponse(ctx, id))
	if err != nil {
		return nil, nil, err
	}
	return r.JSON200, r.Body, nil
}
