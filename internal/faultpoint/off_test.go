//go:build !faultpoint

package faultpoint

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAround_IsTheCallItself: what is shipped has no points.
func TestAround_IsTheCallItself(t *testing.T) {
	failed := errors.New("failed")
	require.ErrorIs(t, Around(t.Context(), "a", func(ctx context.Context) error {
		require.Equal(t, t.Context(), ctx)
		return failed
	}), failed)
	n := 0
	count := func(context.Context) error { n++; return nil }
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = Around(t.Context(), "a", count) }))
	require.Equal(t, 101, n)
}
