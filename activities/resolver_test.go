package activities

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/task"
)

func sealedSpec(t *testing.T, taskID string, ring *secret.KeyRing, password string) task.Spec {
	t.Helper()
	f := task.File{
		Name: "shop", Type: task.FullIncremental,
		Source:      task.Endpoint{Host: "source.internal", Port: 3306, User: "reader", Password: password},
		Destination: task.Endpoint{Host: "ddm.internal", Port: 5066, User: "writer", Password: "other-" + password},
	}
	f.SetDefaults()
	spec, err := f.Seal(taskID, ring.Public(), ring.Public())
	require.NoError(t, err)
	return spec
}

func TestResolver_AsksOncePerRevision(t *testing.T) {
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	asked := 0
	present := contract.Endpoints{Revision: 1, Spec: sealedSpec(t, "t1", ring, "first")}
	redactor := &Redactor{}
	r := newResolver(func(_ context.Context, id string) (contract.Endpoints, error) {
		require.Equal(t, "t1", id)
		asked++
		return present, nil
	}, ring, redactor)

	for range 3 {
		got, err := r.task(t.Context(), contract.TaskRef{TaskID: "t1", Revision: 1})
		require.NoError(t, err)
		require.Equal(t, "first", got.Source.Password)
		require.Equal(t, "ddm.internal", got.Destination.Host)
	}
	require.Equal(t, 1, asked)
	require.NotContains(t, redactor.Redact("source.internal first other-first"), "first")

	present = contract.Endpoints{Revision: 2, Spec: sealedSpec(t, "t1", ring, "second")}
	got, err := r.task(t.Context(), contract.TaskRef{TaskID: "t1", Revision: 2})
	require.NoError(t, err)
	require.Equal(t, "second", got.Source.Password)
	require.Equal(t, 2, got.Revision)
	require.Equal(t, 2, asked)
	// Whoever asks for "the present one" never gets a cached one.
	_, err = r.task(t.Context(), contract.TaskRef{TaskID: "t1"})
	require.NoError(t, err)
	require.Equal(t, 3, asked)
}

func TestResolver_AForeignKeyRingIsSaid(t *testing.T) {
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	other, err := secret.NewKeyRing()
	require.NoError(t, err)
	r := newResolver(func(context.Context, string) (contract.Endpoints, error) {
		return contract.Endpoints{Revision: 1, Spec: sealedSpec(t, "t1", other, "first")}, nil
	}, ring, &Redactor{})
	_, err = r.task(t.Context(), contract.TaskRef{TaskID: "t1", Revision: 1})
	require.ErrorIs(t, err, fault.KeyMissing)
	require.Equal(t, fault.Operator, fault.ClassOf(err))
}
