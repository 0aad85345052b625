package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"shardlift/internal/applier"
	"shardlift/internal/checkpoint"
	"shardlift/internal/copier"
)

// Levels of the task's log.
const (
	levelInfo  = "info"
	levelWarn  = "warn"
	levelError = "error"
)

// logTime bounds a line: the destination may be what is wrong.
const logTime = 5 * time.Second

// note adds a line to the task's log on the destination. That it could not be
// written harms nothing: the worker's own log has it.
func (a *Activities) note(ctx context.Context, s *checkpoint.Store, level, format string, args ...any) {
	text := a.redactor.Redact(fmt.Sprintf(format, args...))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logTime)
	defer cancel()
	if err := s.AppendLog(ctx, level, text); err != nil {
		activity.GetLogger(ctx).Info("task log not written", "line", text, "error", a.redactor.Redact(err.Error()))
	}
}

// noteEnd adds what a step ended with, unless it was only asked to end.
func (a *Activities) noteEnd(ctx context.Context, s *checkpoint.Store, what string, err error) {
	asked := errors.Is(err, context.Canceled) || errors.Is(err, copier.ErrDrained) || errors.Is(err, applier.ErrDrained)
	if err != nil && !asked && context.Cause(ctx) == nil {
		a.note(ctx, s, levelError, "%s: %s", what, err)
	}
}
