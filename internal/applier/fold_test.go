package applier

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// A column that the images lack would become NULL where the destination stores it.
func TestLogged_RefusesWhatTheImagesLack(t *testing.T) {
	m := modelMapping(0)
	require.NoError(t, logged(binlog.Event{}, m))
	require.ErrorIs(t, logged(binlog.Event{Missing: []int{colX}}, m), fault.VirtualUnlogged)
	m.Pairs = m.Pairs[:colX]
	require.NoError(t, logged(binlog.Event{Missing: []int{colX}}, m), "the destination does not have it")
}

// An upsert names no column of the identity, so a destination would set one of
// them by itself on every change (ON UPDATE CURRENT_TIMESTAMP).
func TestRule5_RowsWhoseKeyUpdatesItselfAreWrittenAnew(t *testing.T) {
	columns := []table.Column{
		{Name: "id", Type: table.TypeInt, Bits: 32}, {Name: "t", Type: table.TypeTimestamp, AutoUpdate: true}, {Name: "v", Type: table.TypeInt, Bits: 32},
	}
	definition := &table.Table{Engine: "InnoDB", Columns: columns, Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}, {Column: 1}}}}}
	m, err := dialect.NewMapping(definition, definition, table.Placement{})
	require.NoError(t, err)
	before, after := row.Row{row.Value("1"), row.Value("2024-01-01 00:00:00"), row.Value("1")}, row.Row{row.Value("1"), row.Value("2024-01-01 00:00:00"), row.Value("2")}
	p := foldOf(m, []row.Change{{Op: row.Update, Before: before, After: after}}).strict()
	require.Equal(t, plan{deletes: []row.Row{before}, inserts: []row.Row{after}}, p)
	require.Equal(t, plan{}, foldOf(m, []row.Change{{Op: row.Update, Before: before, After: before}}).strict())

	definition.Keys[0].Parts = definition.Keys[0].Parts[:1]
	m, err = dialect.NewMapping(definition, definition, table.Placement{})
	require.NoError(t, err)
	require.Equal(t, plan{upserts: []row.Row{after}}, foldOf(m, []row.Change{{Op: row.Update, Before: before, After: after}}).strict())
}
