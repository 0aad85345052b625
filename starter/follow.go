package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// patience bears a server that is silent in the middle of a wait, for a while. A
// server that has never answered is not waited for.
type patience struct {
	a     *app
	met   bool
	since time.Time
}

// bear returns nil when it is worth to ask again after err.
func (p *patience) bear(err error) error {
	if err == nil {
		p.since, p.met = time.Time{}, true
		return nil
	}
	var answered *refusal
	p.met = p.met || errors.As(err, &answered)
	if !p.met || exitStatus(err) != exitUnreachable || isOne(err, fault.StrangeAnswer) {
		return err
	}
	if p.since.IsZero() {
		p.since = time.Now()
		p.a.note("waiting: %v", err)
	}
	if time.Since(p.since) > p.a.patience {
		return err
	}
	return nil
}

// follow looks at the task every poll until see says that it has seen enough.
func (a *app) follow(ctx context.Context, c *api.ClientWithResponses, id string, see func(t *api.Task, body []byte) (bool, error)) error {
	p := patience{a: a}
	for {
		t, body, err := getTask(ctx, c, id)
		if err == nil {
			enough, err := see(t, body)
			if enough || err != nil {
				return err
			}
		}
		if err := p.bear(err); err != nil {
			return err
		}
		if err := pause(ctx, a.poll); err != nil {
			return err
		}
	}
}

func statusOf(t *api.Task) lifecycle.Status { return lifecycle.Status(t.Status) }

// failureOf is the error of a task that has failed.
func failureOf(t *api.Task) error {
	e := t.LastError
	if e == nil || e.Code == "" {
		return fault.TaskFailed.New("task "+t.Name, "%s", t.StatusLabel)
	}
	p := api.Problem{
		Type: "about:blank", Title: "the task has failed", Code: e.Code, Detail: &e.Message, Object: filled(e.Object), Remedy: filled(e.Remedy), State: &t.Status,
		AvailableActions: &t.AvailableActions,
	}
	if strings.TrimSpace(e.Message) == "" {
		p.Detail = &t.StatusLabel
	}
	return &refusal{p}
}
