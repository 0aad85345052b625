package activities

import (
	"context"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/source"
)

// openSource opens at most n connections.
func openSource(ctx context.Context, t *resolved, n int) (*source.Source, error) {
	return source.Open(ctx, mysqlconn.FromEndpoint(t.Source), n)
}

// ReadHead reads the source's position, and what was begun before it and could
// still be committed after it.
func (a *Activities) ReadHead(ctx context.Context, in contract.TaskRef) (contract.HeadOut, error) {
	t, err := a.tasks.task(ctx, in)
	if err != nil {
		return contract.HeadOut{}, err
	}
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return contract.HeadOut{}, err
	}
	defer func() { _ = src.Close() }()
	return readHead(ctx, src)
}

func readHead(ctx context.Context, src *source.Source) (contract.HeadOut, error) {
	out := contract.HeadOut{}
	var err error
	if out.Position, err = src.Head(ctx); err != nil {
		return out, err
	}
	if out.OpenTransactions, err = src.OpenTransactions(ctx); err != nil {
		return out, err
	}
	if out.PreparedXA, err = src.PreparedXA(ctx); err != nil {
		return out, err
	}
	out.At = time.Now().UTC()
	return out, nil
}
