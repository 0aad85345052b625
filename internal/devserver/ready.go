package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// startTimeout bounds each wait for something to answer.
const startTimeout = 60 * time.Second

// waitUntilUsable returns when a client can work in the namespace: it is known,
// every search attribute is registered (a database made by an older version
// gets the new ones) and a list by them is answered.
func waitUntilUsable(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{
		HostPort:  address,
		Namespace: namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return fmt.Errorf("prepare a Temporal client: %w", err)
	}
	defer c.Close()
	return until(ctx, "the Temporal server at "+address, func() error { return probe(ctx, c) })
}

func probe(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	missing := searchAttributes()
	maps.DeleteFunc(missing, func(name string, _ enums.IndexedValueType) bool {
		_, found := known.GetCustomAttributes()[name]
		return found
	})
	if len(missing) > 0 {
		_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: missing,
		})
		if err != nil {
			return err
		}
	}
	_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Query: `ShardliftStatus = "x" AND ShardliftName = "x" AND ShardliftTags = "x" AND ShardliftAttention = "x"`,
	})
	return err
}

// until calls try every 100 ms until it returns nil or ctx ends.
func until(ctx context.Context, what string, try func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last answer: %w)", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
