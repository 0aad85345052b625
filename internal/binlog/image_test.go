package binlog

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// Only a virtual column may be left out of an image, and then the event says so.
func TestLayout_NotesWhatImagesLack(t *testing.T) {
	l := &layout{
		table: &table.Table{Columns: []table.Column{{Name: "id"}, {Name: "v", Generated: table.GeneratedVirtual}, {Name: "s", Generated: table.GeneratedStored}}},
		// The last one is hidden: it belongs to a functional index.
		fields: make([]field, 4),
	}
	there, err := l.present([]byte{0b0111})
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, true, false}, there)
	require.Empty(t, l.missing)
	for range 2 {
		_, err = l.present([]byte{0b0101})
		require.NoError(t, err)
		require.Equal(t, []int{1}, l.missing)
	}
	_, err = l.present([]byte{0b0011})
	require.ErrorIs(t, err, fault.PartialImage)
}
