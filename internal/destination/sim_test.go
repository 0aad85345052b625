package destination

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/table"
)

func openSim(t *testing.T, shards int, options ...simtest.Option) (*simtest.Sim, *Destination) {
	t.Helper()
	s := simtest.Start(t, shards, options...)
	d, err := Open(t.Context(), mysqlconn.Config{Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password), MaxConnections: 8}, "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return s, d
}

func TestOpen_KnowsDDM(t *testing.T) {
	s, d := openSim(t, 4)
	require.Equal(t, dialect.DDM, d.Info().Kind)
	require.NotEmpty(t, d.Hint())
	n, err := d.Shards(t.Context(), s.Schema)
	require.NoError(t, err)
	require.Equal(t, 4, n)
}

func TestProbeEffects_FindsWhatAMiddlewareDoes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*simtest.SimConfig)
		want   Effects
	}{
		"default":        {func(*simtest.SimConfig) {}, Effects{Lock: LockShare, Kill: KillConnection}},
		"found rows":     {func(c *simtest.SimConfig) { c.FoundRows = true }, Effects{FoundRows: true, Lock: LockShare, Kill: KillConnection}},
		"no locks":       {func(c *simtest.SimConfig) { c.NoRowLocks = true }, Effects{Lock: LockNone, Kill: KillConnection}},
		"no kill":        {func(c *simtest.SimConfig) { c.NoKill = true }, Effects{Lock: LockShare, Kill: KillPhysical}},
		"nothing passes": {func(c *simtest.SimConfig) { c.NoKill, c.NoKillPhysical, c.NoRowLocks = true, true, true }, Effects{Lock: LockNone, Kill: KillNone}},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := openSim(t, 2, simtest.With(c.change))
			require.NoError(t, d.Define(t.Context(), s.Schema, ScratchDDL))
			e, err := d.ProbeEffects(t.Context(), s.Schema)
			require.NoError(t, err)
			require.Equal(t, c.want, e)
		})
	}
}

func TestPlacements_ReadTheRules(t *testing.T) {
	s, d := openSim(t, 4)
	for _, ddl := range []string{
		"CREATE TABLE one (id BIGINT NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE everywhere (id BIGINT NOT NULL AUTO_INCREMENT, PRIMARY KEY (id)) BROADCAST",
		"CREATE TABLE orders (id BIGINT NOT NULL AUTO_INCREMENT, customer BIGINT NOT NULL, at DATETIME, PRIMARY KEY (id, customer)) DBPARTITION BY MOD_HASH(customer) TBPARTITION BY MOD_HASH(id) TBPARTITIONS 3",
		"CREATE TABLE yearly (id BIGINT NOT NULL, at DATETIME NOT NULL, PRIMARY KEY (id, at)) DBPARTITION BY HASH(year(at))",
		"CREATE TABLE shifted (id BIGINT NOT NULL, PRIMARY KEY (id)) DBPARTITION BY RIGHT_SHIFT(id, 4)",
	} {
		require.NoError(t, d.Define(t.Context(), s.Schema, ddl), ddl)
	}
	get := func(name string) table.Placement {
		p, err := d.Placement(t.Context(), table.Name{Schema: s.Schema, Table: name})
		require.NoError(t, err)
		return p
	}
	require.Equal(t, table.Single, get("one").Kind)
	require.Equal(t, table.Single, get("no_such_table").Kind)
	p := get("everywhere")
	require.Equal(t, table.Broadcast, p.Kind)
	require.Equal(t, 4, p.Shards)
	require.Equal(t, "everywhere", p.Sequence)
	p = get("orders")
	require.Equal(t, table.Sharded, p.Kind)
	require.Equal(t, []string{"customer", "id"}, p.ShardColumns())
	require.Equal(t, table.Rule{Algorithm: "MOD_HASH", Column: "customer", Count: 4}, p.Database)
	require.Equal(t, table.Rule{Algorithm: "MOD_HASH", Column: "id", Count: 3}, p.Table)
	require.Equal(t, "orders", p.Sequence)
	p = get("yearly")
	require.Equal(t, "HASH", p.Database.Algorithm)
	require.Equal(t, "at", p.Database.Column)
	require.Equal(t, "year", p.Database.Function)
	p = get("shifted")
	require.Equal(t, "RIGHT_SHIFT", p.Database.Algorithm)
	require.Equal(t, 4, p.Database.Offset)

	names, err := d.Tables(t.Context(), s.Schema)
	require.NoError(t, err)
	require.Len(t, names, 5)
	def, err := d.Table(t.Context(), table.Name{Schema: s.Schema, Table: "orders"})
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, def.Primary().Columns())
	require.True(t, def.Columns[0].AutoIncrement)
	require.True(t, def.Transactional())
}

func TestReadShard_ReadsOnePhysicalShard(t *testing.T) {
	const shards = 4
	s, d := openSim(t, shards)
	require.NoError(t, d.Define(t.Context(), s.Schema, "CREATE TABLE a (id BIGINT NOT NULL, v VARCHAR(10), PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)"))
	session, err := d.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	name := table.Name{Schema: s.Schema, Table: "a"}
	for id := range 40 {
		_, err := session.Exec(t.Context(), fmt.Sprintf("INSERT INTO %s (id, v) VALUES (%d, 'x')", dialect.QuoteName(s.Schema, "a"), id))
		require.NoError(t, err)
	}
	def, err := d.Table(t.Context(), name)
	require.NoError(t, err)
	p, err := d.Placement(t.Context(), name)
	require.NoError(t, err)
	m, err := dialect.NewMapping(def, def, p)
	require.NoError(t, err)
	limit := table.KeyRange{Upper: [][]byte{[]byte("29")}}
	all := 0
	for shard := range shards {
		var ids []string
		err := d.ReadShard(t.Context(), m, shard, limit, func(r row.Row) error {
			ids = append(ids, string(r[0]))
			owner, ok := d.Dialect().Shard(m, row.Row{r[0], nil})
			require.True(t, ok)
			require.Equal(t, shard, owner)
			return nil
		})
		require.NoError(t, err)
		require.NotEmpty(t, ids)
		all += len(ids)
	}
	require.Equal(t, 30, all)
	whole := 0
	require.NoError(t, d.ReadRange(t.Context(), m, limit, func(r row.Row) error {
		require.Equal(t, "x", string(r[1]))
		whole++
		return nil
	}))
	require.Equal(t, 30, whole)
}

func TestSequences_AreReadAndRaised(t *testing.T) {
	s, d := openSim(t, 2)
	require.NoError(t, d.Define(t.Context(), s.Schema, "CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)"))
	all, err := d.Sequences(t.Context(), s.Schema)
	require.NoError(t, err)
	q, ok := all["a"]
	require.True(t, ok)
	require.NoError(t, d.SetSequence(t.Context(), q, 5000))
	n, err := d.NextValue(t.Context(), q)
	require.NoError(t, err)
	require.EqualValues(t, 5000, n)
	require.NoError(t, d.FreshAllSequences(t.Context()))
}
