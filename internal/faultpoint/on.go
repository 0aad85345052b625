//go:build faultpoint

package faultpoint

import (
	"context"
	"errors"
	"time"
)

// Hook is told each point that is reached, "<name>.before" and "<name>.after".
// An error before takes the place of the I/O, one after that of its success.
type Hook func(ctx context.Context, point string) error

type key struct{}

// With returns a context whose calls of Around ask the hook.
func With(ctx context.Context, h Hook) context.Context { return context.WithValue(ctx, key{}, h) }

// Leave, as a hook's answer before an I/O, begins it and leaves it alone after a
// while: its statement may go on running on the server. Err is what the caller
// gets, whatever the I/O had said.
type Leave struct {
	After time.Duration
	Err   error
}

// Error makes Leave an error.
func (l *Leave) Error() string { return "left while it was running: " + l.Err.Error() }

// Around does an I/O with the hook's permission.
func Around(ctx context.Context, name string, f func(context.Context) error) error {
	hook, _ := ctx.Value(key{}).(Hook)
	if hook == nil {
		return f(ctx)
	}
	if err := hook(ctx, name+".before"); err != nil {
		leave, ok := errors.AsType[*Leave](err)
		if !ok {
			return err
		}
		short, cancel := context.WithTimeout(ctx, leave.After)
		defer cancel()
		_ = f(short)
		return leave.Err
	}
	if err := f(ctx); err != nil {
		return err
	}
	return hook(ctx, name+".after")
}
