package dialect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// vitessTable is a table whose column k routes, with a sequence on id and a
// unique key that does not route.
func vitessTable(t *testing.T, vindex string, k table.Column) *dialect.Mapping {
	t.Helper()
	k.Name = "k"
	one := &table.Table{
		Name:    table.Name{Schema: "shop", Table: "a"},
		Columns: []table.Column{{Name: "id", Type: table.TypeInt, Bits: 64, AutoIncrement: true}, k, {Name: "u", Type: table.TypeInt, Bits: 32, Nullable: true}},
		Keys: []table.Key{
			{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}},
			{Name: "u", Unique: true, Parts: []table.KeyPart{{Column: 2}}},
		},
	}
	m, err := dialect.NewMapping(one, one, table.Placement{
		Kind: table.Sharded, Shards: 3, ZeroAsText: true, Sequence: "ids",
		Database: table.Rule{Algorithm: dialect.VitessRule + vindex, Column: "k", Count: 3, Ranges: "-40,40-80,80-"},
	})
	require.NoError(t, err)
	return m
}

func vitess() *dialect.Dialect { return dialect.New(dialect.Vitess, dialect.Default(dialect.Vitess)) }

// The keyspace ids are what vtgate 24.0 told (SELECT hex_keyspace_id FROM vindex).
func TestVitess_ShardsOfVindexes(t *testing.T) {
	number := table.Column{Type: table.TypeInt, Bits: 64}
	text := table.Column{Type: table.TypeText, Charset: "utf8mb4", Collation: "utf8mb4_bin"}
	for _, c := range []struct {
		vindex string
		column table.Column
		value  string
		shard  int // -1: not known
	}{
		{"HASH", number, "1", 0},     // 166b40b44aba4bd6
		{"HASH", number, "3", 1},     // 4eb190c9a2fa169c
		{"XXHASH", number, "100", 0}, // 266c06e548314e55
		{"XXHASH", number, "0", 2},   // ecaf441208573463
		{"XXHASH", text, "00", 1},    // 62e40e22fbbd2a39
		{"NUMERIC", number, "4611686018427387904", 1},
		{"NUMERIC", number, "4611686018427387903", 0},
		{"REVERSE_BITS", number, "1", 2},
		{"REVERSE_BITS", number, "2", 1},
		{"BINARY", table.Column{Type: table.TypeBinary, Length: 9}, "\x40", 1},
		{"HASH", number, "-1", -1},
		{"HASH", number, "9223372036854775808", -1},
		{"XXHASH", number, "-1", -1},
		{"XXHASH", table.Column{Type: table.TypeText, Charset: "latin1"}, "a", -1},
		{"XXHASH", table.Column{Type: table.TypeDecimal}, "1.5", -1},
		{"HASH", text, "1", -1},
		{"UNICODE_LOOSE_XXHASH", text, "a", -1},
		{"OTHER", number, "1", -1},
		{"NONE", number, "1", -1},
	} {
		shard, ok := vitess().Shard(vitessTable(t, c.vindex, c.column), row.Row{row.Value("7"), row.Value(c.value), nil})
		require.Equal(t, c.shard >= 0, ok, "%s of %q", c.vindex, c.value)
		if ok {
			require.Equal(t, c.shard, shard, "%s of %q", c.vindex, c.value)
		}
	}
	_, ok := vitess().Shard(vitessTable(t, "HASH", number), row.Row{row.Value("7"), nil, nil})
	require.False(t, ok, "NULL is mapped nowhere")
}

func TestVitess_ReplaceDeletesOnTheRowsShard(t *testing.T) {
	number := table.Column{Type: table.TypeInt, Bits: 64}
	rows := []row.Row{{row.Value("0"), row.Value("3"), row.Value("9")}, {row.Value("8"), row.Value("3"), nil}}
	require.Equal(t, []string{
		"DELETE FROM `shop`.`a` WHERE `k` = 3 AND `id` IN (0,8)",
		"DELETE FROM `shop:40-80`.`a` WHERE `id` IN (0,8)",
		"DELETE FROM `shop:40-80`.`a` WHERE `u` IN (9)",
		"INSERT INTO `shop`.`a` (`id`,`k`,`u`) VALUES ('0',3,9),(8,3,NULL)",
	}, sqlOf(vitess().Replace(vitessTable(t, "HASH", number), rows)), "a number 0 would become the sequence's next value")
	require.Equal(t, "DELETE FROM `shop`.`a` WHERE `u` IN (9)", sqlOf(vitess().Replace(vitessTable(t, "OTHER", number), rows))[2], "on all shards where the row's own is not known")
	require.Equal(t, "DELETE FROM `shop`.`a` LIMIT 5000", vitess().DeleteRange(vitessTable(t, "HASH", number), table.KeyRange{}).SQL)
	single, err := dialect.NewMapping(vitessTable(t, "HASH", number).Source, vitessTable(t, "HASH", number).Source, table.Placement{Kind: table.Single})
	require.NoError(t, err)
	require.Contains(t, vitess().Replace(single, rows)[0].SQL, "REPLACE INTO", "an unsharded keyspace takes it")
}

func TestVitess_ShardsAreNumberedByTheirRanges(t *testing.T) {
	names := []string{"c0-", "-40", "80-c0", "40-80"}
	dialect.SortShards(names)
	require.Equal(t, []string{"-40", "40-80", "80-c0", "c0-"}, names)
	m := vitessTable(t, "HASH", table.Column{Type: table.TypeInt, Bits: 64})
	require.Equal(t, "shop:80-", vitess().ShardTarget(&m.Placement, "shop", 2))
	require.Empty(t, vitess().ShardTarget(&m.Placement, "shop", 3))
	require.Empty(t, dialect.New(dialect.DDM, dialect.Features{}).ShardTarget(&m.Placement, "shop", 0))
}
