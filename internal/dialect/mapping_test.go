package dialect

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

func intColumn(name string) table.Column {
	return table.Column{Name: name, Type: table.TypeInt, SQLType: "int(11)"}
}

func key(name string, columns ...int) table.Key {
	k := table.Key{Name: name, Unique: true}
	for _, c := range columns {
		k.Parts = append(k.Parts, table.KeyPart{Column: c})
	}
	return k
}

func twoTables(src, dst []table.Column) (*table.Table, *table.Table) {
	return &table.Table{Name: table.Name{Schema: "shop", Table: "t"}, Columns: src, Keys: []table.Key{key(table.PrimaryName, 0)}},
		&table.Table{Name: table.Name{Schema: "ddm", Table: "t"}, Columns: dst, Keys: []table.Key{key(table.PrimaryName, 0)}}
}

func sharded(column string) table.Placement {
	return table.Placement{Kind: table.Sharded, Shards: 8, Database: table.Rule{Algorithm: "HASH", Column: column, Count: 8}}
}

func TestMapping_JoinsColumnsByNameWhateverTheOrderAndCase(t *testing.T) {
	src, dst := twoTables([]table.Column{intColumn("id"), intColumn("Customer"), intColumn("x")},
		[]table.Column{intColumn("ID"), intColumn("X"), intColumn("customer")})
	m, err := NewMapping(src, dst, sharded("CUSTOMER"))
	require.NoError(t, err)
	require.Equal(t, []Pair{{0, 0}, {2, 1}, {1, 2}}, m.Pairs)
	require.Equal(t, []int{0}, m.Primary)
	require.Equal(t, []int{1}, m.ShardKey)
	require.Equal(t, []int{0, 1}, m.Identity)
	require.Equal(t, [][]int{{0}}, m.Unique)
	require.False(t, m.SecondaryUnique)
}

func TestMapping_GeneratedColumns(t *testing.T) {
	generated := intColumn("g")
	generated.Generated = table.GeneratedVirtual
	src, dst := twoTables([]table.Column{intColumn("id"), generated}, []table.Column{intColumn("id"), intColumn("g")})
	m, err := NewMapping(src, dst, table.Placement{Kind: table.Single})
	require.NoError(t, err)
	require.Equal(t, []Pair{{0, 0}, {1, 1}}, m.Pairs, "a computed source column is stored in a plain one")

	src, dst = twoTables([]table.Column{intColumn("id"), generated}, []table.Column{intColumn("id"), generated})
	m, err = NewMapping(src, dst, table.Placement{Kind: table.Single})
	require.NoError(t, err)
	require.Equal(t, []Pair{{0, 0}}, m.Pairs, "what the destination computes is not written")

	src, dst = twoTables([]table.Column{intColumn("id"), intColumn("g")}, []table.Column{intColumn("id"), generated})
	_, err = NewMapping(src, dst, table.Placement{Kind: table.Single})
	require.ErrorIs(t, err, fault.ColumnMismatch)
}

func TestMapping_UniqueListsAreNeverTooShort(t *testing.T) {
	src, dst := twoTables([]table.Column{intColumn("id"), intColumn("a"), intColumn("b")},
		[]table.Column{intColumn("b"), intColumn("id"), intColumn("a"), {Name: "extra", Type: table.TypeInt, Nullable: true}})
	dst.Keys = []table.Key{key(table.PrimaryName, 1), key("u", 2, 3)}
	prefix := key("p", 1)
	prefix.Parts[0].Prefix = 3
	src.Keys = append(src.Keys, prefix, key("f", -1), table.Key{Name: "plain", Parts: []table.KeyPart{{Column: 2}}})
	m, err := NewMapping(src, dst, table.Placement{Kind: table.Single})
	require.NoError(t, err)
	require.True(t, m.SecondaryUnique)
	require.Equal(t, [][]int{{0}, {1}, {0, 1, 2}}, m.Unique, "primary, prefix as whole column, expression as all columns; the extra column has one value")
}

func TestMapping_RefusesWhatDoesNotFit(t *testing.T) {
	enum := func(labels ...string) table.Column {
		return table.Column{Name: "e", Type: table.TypeEnum, Labels: labels}
	}
	for _, c := range []struct {
		name     string
		src, dst []table.Column
		p        table.Placement
		want     fault.Definition
	}{
		{"column missing", []table.Column{intColumn("id"), intColumn("a")}, []table.Column{intColumn("id")}, table.Placement{}, fault.ColumnMissing},
		{"extra column without a value", []table.Column{intColumn("id")}, []table.Column{intColumn("id"), intColumn("a")}, table.Placement{}, fault.ColumnNeedsValue},
		{"other type", []table.Column{intColumn("id"), intColumn("a")}, []table.Column{intColumn("id"), {Name: "a", Type: table.TypeText}}, table.Placement{}, fault.ColumnMismatch},
		{"other scale", []table.Column{intColumn("id"), {Name: "a", Type: table.TypeDecimal, Scale: 2}}, []table.Column{intColumn("id"), {Name: "a", Type: table.TypeDecimal, Scale: 1}}, table.Placement{}, fault.ColumnMismatch},
		{"fewer digits of a second", []table.Column{intColumn("id"), {Name: "a", Type: table.TypeDateTime, Fraction: 6}}, []table.Column{intColumn("id"), {Name: "a", Type: table.TypeDateTime}}, table.Placement{}, fault.ColumnMismatch},
		{"padding", []table.Column{intColumn("id"), {Name: "a", Type: table.TypeBinary, Length: 4}}, []table.Column{intColumn("id"), {Name: "a", Type: table.TypeFixedBinary, Length: 4}}, table.Placement{}, fault.ColumnMismatch},
		{"unknown type", []table.Column{intColumn("id"), {Name: "a"}}, []table.Column{intColumn("id"), {Name: "a"}}, table.Placement{}, fault.ColumnMismatch},
		{"label missing", []table.Column{intColumn("id"), enum("a", "b")}, []table.Column{intColumn("id"), enum("a", "B")}, table.Placement{}, fault.LabelMissing},
		{"shard key missing", []table.Column{intColumn("id")}, []table.Column{intColumn("id"), {Name: "k", Type: table.TypeInt, Nullable: true}}, sharded("k"), fault.ShardKeyMissing},
		{"key of many labels", []table.Column{{Name: "id", Type: table.TypeSet, Labels: make([]string, 54)}}, []table.Column{{Name: "id", Type: table.TypeSet, Labels: make([]string, 54)}}, table.Placement{}, fault.ColumnMismatch},
	} {
		src, dst := twoTables(c.src, c.dst)
		_, err := NewMapping(src, dst, c.p)
		require.ErrorIs(t, err, c.want, c.name)
	}
}

func TestMapping_RefusesKeysThatLoseRows(t *testing.T) {
	columns := []table.Column{intColumn("a"), intColumn("b"), intColumn("c")}
	for _, c := range []struct {
		name     string
		src, dst []int
		shard    string
		ok       bool
	}{
		{"equal", []int{0, 1}, []int{0, 1}, "", true},
		{"other order", []int{0, 1}, []int{1, 0}, "", true},
		{"shorter: rows would replace each other", []int{0, 1}, []int{0}, "", false},
		{"longer: one row would be there twice", []int{0}, []int{0, 1}, "", false},
		{"longer by the shard key", []int{0}, []int{0, 1}, "b", true},
	} {
		src, dst := twoTables(columns, columns)
		src.Keys, dst.Keys = []table.Key{key(table.PrimaryName, c.src...)}, []table.Key{key(table.PrimaryName, c.dst...)}
		p := table.Placement{Kind: table.Single}
		if c.shard != "" {
			p = sharded(c.shard)
		}
		_, err := NewMapping(src, dst, p)
		if c.ok {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorIs(t, err, fault.KeyMismatch, c.name)
		}
	}
	at := []table.Column{{Name: "a", Type: table.TypeDateTime, Fraction: 3}}
	src, dst := twoTables(at, at)
	_, err := NewMapping(src, dst, table.Placement{Kind: table.Sharded, Database: table.Rule{Algorithm: "YYYYDD", Column: "a", Count: 8}})
	require.ErrorIs(t, err, fault.KeyMismatch, "keys that differ in dropped fractions only")

	src, dst = twoTables([]table.Column{{Name: "a", Type: table.TypeEnum, Labels: []string{"x", "y"}}}, []table.Column{{Name: "a", Type: table.TypeEnum, Labels: []string{"y", "x"}}})
	_, err = NewMapping(src, dst, table.Placement{})
	require.ErrorIs(t, err, fault.KeyMismatch, "other labels order keys otherwise")

	src, dst = twoTables(columns, columns)
	dst.Keys = nil
	_, err = NewMapping(src, dst, table.Placement{})
	require.ErrorIs(t, err, fault.NoPrimaryKey)
}

func TestCanonical_DropsFractionsOfShardKeysAndMapsLabels(t *testing.T) {
	at := table.Column{Name: "at", Type: table.TypeDateTime, Fraction: 6}
	other := table.Column{Name: "other", Type: table.TypeDateTime, Fraction: 6}
	e := table.Column{Name: "e", Type: table.TypeEnum, Labels: []string{"a", "b"}}
	s := table.Column{Name: "s", Type: table.TypeSet, Labels: []string{"x", "y", "z"}}
	swapped, more := e, s
	swapped.Labels, more.Labels = []string{"b", "a", "c"}, []string{"z", "y", "new", "x"}
	src, dst := twoTables([]table.Column{intColumn("id"), at, other, e, s}, []table.Column{intColumn("id"), at, other, swapped, more})
	p := table.Placement{Kind: table.Sharded, Shards: 8, Database: table.Rule{Algorithm: "YYYYMM", Column: "at", Count: 8}}
	m, err := NewMapping(src, dst, p)
	require.NoError(t, err)
	const moment = "2024-01-02 03:04:05.678901"
	r := row.Row{row.Value("1"), row.Value(moment), row.Value(moment), row.Value("1"), row.Value("5")}
	got := m.Canonical(r)
	require.Equal(t, row.Row{row.Value("1"), row.Value("2024-01-02 03:04:05.000000"), row.Value(moment), row.Value("2"), row.Value("9")}, got)
	require.Equal(t, row.Value(moment), r[1], "the row that came in is not changed")

	same := row.Row{row.Value("1"), nil, nil, row.Value("0"), nil}
	require.Equal(t, same, m.Canonical(same))
	require.Nil(t, m.Canonical(nil))

	p.Database.Algorithm = "vindex"
	m, err = NewMapping(src, src, p)
	require.NoError(t, err)
	require.Equal(t, r, m.Canonical(r), "only DDM's rules drop fractions")
}
