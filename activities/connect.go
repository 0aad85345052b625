package activities

import (
	"context"
	"fmt"

	"shardlift/internal/checkpoint"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// shortConnections is what a step of seconds to minutes opens at each side.
const shortConnections = 2

// openDestination opens at most n connections.
func openDestination(ctx context.Context, t *resolved, n int) (*destination.Destination, error) {
	c := mysqlconn.FromEndpoint(t.Destination)
	c.MaxConnections = n
	return destination.Open(ctx, c, t.Destination.Kind)
}

// openStore opens the destination and the task's metadata, made when missing.
func openStore(ctx context.Context, t *resolved, n int) (*destination.Destination, *checkpoint.Store, error) {
	d, err := openDestination(ctx, t, n)
	if err != nil {
		return nil, nil, err
	}
	s, err := checkpoint.Open(ctx, d, t.Spec.Destination.MetadataSchema, t.TaskID)
	if err != nil {
		_ = d.Close()
		return nil, nil, err
	}
	return d, s, nil
}

// withStore runs f on the task's metadata.
func (a *Activities) withStore(ctx context.Context, t *resolved, f func(*destination.Destination, *checkpoint.Store) error) error {
	d, s, err := openStore(ctx, t, shortConnections)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return f(d, s)
}

// existing opens the metadata of a task that may have none yet; nothing is made.
func existing(ctx context.Context, t *resolved) (*destination.Destination, *checkpoint.Store, error) {
	d, err := openDestination(ctx, t, shortConnections)
	if err != nil {
		return nil, nil, err
	}
	s, ok, err := checkpoint.Existing(ctx, d, t.Spec.Destination.MetadataSchema, t.TaskID)
	switch {
	case err != nil:
		err = fmt.Errorf("open metadata: %w", err)
	case !ok:
		err = fault.NoMetadata.New("task "+t.TaskID, "")
	}
	if err != nil {
		_ = d.Close()
		return nil, nil, err
	}
	return d, s, nil
}
