package activities

import (
	"context"
	"errors"
	"fmt"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

// StoreLimits writes the control row that a running copy reads.
func (a *Activities) StoreLimits(ctx context.Context, in contract.LimitsIn) (contract.Nothing, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.Nothing{}, err
	}
	return contract.Nothing{}, a.withStore(ctx, t, func(_ *destination.Destination, s *checkpoint.Store) error {
		return s.SetLimits(ctx, task.Limits{MBPerSecond: in.MBPerSecond, RowsPerSecond: in.RowsPerSecond})
	})
}

// ResetTask clears the task's progress and shuts out every attempt before it.
// With Truncate the tables of the plan are emptied first; without a plan there
// is nothing that this task could have written.
func (a *Activities) ResetTask(ctx context.Context, in contract.ResetIn) (contract.Nothing, error) {
	t, err := a.tasks.task(ctx, in.TaskRef)
	if err != nil {
		return contract.Nothing{}, err
	}
	work, step := begin(ctx)
	err = a.withStore(work, t, func(d *destination.Destination, s *checkpoint.Store) error {
		if _, err := s.NewEpoch(work); err != nil {
			return err
		}
		if in.Truncate {
			if err := truncate(work, d, s, step); err != nil {
				return err
			}
		}
		if err := s.Reset(work); err != nil {
			return err
		}
		a.note(work, s, levelInfo, "reset, destination truncated: %t", in.Truncate)
		return nil
	})
	return contract.Nothing{}, step.end(err)
}

// truncate empties the destination tables of the plan.
func truncate(ctx context.Context, d *destination.Destination, s *checkpoint.Store, step *step) error {
	tables, err := s.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		statement := "TRUNCATE TABLE " + dialect.QuoteName(t.Destination.Table)
		if err := d.Define(ctx, t.Destination.Schema, statement); err != nil {
			return fmt.Errorf("truncate %s: %w", t.Destination, err)
		}
		step.moved()
	}
	return nil
}

// CleanUp drops the metadata of a task that has ended.
func (a *Activities) CleanUp(ctx context.Context, in contract.TaskRef) (contract.CleanUpOut, error) {
	if err := a.mustHaveEnded(ctx, in.TaskID); err != nil {
		return contract.CleanUpOut{}, err
	}
	t, err := a.tasks.task(ctx, in)
	if errors.Is(err, fault.UnknownTask) { // a former attempt of the deletion came further
		return contract.CleanUpOut{}, nil
	}
	if err != nil {
		return contract.CleanUpOut{}, err
	}
	work, step := begin(ctx)
	err = a.withExisting(work, t, func(_ *destination.Destination, s *checkpoint.Store) error { return s.Drop(work) })
	if errors.Is(err, fault.NoMetadata) {
		err = nil
	}
	return contract.CleanUpOut{}, step.end(err)
}
