package compare

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// physical holds rows by physical shard, in the order of the identity's columns.
type physical map[int][]row.Row

func (p physical) ReadShard(_ context.Context, _ *dialect.Mapping, shard int, _ table.KeyRange, fn func(row.Row) error) error {
	for _, r := range p[shard] {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func (p physical) Dialect() *dialect.Dialect {
	return dialect.New(dialect.DDM, dialect.Default(dialect.DDM))
}

func shardedMapping(t *testing.T) *dialect.Mapping {
	t.Helper()
	o := &table.Table{
		Name:    table.Name{Schema: "shop", Table: "orders"},
		Columns: []table.Column{{Name: "id", Type: table.TypeInt}, {Name: "v", Type: table.TypeInt}, {Name: "k", Type: table.TypeInt}},
		Keys:    []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}},
	}
	m, err := dialect.NewMapping(o, o, table.Placement{Kind: table.Sharded, Shards: 4, Database: table.Rule{Algorithm: "MOD_HASH", Column: "k", Count: 4}})
	require.NoError(t, err)
	return m
}

func check(t *testing.T, p physical) *job {
	t.Helper()
	m := shardedMapping(t)
	j := &job{run: &run{}, state: &state{}, mapping: m, misplaced: map[string]bool{}}
	require.NoError(t, newPlaces(p, m).check(t.Context(), j, table.KeyRange{}))
	return j
}

func kindsOf(j *job) map[string]string {
	out := map[string]string{}
	for _, d := range j.state.kept {
		out[d.Key] = d.Kind
	}
	return out
}

// 40 rows on their shards; k is id.
func rightPlaces() physical {
	p := physical{}
	for i := range 40 {
		p[i%4] = append(p[i%4], row.Row{row.Value(strconv.Itoa(i)), row.Value(strconv.Itoa(i))})
	}
	return p
}

func TestPlaces_RightRowsAreNoFinding(t *testing.T) {
	require.Zero(t, check(t, rightPlaces()).state.Differences)
}

func TestPlaces_FindsRowsOnTheWrongShardAndTwice(t *testing.T) {
	p := rightPlaces()
	moved := p[1][0]
	p[1] = p[1][1:]
	p[2] = append(p[2], moved)                                     // on the wrong shard
	p[3] = append(p[3], p[0][0])                                   // on two
	p[3] = append(p[3], row.Row{row.Value("-5"), row.Value("-5")}) // a case that the manual leaves open
	j := check(t, p)
	require.Equal(t, map[string]string{"`id` = 1 AND `k` = 1": misplaced, "`id` = 0 AND `k` = 0": misplaced}, kindsOf(j))
	require.False(t, j.state.Unplaced)
}

// When most rows seem misplaced, the rule was read wrongly: nothing is reported.
func TestPlaces_DoubtTheRuleBeforeTheRows(t *testing.T) {
	p := rightPlaces()
	p[0], p[1], p[2], p[3] = p[1], p[2], p[3], p[0]
	j := check(t, p)
	require.Zero(t, j.state.Differences)
	require.True(t, j.state.Unplaced)
}

func TestPlaces_PlainTablesHaveNone(t *testing.T) {
	m := shardedMapping(t)
	m.Placement.Kind = table.Single
	require.Nil(t, newPlaces(physical{}, m))
	require.NoError(t, newPlaces(physical{}, m).check(t.Context(), nil, table.KeyRange{}))
}

func TestHash_KeysComeApartAgain(t *testing.T) {
	r := row.Row{row.Value("a"), nil, row.Value{}, row.Value(fmt.Sprintf("%0300d", 1))}
	require.Equal(t, []row.Value(r), splitKey(r.Key([]int{0, 1, 2, 3})))
}
