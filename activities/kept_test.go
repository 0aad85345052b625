package activities

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/destination"
)

// TestStores_PagesShareConnections: pages one after the other find the metadata
// open; what fails is opened anew, and nothing stays open in the end.
func TestStores_PagesShareConnections(t *testing.T) {
	r := newRig(t)
	r.plan()
	opened := 0
	open := func() (*destination.Destination, *checkpoint.Store, error) {
		opened++
		return existing(t.Context(), r.resolve())
	}
	s := newStores()
	fine := func(store *checkpoint.Store) error { _, err := store.Progress(t.Context()); return err }
	for range 5 {
		require.NoError(t, s.read(r.ref, open, fine))
	}
	require.Equal(t, 1, opened)

	newer := r.ref
	newer.Revision++
	require.NoError(t, s.read(newer, open, fine))
	require.Equal(t, 2, opened, "new credentials have connections of their own")

	tries := 0
	require.NoError(t, s.read(r.ref, open, func(store *checkpoint.Store) error {
		if tries++; tries == 1 {
			return errors.New("the connection was cut")
		}
		return fine(store)
	}))
	require.Equal(t, 2, tries)
	require.Equal(t, 3, opened)

	// Two at once share; the last one closes what has ended meanwhile.
	require.NoError(t, s.read(r.ref, open, func(*checkpoint.Store) error { return s.read(r.ref, open, fine) }))
	require.Equal(t, 3, opened)
	var last *checkpoint.Store
	require.NoError(t, s.read(r.ref, open, func(store *checkpoint.Store) error {
		last = store
		require.NoError(t, s.Close())
		return fine(store)
	}))
	require.Error(t, fine(last))
	require.NoError(t, s.read(r.ref, open, fine))
	require.Equal(t, 4, opened, "nothing is kept after the end")
}
