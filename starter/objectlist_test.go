package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/selection"
)

func TestObjectList_NarrowsTheRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(path, []byte("# ours\nShop.orders\n\nShop.items\nShop.orders\n`a.b`.`c``d`\n"), 0o600))
	list, err := (&app{}).readObjectList(path)
	require.NoError(t, err)
	got := narrowTo(selection.Selection{{Schema: "Shop", To: "shop_ddm", Tables: []string{"*"}, Exclude: []string{"o*"}, Rename: map[string]string{"items": "lines"}}, {Schema: "other"}}, list)
	require.Equal(t, selection.Selection{
		{Schema: "Shop", To: "shop_ddm", Tables: []string{"orders", "items"}, Rename: map[string]string{"items": "lines"}},
		{Schema: "a.b", Tables: []string{"c`d"}},
	}, got)
}

func TestObjectList_RefusesWhatNamesNoTable(t *testing.T) {
	for _, text := range []string{"", "orders", "Shop.", ".orders", "Shop.orders.x", "Shop.*", "Shop . orders", "`Shop.orders"} {
		path := filepath.Join(t.TempDir(), "list.txt")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := (&app{}).readObjectList(path)
		require.Error(t, err, text)
		require.Equal(t, exitUsage, exitStatus(err), text)
	}
}
