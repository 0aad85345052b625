package activities

import (
	"context"
	"fmt"

	"shardlift/internal/binlog"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// aheadGroup is the number of the short streams: those that look for later
// statements or at the head of a file.
const aheadGroup = -3

// aheadOf is that number for an apply group: streams of two groups may be open at once.
func aheadOf(group int) int { return aheadGroup - 10*group }

// ahead reads the statements from a place on up to what the source has now, for
// schema.History.Refresh.
func (f *follower) ahead(ctx context.Context, from position.Position, each func(binlog.Event)) error {
	end, err := f.src.Head(ctx)
	if err != nil {
		return err
	}
	stream, err := binlog.Open(ctx, binlog.Config{
		Conn: mysqlconn.FromEndpoint(f.t.Source), Capabilities: f.src.Capabilities(),
		ServerID: binlog.ServerID(f.t.TaskID, aheadOf(f.in.Group)), From: from, Selection: f.selected, StatementsOnly: true,
	})
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		ev, err := stream.Next(ctx)
		if err != nil {
			return fmt.Errorf("read later statements: %w", err)
		}
		f.moved()
		if ev.Kind == binlog.DDL || ev.Kind == binlog.Truncate {
			each(ev)
			continue
		}
		if reached, err := ev.Position.Covers(end); err != nil || reached {
			return err
		}
	}
}
