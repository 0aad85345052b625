//go:build faultpoint

package faultpoint

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAround_AsksTheHook covers what a hook may answer.
func TestAround_AsksTheHook(t *testing.T) {
	lost, failed := errors.New("lost"), errors.New("failed")
	for name, c := range map[string]struct {
		before, io, after error
		points            []string
		ran               bool
		want              error
	}{
		"nothing":        {nil, nil, nil, []string{"x.before", "x.after"}, true, nil},
		"before":         {lost, nil, nil, []string{"x.before"}, false, lost},
		"after":          {nil, nil, lost, []string{"x.before", "x.after"}, true, lost},
		"the I/O failed": {nil, failed, lost, []string{"x.before"}, true, failed},
		"left":           {&Leave{After: time.Millisecond, Err: lost}, nil, nil, []string{"x.before"}, true, lost},
	} {
		t.Run(name, func(t *testing.T) {
			var points []string
			ran := false
			ctx := With(t.Context(), func(_ context.Context, point string) error {
				points = append(points, point)
				if len(points) == 1 {
					return c.before
				}
				return c.after
			})
			err := Around(ctx, "x", func(ctx context.Context) error {
				ran = true
				if name == "left" {
					<-ctx.Done()
				}
				return c.io
			})
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.points, points)
			require.Equal(t, c.ran, ran)
		})
	}
	require.NoError(t, Around(t.Context(), "x", func(context.Context) error { return nil }), "without a hook")
}
