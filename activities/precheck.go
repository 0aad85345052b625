package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/precheck"
	"shardlift/internal/task"
)

// ListPrecheckItems lists the items of the task's type.
func (a *Activities) ListPrecheckItems(ctx context.Context, in contract.TaskRef) ([]contract.PrecheckItemRef, error) {
	t, err := a.tasks.task(ctx, in)
	if err != nil {
		return nil, err
	}
	return precheck.Items(t.Spec.Type), nil
}

// RunPrecheckItem runs one item; the items of a run share connections.
func (a *Activities) RunPrecheckItem(ctx context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.PrecheckItemResult{}, err
	}
	c := precheck.Config{
		TaskID: t.TaskID, Spec: t.Spec, AfterReset: in.AfterReset,
		Source: mysqlconn.FromEndpoint(t.Source), Destination: mysqlconn.FromEndpoint(t.Destination),
		Nodes: dataNodes(t.Destination),
	}
	if len(in.Objects) > 0 {
		c.Spec.Objects, c.Scope = in.Objects, fmt.Sprintf(" %v", in.Objects)
	}
	result, err := a.prechecks.Run(ctx, c, t.Revision, in.Code)
	if err != nil {
		return result, err
	}
	return a.shown(result), nil
}

// dataNodes are the data nodes that a task names; a middleware and its nodes
// stand in one network, so that their connections are encrypted where they can be.
func dataNodes(e task.Endpoint) []mysqlconn.Config {
	out := make([]mysqlconn.Config, len(e.DataNodes))
	for i, n := range e.DataNodes {
		out[i] = mysqlconn.FromEndpoint(task.Endpoint{Host: n.Host, Port: n.Port, User: n.User, Password: n.Password, TLS: task.TLS{Mode: mysqlconn.TLSPreferred}})
	}
	return out
}

// shown is a result as it may stand in a workflow's state: without names of
// hosts and users, its facts with the side that the connection items are about.
func (a *Activities) shown(r contract.PrecheckItemResult) contract.PrecheckItemResult {
	r.Reason, r.Remedy = a.redactor.Redact(r.Reason), a.redactor.Redact(r.Remedy)
	for i := range r.Evidence {
		r.Evidence[i] = a.redactor.Redact(r.Evidence[i])
	}
	if r.Facts != nil && r.Facts.Side == "" {
		facts := *r.Facts
		facts.Side = string(task.DestinationSide)
		if strings.HasPrefix(r.Code, "src") {
			facts.Side = string(task.SourceSide)
		}
		r.Facts = &facts
	}
	return r
}

// samples are the keys that the task's pre-check has kept, also before a start.
func samples(ctx context.Context, t *resolved) (contract.SamplesAnswer, error) {
	answer := contract.SamplesAnswer{Samples: []contract.RowSample{}}
	d, err := openDestination(ctx, t, 1)
	if err != nil {
		return answer, err
	}
	defer func() { _ = d.Close() }()
	found, err := checkpoint.AllSamples(ctx, d, t.Spec.Destination.MetadataSchema, t.TaskID)
	if err != nil {
		return answer, err
	}
	for _, code := range slices.Sorted(maps.Keys(found)) {
		for _, s := range found[code] {
			answer.Samples = append(answer.Samples, contract.RowSample{Item: code, Object: s.Object, Keys: s.Keys})
		}
	}
	return answer, nil
}
