package dialect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/table"
)

// TestRule5_UniqueIndexesOfBothSidesCount: a value may wander from row to row
// under an index that only one of the sides has.
func TestRule5_UniqueIndexesOfBothSidesCount(t *testing.T) {
	side := func(unique bool) *table.Table {
		out := &table.Table{
			Name: table.Name{Schema: "s", Table: "t"},
			Columns: []table.Column{
				{Name: "id", Type: table.TypeInt, Bits: 64, SQLType: "bigint"}, {Name: "v", Type: table.TypeInt, Bits: 64, SQLType: "bigint"},
			},
			Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}},
		}
		if unique {
			out.Keys = append(out.Keys, table.Key{Name: "v", Unique: true, Parts: []table.KeyPart{{Column: 1}}})
		}
		return out
	}
	for _, sides := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		m, err := dialect.NewMapping(side(sides[0]), side(sides[1]), table.Placement{})
		require.NoError(t, err)
		want := [][]int{{0}}
		if sides[0] || sides[1] {
			want = append(want, []int{1})
		}
		require.Equal(t, want, m.Unique, "%v", sides)
		require.Equal(t, sides[0] || sides[1], m.SecondaryUnique, "%v", sides)
	}
}
