package control

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
)

// Bounds of the question for the delays of a list.
const (
	delaysAtOnce = 8
	delaysTime   = 10 * time.Second
)

// Delays asks for the delay, in milliseconds, of the tasks of a list that apply
// changes: one call to Temporal for each, none to a worker. A task that does not
// tell is left out.
func (s *Service) Delays(ctx context.Context, lines []Line) map[string]int64 {
	ctx, cancel := context.WithTimeout(ctx, delaysTime)
	defer cancel()
	var mu sync.Mutex
	out := map[string]int64{}
	var g errgroup.Group
	g.SetLimit(delaysAtOnce)
	for _, l := range lines {
		if l.Status != lifecycle.IncreStarted {
			continue
		}
		g.Go(func() error {
			described, err := s.Temporal.DescribeWorkflowExecution(ctx, contract.MigrationID(l.TaskID), "")
			if err != nil {
				return nil //nolint:nilerr // its delay is not known then
			}
			var d Details
			for _, p := range described.GetPendingActivities() {
				d.activity(p)
			}
			if d.Apply != nil {
				mu.Lock()
				defer mu.Unlock()
				out[l.TaskID] = d.Apply.DelayMillis
			}
			return nil
		})
	}
	_ = g.Wait() // no question fails the others
	return out
}
