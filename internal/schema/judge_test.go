package schema

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// memory is a Store in memory.
type memory struct{ definitions []checkpoint.Definition }

func (m *memory) Definitions(_ context.Context, group int) (out []checkpoint.Definition, err error) {
	for _, d := range m.definitions {
		if d.Group == group {
			out = append(out, d)
		}
	}
	return out, nil
}

func (m *memory) AddDefinition(_ context.Context, d checkpoint.Definition) error {
	m.definitions = append(m.definitions, d)
	return nil
}

func orders() *table.Table {
	return &table.Table{
		Name:    table.Name{Schema: "shop", Table: "orders"},
		Columns: []table.Column{{Name: "id"}, {Name: "no"}, {Name: "note"}},
		Keys: []table.Key{
			{Name: "PRIMARY", Unique: true, Parts: []table.KeyPart{{Column: 0}}},
			{Name: "no", Unique: true, Parts: []table.KeyPart{{Column: 1}}},
			{Name: "note", Parts: []table.KeyPart{{Column: 2}}},
		},
	}
}

func at(offset uint64) position.Position {
	return position.Position{Flavor: position.MySQL, Server: "s", File: "bin.000001", Offset: offset}
}

func history(t *testing.T) *History {
	t.Helper()
	h, err := Open(t.Context(), &memory{[]checkpoint.Definition{{Name: orders().Name, Table: orders()}}}, 0, at(4))
	require.NoError(t, err)
	return h
}

// TestRule11_WhatPassesAndWhatStops goes through each class of statement.
func TestRule11_WhatPassesAndWhatStops(t *testing.T) {
	h := history(t)
	rules := Rules{Selection: selection.Selection{{Schema: "shop", Tables: []string{"*"}, Exclude: []string{"tmp_*"}}}}
	for statement, stops := range map[string]bool{
		"ALTER TABLE orders ADD KEY k (note)":                             false,
		"ALTER TABLE orders DROP KEY note, COMMENT 'x'":                   false,
		"CREATE INDEX k ON shop.orders (note)":                            false,
		"DROP INDEX note ON orders":                                       false,
		"ALTER TABLE orders DROP KEY no":                                  true,
		"DROP INDEX no ON orders":                                         true,
		"CREATE UNIQUE INDEX k ON orders (note)":                          true,
		"ALTER TABLE orders ADD COLUMN x INT":                             true,
		"ALTER TABLE orders MODIFY note TEXT":                             true,
		"ALTER TABLE orders DROP PRIMARY KEY":                             true,
		"/*!50000 ALTER TABLE orders */ ADD COLUMN x INT":                 true,
		"DROP TABLE orders":                                               true,
		"DROP TABLE IF EXISTS orders, other.t":                            true,
		"DROP TABLE IF EXISTS tmp_1":                                      false,
		"DROP TABLE IF EXISTS never_was":                                  false,
		"RENAME TABLE orders TO old":                                      true,
		"RENAME TABLE _orders_gho TO orders":                              true,
		"CREATE TABLE IF NOT EXISTS orders (id INT)":                      false,
		"CREATE TABLE brand_new (id INT PRIMARY KEY)":                     true,
		"CREATE TABLE tmp_2 (id INT PRIMARY KEY)":                         false,
		"DROP DATABASE shop":                                              true,
		"CREATE USER x":                                                   false,
		"ALTER TABLE orders EXCHANGE PARTITION p WITH TABLE other.t":      true,
		"ALTER TABLE other.t EXCHANGE PARTITION p WITH TABLE shop.orders": true,
	} {
		ev := binlog.Event{Kind: binlog.DDL, At: at(100), Statement: "…", Result: ddl.Analyze("shop", statement, ddl.Mode{})}
		verdict, _, err := h.Judge(ev, rules)
		if !stops {
			require.NoError(t, err, statement)
			require.Equal(t, Pass, verdict, statement)
			continue
		}
		require.ErrorIs(t, err, fault.DDLStopped, statement)
		placed, ok := err.(interface{ SourcePosition() position.Position })
		require.True(t, ok)
		require.Equal(t, at(100), placed.SourcePosition())
	}
}

func TestRule11_TruncateFollowsThePolicy(t *testing.T) {
	h := history(t)
	rules := Rules{Selection: selection.Selection{{Schema: "shop"}}}
	ev := binlog.Event{Kind: binlog.Truncate, Table: orders(), At: at(100)}
	verdict, tables, err := h.Judge(ev, rules)
	require.NoError(t, err)
	require.Equal(t, Truncate, verdict)
	require.Equal(t, []table.Name{orders().Name}, tables)
	rules.StopAtTruncate = true
	_, _, err = h.Judge(ev, rules)
	require.ErrorIs(t, err, fault.DDLStopped)
}

func TestRule11_ResumePassesTheOneStatement(t *testing.T) {
	h := history(t)
	rules := Rules{Selection: selection.Selection{{Schema: "shop"}}}
	ev := binlog.Event{Kind: binlog.DDL, At: at(100), Result: ddl.Analyze("shop", "ALTER TABLE orders ADD COLUMN x INT", ddl.Mode{})}
	passed := at(100)
	rules.Passed = &passed
	verdict, tables, err := h.Judge(ev, rules)
	require.NoError(t, err)
	require.Equal(t, Refresh, verdict)
	require.Equal(t, []table.Name{orders().Name}, tables)
	ev.At = at(200)
	_, _, err = h.Judge(ev, rules)
	require.ErrorIs(t, err, fault.DDLStopped, "the next statement is another one")
}

func TestHistory_HoldsWhatIsBeforeThePlace(t *testing.T) {
	wider := orders()
	wider.Columns = append(wider.Columns, table.Column{Name: "x"})
	store := &memory{[]checkpoint.Definition{
		{Name: orders().Name, Table: orders()},
		{Name: orders().Name, Table: wider, From: at(100)},
		{Name: orders().Name, From: at(300)},
		{Name: table.Name{Schema: "shop", Table: "else"}, Group: 1, Table: orders()},
	}}
	for offset, columns := range map[uint64]int{50: 3, 100: 3, 101: 4, 300: 4} {
		h, err := Open(t.Context(), store, 0, at(offset))
		require.NoError(t, err)
		definition, err := h.Table(orders().Name)
		require.NoError(t, err)
		require.Len(t, definition.Columns, columns)
	}
	h, err := Open(t.Context(), store, 0, at(301))
	require.NoError(t, err)
	require.False(t, h.Has(orders().Name))
	_, err = h.Table(table.Name{Schema: "shop", Table: "else"})
	require.ErrorIs(t, err, fault.TableUnplanned)
}

// A statement that was passed once passes by itself when an attempt begins
// before it again: the operator is not asked twice, and rows before it follow
// the old definition.
func TestRule11_PassedStatementPassesAgain(t *testing.T) {
	wider := orders()
	wider.Columns = append(wider.Columns, table.Column{Name: "x"})
	store := &memory{[]checkpoint.Definition{
		{Name: orders().Name, Table: orders()},
		{Name: orders().Name, Table: wider, From: at(100)},
	}}
	h, err := Open(t.Context(), store, 0, at(50))
	require.NoError(t, err)
	definition, err := h.Table(orders().Name)
	require.NoError(t, err)
	require.Len(t, definition.Columns, 3)
	ev := binlog.Event{Kind: binlog.DDL, At: at(100), Result: ddl.Analyze("shop", "ALTER TABLE orders ADD COLUMN x INT", ddl.Mode{})}
	verdict, _, err := h.Judge(ev, Rules{Selection: selection.Selection{{Schema: "shop"}}})
	require.NoError(t, err)
	require.Equal(t, Pass, verdict)
	definition, err = h.Table(orders().Name)
	require.NoError(t, err)
	require.Len(t, definition.Columns, 4)
}
