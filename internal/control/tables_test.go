package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/selection"
	"shardlift/internal/table"
)

func TestChangeTables_AddedTablesGoWhereTheirSchemaGoes(t *testing.T) {
	known := selection.Selection{{Schema: "Shop", To: "shop_ddm", Tables: []string{"orders"}}}
	name := func(schema, of string) table.Name { return table.Name{Schema: schema, Table: of} }
	got := rulesFor([]TableChange{
		{Name: name("Shop", "coupons")},
		{Name: name("crm", "people")},
		{Name: name("Shop", "Old"), To: name("shop_ddm", "old")},
		{Name: name("crm", "more"), To: name("crm_ddm", "more")},
	}, known)
	require.Equal(t, selection.Selection{
		{Schema: "Shop", To: "shop_ddm", Tables: []string{"coupons", "Old"}, Rename: map[string]string{"Old": "old"}},
		{Schema: "crm", Tables: []string{"people"}},
		{Schema: "crm", To: "crm_ddm", Tables: []string{"more"}},
	}, got)
	require.Len(t, got.Named(), 4)
	require.Empty(t, got.Validate())
}
