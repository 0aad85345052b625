package schema

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/selection"
)

// TestRule11_WhatWasNotUnderstoodStops: a statement that came this far names a
// selected table; nothing that was understood of it makes it harmless, and
// neither does a name in a character set that nobody can compare.
func TestRule11_WhatWasNotUnderstoodStops(t *testing.T) {
	h := history(t)
	rules := Rules{Selection: selection.Selection{{Schema: "shop", Tables: []string{"*"}}}}
	for _, statement := range []string{"FROBNICATE TABLE orders", "DROP TABLE orders, (", "ALTER TABLE orders COMMENT 'x"} {
		r := ddl.Analyze("shop", statement, ddl.Mode{})
		require.False(t, r.Parsed, statement)
		_, _, err := h.Judge(binlog.Event{Kind: binlog.DDL, At: at(100), Position: at(100), Result: r}, rules)
		require.ErrorIs(t, err, fault.DDLStopped, statement)
	}
	harmless := ddl.Result{Parsed: true, Effects: []ddl.Effect{{Kind: ddl.Irrelevant}}}
	verdict, _, err := h.Judge(binlog.Event{Kind: binlog.DDL, At: at(100), Position: at(100), Result: harmless}, rules)
	require.NoError(t, err)
	require.Equal(t, Pass, verdict)
	harmless.Foreign = true
	_, _, err = h.Judge(binlog.Event{Kind: binlog.DDL, At: at(100), Position: at(100), Result: harmless}, rules)
	require.ErrorIs(t, err, fault.DDLStopped)
}
