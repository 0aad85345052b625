package compare

import (
	"context"
	"time"

	"shardlift/internal/checkpoint"
)

const (
	// countTries bounds how often two counts are taken.
	countTries = 5
	// betweenCounts is the pause after the first; it grows.
	betweenCounts = 200 * time.Millisecond
)

// countRows counts both sides around a settled wait. Counts that agree while
// the source rested are consistent; counts that differ while it rested, again
// and again, are not. A table that never rests cannot be judged by two counts:
// its keys are compared row by row instead.
func (r *run) countRows(ctx context.Context, t Table, s *state) error {
	m, err := r.mapping(ctx, t)
	if err != nil {
		return err
	}
	if s.After != nil { // the box ended while keys were compared
		return r.scan(ctx, t, s, m, m.Identity, false)
	}
	source := sourceSide(r.Source.DB(), m, m.Identity)
	destination := destinationSide(r.Destination.ReadDB(), r.Destination.Dialect(), m, m.Identity)
	rests := 0
	for try := 1; try <= countTries; try++ {
		if try > 1 {
			if err := pause(ctx, time.Duration(try-1)*betweenCounts); err != nil {
				return err
			}
		}
		before, there, after, err := r.countBoth(ctx, source, destination)
		if err != nil {
			return err
		}
		s.SourceRows, s.DestinationRows = &after, &there
		if before == after && after == there {
			s.Result, s.Differences = checkpoint.ResultConsistent, 0
			return nil
		}
		if before == after {
			rests++
		}
		s.Result, s.Differences = checkpoint.ResultInconsistent, max(after-there, there-after)
	}
	r.report(*s.SourceRows)
	if rests == countTries {
		return nil
	}
	return r.scan(ctx, t, s, m, m.Identity, false)
}

func (r *run) countBoth(ctx context.Context, source, destination *side) (before, there, after int64, err error) {
	if before, err = source.count(ctx); err != nil {
		return 0, 0, 0, err
	}
	if err = r.settle(ctx); err != nil {
		return 0, 0, 0, err
	}
	if there, err = destination.count(ctx); err != nil {
		return 0, 0, 0, err
	}
	after, err = source.count(ctx)
	return before, there, after, err
}
