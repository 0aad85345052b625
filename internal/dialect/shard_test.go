package dialect

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

func shardColumn(kind table.Type) table.Column {
	return table.Column{Name: "k", Type: kind, Charset: "utf8mb4", Nullable: true}
}

// shardOf routes one value of column k.
func shardOf(t *testing.T, p table.Placement, c table.Column, v row.Value) (int, bool) {
	t.Helper()
	id := table.Column{Name: "id", Type: table.TypeInt}
	src := &table.Table{Columns: []table.Column{id, c}, Keys: []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}}}
	p.Kind = table.Sharded
	m, err := NewMapping(src, src, p)
	require.NoError(t, err)
	return New(DDM, Features{}).Shard(m, row.Row{row.Value("1"), v})
}

func rule(algorithm string, count int) table.Rule {
	return table.Rule{Algorithm: algorithm, Column: "k", Count: count}
}

// The examples of the manual (drs.md 8.8).
func TestShard_ManualExamples(t *testing.T) {
	for _, c := range []struct {
		name            string
		database, table table.Rule
		shards          int
		kind            table.Type
		value           string
		want            int
	}{
		{"HASH", rule("HASH", 8), table.Rule{}, 8, table.TypeInt, "16", 3},
		{"HASH year", table.Rule{Algorithm: "HASH", Column: "k", Function: "year", Count: 8}, table.Rule{}, 8, table.TypeDate, "2019-05-01", 0 /* slot 5404 of 12800 */},
		{"MOD_HASH other key", rule("MOD_HASH", 8), table.Rule{}, 8, table.TypeInt, "16", 0},
		{"MOD_HASH same key", rule("MOD_HASH", 8), rule("MOD_HASH", 3), 8, table.TypeInt, "16", 5},
		{"MOD_HASH text", rule("MOD_HASH", 8), table.Rule{}, 8, table.TypeText, "abc", 96354 % 8},
		{"MOD_HASH text same key", rule("MOD_HASH", 8), rule("MOD_HASH", 3), 8, table.TypeText, "abc", 96354 % 24 / 3},
		{"MOD_HASH_CI lower", rule("MOD_HASH_CI", 8), table.Rule{}, 8, table.TypeText, "abc", 64578 % 8},
		{"MOD_HASH_CI upper", rule("MOD_HASH_CI", 8), table.Rule{}, 8, table.TypeText, "ABC", 64578 % 8},
		{"MOD_HASH_CI number", rule("MOD_HASH_CI", 8), table.Rule{}, 8, table.TypeInt, "17", 1},
		{"MOD_HASH decimal", rule("MOD_HASH", 8), table.Rule{}, 8, table.TypeDecimal, "17", 1},
		{"RIGHT_SHIFT", table.Rule{Algorithm: "RIGHT_SHIFT", Column: "k", Offset: 4, Count: 8}, table.Rule{}, 8, table.TypeInt, "123456", 4},
		{"RIGHT_SHIFT same key: table 13 of 3", table.Rule{Algorithm: "RIGHT_SHIFT", Column: "k", Offset: 4, Count: 8}, table.Rule{Algorithm: "RIGHT_SHIFT", Column: "k", Offset: 4, Count: 3}, 8, table.TypeInt, "123456", 13 / 3},
		{"RANGE", table.Rule{Algorithm: "RANGE", Column: "k", Ranges: "{1-2=0, 3-4=1, default=7}", Count: 8}, table.Rule{}, 8, table.TypeInt, "4", 1},
		{"RANGE default", table.Rule{Algorithm: "RANGE", Column: "k", Ranges: "{1-2=0,3-4=1,default=7}", Count: 8}, table.Rule{}, 8, table.TypeInt, "5", 7},
		{"RANGE month", table.Rule{Algorithm: "RANGE", Column: "k", Function: "month", Ranges: "{1-6=2,7-12=3}", Count: 8}, table.Rule{}, 8, table.TypeDateTime, "2019-07-01 00:00:00", 3},
		{"YYYYMM", rule("YYYYMM", 8), table.Rule{}, 8, table.TypeDate, "2012-11-20", 3},
		{"YYYYMM same key", rule("YYYYMM", 8), rule("YYYYMM", 3), 8, table.TypeDate, "2012-11-20", 24155 % 24 / 3},
		{"YYYYDD", rule("YYYYDD", 8), table.Rule{}, 8, table.TypeDateTime, "2012-12-31 10:00:00", 6},
		{"YYYYWEEK", rule("YYYYWEEK", 8), table.Rule{}, 8, table.TypeTimestamp, "2012-12-31 10:00:00.123", 7},
		{"tables sharded by another rule", rule("YYYYMM", 8), rule("DD", 31), 8, table.TypeDate, "2012-11-20", 3},
	} {
		got, ok := shardOf(t, table.Placement{Database: c.database, Table: c.table, Shards: c.shards}, shardColumn(c.kind), row.Value(c.value))
		require.True(t, ok, c.name)
		require.Equal(t, c.want, got, c.name)
	}
}

// What the manual leaves open is unknown, never guessed.
func TestShard_UnstatedCasesAreUnknown(t *testing.T) {
	for _, c := range []struct {
		name     string
		database table.Rule
		kind     table.Type
		value    string
	}{
		{"negative number", rule("MOD_HASH", 8), table.TypeInt, "-1"},
		{"negative HASH", rule("HASH", 8), table.TypeInt, "-1"},
		{"beyond a Java long", rule("MOD_HASH", 8), table.TypeInt, "9223372036854775808"},
		{"negative hashCode", rule("MOD_HASH", 8), table.TypeText, "polygenelubricants"},
		{"text beyond ASCII", rule("HASH", 8), table.TypeText, "ä"},
		{"slots that do not divide", rule("HASH", 7), table.TypeInt, "16"},
		{"zero date", rule("YYYYMM", 8), table.TypeDate, "0000-00-00"},
		{"partial date", rule("YYYYDD", 8), table.TypeDate, "2024-00-10"},
		{"range without default", table.Rule{Algorithm: "RANGE", Column: "k", Ranges: "{1-2=0}"}, table.TypeInt, "3"},
		{"range that cannot be read", table.Rule{Algorithm: "RANGE", Column: "k", Ranges: "1..2"}, table.TypeInt, "1"},
		{"unknown algorithm", rule("MURMUR", 8), table.TypeInt, "1"},
		{"tables-only algorithm", rule("MMDD", 8), table.TypeDate, "2019-01-15"},
		{"shift of text", rule("RIGHT_SHIFT", 8), table.TypeText, "16"},
	} {
		_, ok := shardOf(t, table.Placement{Database: c.database, Shards: 8}, shardColumn(c.kind), row.Value(c.value))
		require.False(t, ok, c.name)
	}
}

func TestShard_NullGoesToShardZero(t *testing.T) {
	shard, ok := shardOf(t, table.Placement{Database: rule("HASH", 8), Shards: 8}, shardColumn(table.TypeInt), nil)
	require.True(t, ok)
	require.Zero(t, shard)
}

func TestShard_PlainTablesHaveOneAndBroadcastTablesAll(t *testing.T) {
	src := &table.Table{
		Columns: []table.Column{{Name: "id", Type: table.TypeInt}},
		Keys:    []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}},
	}
	for kind, known := range map[table.Kind]bool{table.Single: true, table.Broadcast: false} {
		m, err := NewMapping(src, src, table.Placement{Kind: kind, Shards: 8})
		require.NoError(t, err)
		shard, ok := New(DDM, Features{}).Shard(m, row.Row{row.Value("9")})
		require.Equal(t, known, ok)
		require.Zero(t, shard)
	}
}

func TestByShard_GroupsKnownRowsAndKeepsUnknownOnesTogether(t *testing.T) {
	src := &table.Table{
		Columns: []table.Column{{Name: "k", Type: table.TypeInt}},
		Keys:    []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}},
	}
	m, err := NewMapping(src, src, table.Placement{Kind: table.Sharded, Database: rule("MOD_HASH", 4), Shards: 4})
	require.NoError(t, err)
	d := New(DDM, Features{})
	one := func(v string) row.Row { return row.Row{row.Value(v)} }
	require.Equal(t, [][]row.Row{{one("4"), one("8")}, {one("1"), one("5")}}, d.ByShard(m, []row.Row{one("1"), one("4"), one("5"), one("8")}))
	require.Equal(t, [][]row.Row{{one("1"), one("-4")}}, d.ByShard(m, []row.Row{one("1"), one("-4")}))
}
