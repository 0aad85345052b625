package ddmsim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSplit measures what the simulator itself does to a 256 KiB INSERT:
// scan, read keys, route, put together.
func BenchmarkSplit(b *testing.B) {
	table := &tableRule{Schema: "s", Name: "o", Kind: sharded, Shards: 8, DB: &partition{Algorithm: "MOD_HASH", Column: "k", Kind: keyInteger}}
	for _, c := range []string{"id bigint", "k bigint", "a varchar", "c varbinary", "d datetime"} {
		name, kind, _ := strings.Cut(c, " ")
		table.Columns = append(table.Columns, column{Name: name, Type: kind})
	}
	var q strings.Builder
	q.WriteString("INSERT INTO o VALUES ")
	for i := 0; q.Len() < 256<<10; i++ {
		if i > 0 {
			q.WriteByte(',')
		}
		fmt.Fprintf(&q, "(%d,%d,'%s',x'%s','2024-01-01 00:00:00.123')", i, i, strings.Repeat("text ", 20), strings.Repeat("ab", 50))
	}
	sql := q.String()
	b.SetBytes(int64(len(sql)))
	ss := &session{server: &Server{}, vars: map[string]string{}}
	for b.Loop() {
		t, err := scan(sql)
		require.NoError(b, err)
		require.NoError(b, ss.checkTokens(t, hints{shard: -1}))
		in := &insertion{text: t, auto: -1, dbAt: -1, tbAt: -1, table: table, verbEnd: 2, columns: []int{0, 1, 2, 3, 4}, values: 4}
		require.NoError(b, in.watch())
		require.NoError(b, ss.checkTail(in))
		require.NoError(b, ss.readRows(in))
		require.NoError(b, ss.routeRows(in))
		require.Len(b, in.calls(hints{shard: -1}), 8)
	}
}
