package selection

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/table"
)

func TestSelection_Match(t *testing.T) {
	s := Selection{
		{Schema: "Shop", To: "shop_ddm", Tables: []string{"*"}, Exclude: []string{"tmp_*"}, Rename: map[string]string{"Orders": "orders"}},
		{Schema: "crm", Tables: []string{"people", "a?c"}},
	}
	for _, c := range []struct {
		schema, table string
		to            table.Name
		named, ok     bool
	}{
		{"Shop", "Orders", table.Name{Schema: "shop_ddm", Table: "orders"}, false, true},
		{"Shop", "tmp_1", table.Name{}, false, false},
		{"shop", "Orders", table.Name{}, false, false},
		{"Shop", "a/b[c]", table.Name{Schema: "shop_ddm", Table: "a/b[c]"}, false, true},
		{"Shop", "shardlift_chunk", table.Name{}, false, false},
		{"crm", "people", table.Name{Schema: "crm", Table: "people"}, true, true},
		{"crm", "abc", table.Name{Schema: "crm", Table: "abc"}, false, true},
		{"crm", "abbc", table.Name{}, false, false},
		{"mysql", "user", table.Name{}, false, false},
	} {
		to, named, ok := s.Match(table.Name{Schema: c.schema, Table: c.table})
		require.Equal(t, c.ok, ok, "%s.%s", c.schema, c.table)
		require.Equal(t, c.to, to)
		require.Equal(t, c.named, named)
	}
	require.Equal(t, []string{"Shop", "crm"}, s.Schemas())
	require.Equal(t, []string{"shop_ddm", "crm"}, s.DestinationSchemas())
	require.Equal(t, []table.Name{{Schema: "crm", Table: "people"}}, s.Named())
	require.Empty(t, s.Validate())
}

func TestSelection_ValidateNamesTheField(t *testing.T) {
	s := Selection{{Schema: ""}, {Schema: "sys"}, {Schema: "a", Rename: map[string]string{"x*": "y"}}}
	errs := s.Validate()
	require.Len(t, errs, 3)
	require.ErrorContains(t, errs[0], "objects[0].schema")
	require.ErrorContains(t, errs[1], "system schema")
	require.ErrorContains(t, errs[2], "objects[2].rename")
	require.Len(t, Selection{}.Validate(), 1)
}
