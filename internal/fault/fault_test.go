package fault

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestError_KeepsCodeThroughWrapping(t *testing.T) {
	cause := errors.New("connection refused")
	err := fmt.Errorf("open source: %w", InvalidField.Wrap(cause, "source.port"))

	require.ErrorIs(t, err, InvalidField)
	require.NotErrorIs(t, err, UnknownField)
	require.ErrorIs(t, err, cause)
	f, ok := As(err)
	require.True(t, ok)
	require.Equal(t, "source.port", f.Object)
	require.Equal(t, "open source: SL-1001: source.port: invalid value: connection refused", err.Error())
	require.Equal(t, Operator, ClassOf(err))
}

func TestClassOf_UnknownErrorIsRetried(t *testing.T) {
	require.Equal(t, Retry, ClassOf(errors.New("x")))
}
