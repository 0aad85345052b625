package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
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
		return s.SetControl(ctx, checkpoint.Control{Limits: in.Limits, Alarms: in.Alarms})
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
	token := planToken(in.Owner, activity.GetInfo(ctx).Attempt)
	err = a.withStore(work, t, func(_ *destination.Destination, s *checkpoint.Store) (err error) {
		s, end, err := s.Turn(work, token)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end(work)) }()
		if _, err := s.NewEpoch(work); err != nil {
			return err
		}
		if in.Truncate {
			if err := truncate(work, s, step); err != nil {
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

// planToken orders the attempts at a plan or a reset.
func planToken(o contract.Owner, attempt int32) checkpoint.Token {
	return checkpoint.Token{Box: o.Box, Attempt: attempt}
}

// truncate empties the destination tables of the plan.
func truncate(ctx context.Context, s *checkpoint.Store, step *step) error {
	tables, err := s.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := s.Truncate(ctx, t.Destination); err != nil {
			return err
		}
		step.moved()
	}
	return nil
}

// cleanUpAttempts is how often CleanUp is tried; the workflow's options have the
// same number. openTime bounds the connections of each.
const (
	cleanUpAttempts = 3
	openTime        = 20 * time.Second
)

// CleanUp drops the metadata of a task that has ended. A destination that is
// away, or refuses it, does not keep the task: after the last attempt the result
// says what remains there and how it goes.
func (a *Activities) CleanUp(ctx context.Context, in contract.TaskRef) (contract.CleanUpOut, error) {
	if err := a.mustHaveEnded(ctx, in.TaskID); err != nil {
		return contract.CleanUpOut{}, err
	}
	e, err := a.tasks.ask(ctx, in.TaskID)
	if errors.Is(err, fault.UnknownTask) { // a former attempt of the deletion came further
		return contract.CleanUpOut{}, nil
	}
	if err != nil {
		return contract.CleanUpOut{}, err
	}
	work, step := begin(ctx)
	err = step.end(a.dropMetadata(work, in))
	again := fault.ClassOf(err) == fault.Retry && activity.GetInfo(ctx).Attempt < cleanUpAttempts
	if err == nil || again || ctx.Err() != nil {
		return contract.CleanUpOut{}, err
	}
	return a.remains(e.Spec, in.TaskID, err), nil
}

func (a *Activities) dropMetadata(ctx context.Context, in contract.TaskRef) error {
	t, err := a.tasks.task(ctx, in)
	if err != nil {
		return err
	}
	opening, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	d, err := openDestination(opening, t, shortConnections)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	s, ok, err := checkpoint.Existing(opening, d, t.Spec.Destination.MetadataSchema, t.TaskID)
	if err != nil {
		return fmt.Errorf("open metadata: %w", err)
	}
	if !ok {
		return checkpoint.DropSamples(ctx, d, t.Spec.Destination.MetadataSchema, t.TaskID)
	}
	return s.Drop(ctx)
}

// remains says which tables a deletion leaves behind, and why.
func (a *Activities) remains(spec task.Spec, taskID string, why error) contract.CleanUpOut {
	out := contract.CleanUpOut{Remaining: checkpoint.Remains(spec.Destination.MetadataSchema, spec.Objects.DestinationSchemas())}
	tables := strings.Join(out.Remaining, ", ")
	out.Warnings = []string{
		"the task's metadata remains on the destination: " + a.redactor.Redact(why.Error()),
		"when no other task moves to this destination: DROP TABLE IF EXISTS " + tables,
		"when others do, in each of these tables but shardlift_meta: DELETE FROM <table> WHERE task = '" + taskID + "'",
	}
	return out
}
