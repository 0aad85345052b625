package testvitess_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/precheck"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
	"shardlift/internal/testvitess"
)

// facts is the vschema of the keyspace that the tests below share.
const facts = `{"sharded": true, "vindexes": {
	"xxhash": {"type": "xxhash"}, "hash": {"type": "hash"}, "numeric": {"type": "numeric"}, "binary": {"type": "binary"},
	"reverse": {"type": "reverse_bits"}, "loose": {"type": "unicode_loose_xxhash"}, "regional": {"type": "region_experimental", "params": {"region_bytes": "1"}},
	"owned": {"type": "consistent_lookup_unique", "params": {"table": "facts_meta.by_name", "from": "name", "to": "id"}, "owner": "owning"}},
 "tables": {
	"by_xxhash": {"column_vindexes": [{"column": "id", "name": "xxhash"}], "auto_increment": {"column": "id", "sequence": "facts_meta.ids"}},
	"by_hash": {"column_vindexes": [{"column": "o", "name": "hash"}], "auto_increment": {"column": "id", "sequence": "facts_meta.ids"}},
	"by_numeric": {"column_vindexes": [{"column": "id", "name": "numeric"}]},
	"by_reverse": {"column_vindexes": [{"column": "id", "name": "reverse"}]},
	"by_binary": {"column_vindexes": [{"column": "id", "name": "binary"}]},
	"by_text": {"column_vindexes": [{"column": "id", "name": "xxhash"}]},
	"by_loose": {"column_vindexes": [{"column": "id", "name": "loose"}]},
	"by_two": {"column_vindexes": [{"columns": ["r", "id"], "name": "regional"}]},
	"nullable": {"column_vindexes": [{"column": "n", "name": "hash"}]},
	"german": {"column_vindexes": [{"column": "id", "name": "xxhash"}]},
	"owning": {"column_vindexes": [{"column": "id", "name": "hash"}, {"column": "name", "name": "owned"}]},
	"everywhere": {"type": "reference"}}}`

var shards = []string{"-40", "40-80", "80-"}

func TestVitess(t *testing.T) {
	c := testvitess.Start(t, []testvitess.Keyspace{
		{Name: "facts", Shards: shards, VSchema: facts},
		{Name: "facts_meta", VSchema: `{"tables": {"ids": {"type": "sequence"}}}`},
	})
	db := c.DB(t, "facts")
	for _, statement := range []string{
		"CREATE TABLE by_xxhash (id BIGINT NOT NULL, u INT, v VARCHAR(30), PRIMARY KEY (id), UNIQUE KEY u (u))",
		"CREATE TABLE by_hash (id BIGINT NOT NULL, o BIGINT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE by_numeric (id BIGINT UNSIGNED NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE by_reverse (id BIGINT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE by_binary (id VARBINARY(20) NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE by_text (id VARCHAR(20) COLLATE utf8mb4_bin NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE by_loose (id VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE by_two (r INT NOT NULL, id BIGINT NOT NULL, PRIMARY KEY (r, id))",
		"CREATE TABLE nullable (id INT NOT NULL, n INT, PRIMARY KEY (id))",
		"CREATE TABLE german (id VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE owning (id INT NOT NULL, name INT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE everywhere (id INT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE unrouted (id INT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE facts_meta.ids (id INT NOT NULL, next_id BIGINT, cache BIGINT, PRIMARY KEY (id)) COMMENT 'vitess_sequence'",
		"CREATE TABLE facts_meta.plain (id INT NOT NULL AUTO_INCREMENT, v INT, PRIMARY KEY (id))",
		"INSERT INTO facts_meta.ids (id, next_id, cache) VALUES (0, 1, 50)",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	r := &rig{t: t, cluster: c, db: db}
	r.dst = r.open(t)
	t.Run("Probe", r.probe)
	t.Run("Placements", r.placements)
	t.Run("ShardsOfRows", r.shardsOfRows)
	t.Run("ReplaceStaysOnItsShard", r.replaceStaysOnItsShard)
	t.Run("ZeroIsKept", r.zeroIsKept)
	t.Run("Sequences", r.sequences)
	t.Run("LongResults", r.longResults)
	t.Run("OwnedLookups", r.ownedLookups)
	t.Run("PreCheck", r.preCheck)
	t.Run("FenceHoldsEveryShard", r.fenceHoldsEveryShard)
	t.Run("FenceRefused", r.fenceRefused)
	t.Run("DropLeavesNothing", r.dropLeavesNothing)
	t.Run("OutageIsNoRefusal", r.outageIsNoRefusal)
}

// outageIsNoRefusal: while the MySQL below is away, vtgate answers SET with the
// error that it has for everything; the task tries again instead of ending.
func (r *rig) outageIsNoRefusal(t *testing.T) {
	r.cluster.MySQL.Kill(t)
	var err error
	failed := func() bool {
		var d *destination.Destination
		if d, err = destination.Open(t.Context(), r.config(), "auto"); err == nil {
			_ = d.Close()
		}
		return err != nil
	}
	for range 5 {
		require.Eventually(t, failed, 2*time.Minute, 50*time.Millisecond)
		require.Equal(t, fault.Retry, fault.ClassOf(err), err.Error())
	}
	r.cluster.MySQL.Start(t)
	require.Eventually(t, func() bool { return !failed() }, 2*time.Minute, 200*time.Millisecond)
}

type rig struct {
	t       *testing.T
	cluster *testvitess.Cluster
	db      *sql.DB
	dst     *destination.Destination
}

func (r *rig) config() mysqlconn.Config {
	return mysqlconn.Config{
		Host: r.cluster.Host, Port: r.cluster.Port, User: r.cluster.User, Password: secret.NewText(r.cluster.Password),
		TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}, MaxConnections: 8,
	}
}

func (r *rig) open(t *testing.T) *destination.Destination {
	t.Helper()
	d, err := destination.Open(t.Context(), r.config(), "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func (r *rig) mapping(t *testing.T, name string) *dialect.Mapping {
	t.Helper()
	n := table.Name{Schema: "facts", Table: name}
	definition, err := r.dst.Table(t.Context(), n)
	require.NoError(t, err)
	p, err := r.dst.Placement(t.Context(), n)
	require.NoError(t, err)
	m, err := dialect.NewMapping(definition, definition, p)
	require.NoError(t, err)
	return m
}

// write runs statements in one transaction.
func (r *rig) write(t *testing.T, statements []dialect.Statement) {
	t.Helper()
	s, err := r.dst.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Begin(t.Context()))
	for _, statement := range statements {
		_, err := s.Exec(t.Context(), statement.SQL)
		require.NoError(t, err, statement.SQL)
	}
	require.NoError(t, s.Commit(t.Context()))
}

// stored returns the first column of every row by shard, read past Vitess.
func (r *rig) stored(t *testing.T, name string) [][]string {
	t.Helper()
	out := make([][]string, len(shards))
	for i, shard := range shards {
		rows, err := r.cluster.ShardDB(t, "facts", shard).QueryContext(t.Context(), "SELECT id FROM "+name+" ORDER BY id")
		require.NoError(t, err)
		for rows.Next() {
			var id string
			require.NoError(t, rows.Scan(&id))
			out[i] = append(out[i], id)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	return out
}

func (r *rig) probe(t *testing.T) {
	require.Equal(t, dialect.Vitess, r.dst.Info().Kind)
	_, err := checkpoint.Open(t.Context(), r.dst, "facts_meta", "probe")
	require.NoError(t, err)
	require.Equal(t, destination.Effects{Lock: destination.LockShare, Kill: destination.KillNone}, r.dst.Info().Effects)
	_, err = checkpoint.Open(t.Context(), r.open(t), "facts", "probe")
	require.ErrorIs(t, err, fault.MetadataSchema, "a sharded keyspace has no place for metadata")
}

func (r *rig) placements(t *testing.T) {
	all, err := r.dst.Placements(t.Context(), "facts")
	require.NoError(t, err)
	for name, want := range map[string]string{
		"by_xxhash": "XXHASH", "by_hash": "HASH", "by_numeric": "NUMERIC", "by_reverse": "REVERSE_BITS", "by_text": "XXHASH",
		"by_loose": "OTHER", "by_two": "OTHER", "everywhere": "NONE", "unrouted": "NONE",
	} {
		require.Equal(t, table.Sharded, all[name].Kind, name)
		require.Equal(t, dialect.VitessRule+want, all[name].Database.Algorithm, name)
		require.Equal(t, len(shards), all[name].Shards, name)
	}
	require.Equal(t, []string{"r", "id"}, all["by_two"].ShardColumns())
	require.Equal(t, "ids", all["by_hash"].Sequence)
	require.True(t, r.mapping(t, "by_hash").Destination.Columns[0].AutoIncrement, "the vschema says so, the table does not")
	require.False(t, r.mapping(t, "by_hash").Destination.Columns[1].AutoIncrement)
	require.True(t, r.mapping(t, "by_xxhash").Destination.Columns[0].AutoIncrement)
	plain, err := r.dst.Placements(t.Context(), "facts_meta")
	require.NoError(t, err)
	require.Equal(t, table.Single, plain["plain"].Kind)
}

// shardsOfRows: what the dialect computes is where vtgate puts the row.
func (r *rig) shardsOfRows(t *testing.T) {
	numbers := []string{"1", "2", "3", "7", "100", "4611686018427387904", "9223372036854775807"}
	for name, values := range map[string][]string{
		"by_xxhash": numbers, "by_numeric": numbers, "by_reverse": numbers, "by_hash": numbers,
		"by_text":   {"a", "A", "ä", "a ", "日本", "ab\\c'd", ""},
		"by_binary": {"a", "\x00", "\x40", "\x7f\xff", "\x80", "\xff"},
	} {
		m := r.mapping(t, name)
		want := make([][]string, len(shards))
		var rows []row.Row
		for _, v := range values {
			one := make(row.Row, len(m.Source.Columns))
			for i := range one {
				one[i] = row.Value(v)
			}
			if name == "by_xxhash" {
				one[1], one[2] = nil, nil
			}
			shard, ok := r.dst.Dialect().Shard(m, one)
			require.True(t, ok, "%s %q", name, v)
			want[shard] = append(want[shard], v)
			rows = append(rows, one)
		}
		require.Len(t, r.dst.Dialect().ByShard(m, rows), len(slices.DeleteFunc(slices.Clone(want), func(s []string) bool { return s == nil })))
		r.write(t, r.dst.Dialect().Insert(m, rows))
		got := r.stored(t, name)
		for i := range want {
			require.ElementsMatch(t, want[i], got[i], "%s on shard %s", name, shards[i])
		}
		for shard := range shards { // the comparison's own look at the places
			var read []string
			require.NoError(t, r.dst.ReadShard(t.Context(), m, shard, table.KeyRange{}, func(identity row.Row) error {
				read = append(read, string(identity[0]))
				return nil
			}))
			require.ElementsMatch(t, want[shard], read, "%s on shard %s", name, shards[shard])
		}
		r.write(t, r.dst.Dialect().Delete(m, rows))
		require.Empty(t, slices.Concat(r.stored(t, name)...), name)
	}
	_, ok := r.dst.Dialect().Shard(r.mapping(t, "by_loose"), row.Row{row.Value("a")})
	require.False(t, ok)
}

// replaceStaysOnItsShard: a unique value is taken from a row of the same shard,
// and from no row of another one, as REPLACE does it.
func (r *rig) replaceStaysOnItsShard(t *testing.T) {
	m := r.mapping(t, "by_xxhash")
	byShard := map[int][]string{}
	for i := 1; len(byShard[0]) < 2 || len(byShard[1]) < 1; i++ {
		id := fmt.Sprint(i)
		shard, _ := r.dst.Dialect().Shard(m, row.Row{row.Value(id), nil, nil})
		byShard[shard] = append(byShard[shard], id)
	}
	of := func(id, u, v string) row.Row { return row.Row{row.Value(id), row.Value(u), row.Value(v)} }
	first, second, elsewhere := byShard[0][0], byShard[0][1], byShard[1][0]
	r.write(t, r.dst.Dialect().Insert(m, []row.Row{of(first, "7", "old"), of(elsewhere, "7", "old")}))
	replace := r.dst.Dialect().Replace(m, []row.Row{of(second, "7", "new")})
	require.Contains(t, replace[1].SQL, "`facts:-40`.`by_xxhash`")
	r.write(t, replace)
	r.write(t, replace)
	require.Equal(t, [][]string{{second}, {elsewhere}, nil}, r.stored(t, "by_xxhash"))
	r.write(t, []dialect.Statement{r.dst.Dialect().DeleteRange(m, table.KeyRange{})})
	require.Empty(t, slices.Concat(r.stored(t, "by_xxhash")...))
}

// zeroIsKept: vtgate takes a number 0 for a wish for the sequence's next value.
func (r *rig) zeroIsKept(t *testing.T) {
	for _, name := range []string{"by_xxhash", "by_hash"} {
		m := r.mapping(t, name)
		zero := make(row.Row, len(m.Source.Columns))
		for i := range zero {
			zero[i] = row.Value("0")
		}
		for _, statements := range [][]dialect.Statement{
			r.dst.Dialect().Insert(m, []row.Row{zero}), r.dst.Dialect().Replace(m, []row.Row{zero}), r.dst.Dialect().Upsert(m, []row.Row{zero}),
		} {
			if name == "by_hash" && strings.Contains(statements[0].SQL, "INSERT") {
				r.write(t, r.dst.Dialect().Delete(m, []row.Row{zero})) // nothing to upsert: a plain insert
			}
			r.write(t, statements)
			stored := r.stored(t, name)
			require.Equal(t, []string{"0"}, slices.Concat(stored...), name)
			shard, ok := r.dst.Dialect().Shard(m, zero)
			require.True(t, ok)
			require.Equal(t, []string{"0"}, stored[shard], name)
		}
		r.write(t, r.dst.Dialect().Delete(m, []row.Row{zero}))
		require.Empty(t, slices.Concat(r.stored(t, name)...), name)
	}
}

// sequences: the next value is above what is asked for, although the tablet has
// smaller ones in memory.
func (r *rig) sequences(t *testing.T) {
	all, err := r.dst.Sequences(t.Context(), "facts")
	require.NoError(t, err)
	require.Len(t, all, 2)
	ids := all["by_hash"]
	require.Equal(t, "facts_meta", ids.Schema)
	before, err := r.dst.NextValue(t.Context(), ids)
	require.NoError(t, err)
	require.NoError(t, r.dst.SetSequence(t.Context(), ids, 5000))
	next, err := r.dst.NextValue(t.Context(), ids)
	require.NoError(t, err)
	require.Less(t, before, uint64(5000))
	require.GreaterOrEqual(t, next, uint64(5000))
	require.NoError(t, r.dst.SetSequence(t.Context(), ids, 10), "it never goes back")
	after, err := r.dst.NextValue(t.Context(), ids)
	require.NoError(t, err)
	require.Greater(t, after, next)
	_, err = r.db.ExecContext(t.Context(), "INSERT INTO by_hash (o) VALUES (1)")
	require.NoError(t, err)
	require.Greater(t, slices.Concat(r.stored(t, "by_hash")...)[0], "5000")
	_, err = r.db.ExecContext(t.Context(), "DELETE FROM by_hash WHERE o = 1")
	require.NoError(t, err)
}

// longResults: vtgate ends results of more than 10,000 rows with an error, and
// tablets statements that change more.
func (r *rig) longResults(t *testing.T) {
	m := r.mapping(t, "by_numeric")
	const rows = 12_000
	var all []row.Row
	for i := range rows {
		all = append(all, row.Row{row.Value(fmt.Sprint(i))})
	}
	r.write(t, r.dst.Dialect().Insert(m, all))
	read := 0
	require.NoError(t, r.dst.ReadRange(t.Context(), m, table.KeyRange{}, func(row.Row) error { read++; return nil }))
	require.Equal(t, rows, read)
	read = 0
	require.NoError(t, r.dst.ReadShard(t.Context(), m, 0, table.KeyRange{}, func(row.Row) error { read++; return nil }))
	require.Equal(t, rows, read, "small numbers are all on the first shard")
	s, err := r.dst.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = s.Exec(t.Context(), "DELETE FROM facts.by_numeric")
	require.Error(t, err, "if this works, Features.DeleteRows is not needed")
	deleted := int64(0)
	for {
		n, err := s.Exec(t.Context(), r.dst.Dialect().DeleteRange(m, table.KeyRange{}).SQL)
		require.NoError(t, err)
		if n == 0 {
			break
		}
		deleted += n
	}
	require.Equal(t, int64(rows), deleted)
}

// ownedLookups: what the pre-check refuses does not work.
func (r *rig) ownedLookups(t *testing.T) {
	_, err := r.db.ExecContext(t.Context(), "CREATE TABLE facts_meta.by_name (name INT NOT NULL, id VARBINARY(16), PRIMARY KEY (name))")
	require.NoError(t, err)
	m := r.mapping(t, "owning")
	one := []row.Row{{row.Value("1"), row.Value("5")}}
	r.write(t, r.dst.Dialect().Insert(m, one))
	s, err := r.dst.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = s.Exec(t.Context(), "SET SESSION innodb_lock_wait_timeout = 1")
	require.NoError(t, err)
	require.NoError(t, s.Begin(t.Context()))
	for _, statement := range r.dst.Dialect().Replace(m, one) {
		if _, err = s.Exec(t.Context(), statement.SQL); err != nil {
			break
		}
	}
	require.Error(t, err, "if this works, owned lookup vindexes need not be refused")
	require.NoError(t, s.Rollback(t.Context()))
}

func (r *rig) preCheck(t *testing.T) {
	source := testdb.Get(t, "mysql97")
	schema := source.Schema(t)
	db := source.DB(t, schema)
	for _, statement := range []string{
		"CREATE TABLE by_xxhash (id BIGINT NOT NULL, u INT, v VARCHAR(30), PRIMARY KEY (id), UNIQUE KEY u (u))",
		"CREATE TABLE nullable (id INT NOT NULL, n INT, PRIMARY KEY (id))",
		"CREATE TABLE german (id VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE owning (id INT NOT NULL, name INT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE everywhere (id INT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE unrouted (id INT NOT NULL, PRIMARY KEY (id))",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	c := precheck.Config{TaskID: "precheck", Destination: r.config()}
	c.Source = mysqlconn.Config{Host: source.Host, Port: source.Port, User: source.User, Password: secret.NewText(source.Password)}
	c.Spec.Type = task.FullIncremental
	c.Spec.Destination.Kind = "auto"
	c.Spec.Destination.MetadataSchema = "facts_meta"
	check := func(code string, tables ...string) contract.PrecheckItemResult {
		c.Spec.Objects = selection.Selection{{Schema: schema, To: "facts", Tables: tables}}
		env := precheck.NewEnv(c)
		defer func() { require.NoError(t, env.Close()) }()
		result, err := precheck.Run(t.Context(), env, code)
		require.NoError(t, err, code)
		return result
	}
	for name, want := range map[string]string{
		"by_xxhash": "", "nullable": "may be NULL", "german": "latin1", "owning": "owns lookup vindexes: owned",
		"everywhere": "reference table", "unrouted": "no primary vindex",
	} {
		result := check("dstVitessRouting", name)
		if want == "" {
			require.Equal(t, contract.Passed, result.Verdict, "%s: %v", name, result)
			continue
		}
		require.Equal(t, contract.Failed, result.Verdict, name)
		require.Contains(t, strings.Join(result.Evidence, "\n"), want, name)
	}
	c.Spec.Destination.MetadataSchema = "facts"
	require.Equal(t, contract.Failed, check("dstVitessRouting", "by_xxhash").Verdict)
	c.Spec.Destination.MetadataSchema = "facts_meta"
	// The whole pre-check sees a good table as good.
	for _, item := range precheck.Items(task.FullIncremental) {
		result := check(item.Code, "by_xxhash")
		if strings.HasPrefix(item.Code, "dst") || strings.HasPrefix(item.Code, "db") || item.Code == "checkEmptyDstDb" {
			require.NotEqual(t, contract.Failed, result.Verdict, "%s: %s %v", item.Code, result.Reason, result.Evidence)
		}
	}
	_, err := r.db.ExecContext(t.Context(), "INSERT INTO by_xxhash (id, v) VALUES (5, 'there')")
	require.NoError(t, err)
	require.Equal(t, contract.Failed, check("checkEmptyDstDb", "by_xxhash").Verdict)
	_, err = r.db.ExecContext(t.Context(), "DELETE FROM by_xxhash WHERE id = 5")
	require.NoError(t, err)
}

// fenceHoldsEveryShard: a transaction of unknown shards keeps a new owner out of
// each of them; one of a known shard keeps it out of that one.
func (r *rig) fenceHoldsEveryShard(t *testing.T) {
	store, err := checkpoint.Open(t.Context(), r.dst, "facts_meta", "fence")
	require.NoError(t, err)
	acquire := func(box int64) (*checkpoint.Fence, error) {
		return store.Acquire(t.Context(), "copy/0", checkpoint.Token{Epoch: 1, Box: box, Attempt: 1}, []string{"facts"}, false)
	}
	box := int64(0)
	for _, shard := range []int{-1, 0, 2} {
		box++
		old, err := acquire(box)
		require.NoError(t, err)
		s, err := r.dst.Session(t.Context())
		require.NoError(t, err)
		require.NoError(t, old.Register(t.Context(), s))
		require.NoError(t, s.Begin(t.Context()))
		require.NoError(t, old.Guard(t.Context(), s, "facts", shard))
		for i, name := range shards {
			held := shard < 0 || shard == i
			other := r.cluster.ShardDB(t, "facts", name)
			_, err := other.ExecContext(t.Context(), "SELECT 1 FROM shardlift_fence WHERE task = 'fence' AND unit = 'copy/0' FOR UPDATE NOWAIT")
			require.Equal(t, held, err != nil, "guarded %d, shard %s: %v", shard, name, err)
		}
		taken := make(chan error, 1)
		box++
		go func(box int64) { _, err := acquire(box); taken <- err }(box)
		select {
		case err := <-taken:
			require.FailNow(t, "a new owner did not wait", "shard %d: %v", shard, err)
		case <-time.After(1500 * time.Millisecond):
		}
		require.NoError(t, s.Commit(t.Context()))
		require.NoError(t, <-taken)
		require.NoError(t, s.Begin(t.Context()))
		require.ErrorIs(t, old.Guard(t.Context(), s, "facts", shard), fault.Fenced)
		require.NoError(t, s.Close())
	}
}

// fenceRefused: without the right to change the vschema the remedy says how.
func (r *rig) fenceRefused(t *testing.T) {
	statement := ""
	create := func() error { return nil }
	_, err := r.dst.Spread(t.Context(), table.Name{Schema: "facts", Table: "no_such_table_is_routed"}, create)
	if f, ok := fault.As(err); ok {
		statement = f.Remedy
	}
	if err == nil {
		return // vtgate lets a vschema name a table that is not there
	}
	require.ErrorIs(t, err, fault.VSchemaRights)
	require.Contains(t, statement, "ALTER VSCHEMA ON `facts`")
}

// dropLeavesNothing: rows of the fence go on every shard, then the tables.
func (r *rig) dropLeavesNothing(t *testing.T) {
	for _, id := range []string{"probe", "fence"} {
		store, ok, err := checkpoint.Existing(t.Context(), r.dst, "facts_meta", id)
		require.NoError(t, err)
		require.True(t, ok, id)
		require.NoError(t, store.Drop(t.Context()))
	}
	for _, shard := range shards {
		var n int
		require.NoError(t, r.cluster.ShardDB(t, "facts", shard).QueryRowContext(t.Context(),
			"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'shardlift%'").Scan(&n))
		require.Zero(t, n, shard)
	}
	// And a task that comes later makes them again.
	store, err := checkpoint.Open(context.WithoutCancel(t.Context()), r.dst, "facts_meta", "later")
	require.NoError(t, err)
	_, err = store.Acquire(t.Context(), "copy/0", checkpoint.Token{Epoch: 1, Box: 1, Attempt: 1}, []string{"facts"}, false)
	require.NoError(t, err)
}
