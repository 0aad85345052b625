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

func TestOfTable_NamesTheTableAndChangesNothingElse(t *testing.T) {
	cause := InvalidField.New("chunk 3", "")
	for _, err := range []error{cause, fmt.Errorf("copy chunk 3: %w", cause)} {
		of := OfTable(err, "shop.orders")
		f, ok := As(of)
		require.True(t, ok)
		require.Equal(t, "shop.orders", f.Table)
		require.Equal(t, err.Error(), of.Error())
		require.ErrorIs(t, of, InvalidField)
		require.Empty(t, cause.Table, "an error that others hold")
	}
	plain := errors.New("x")
	require.Equal(t, plain, OfTable(plain, "shop.orders"))
}
