package destination

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/secret"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

func configOf(s *testdb.Server) mysqlconn.Config {
	return mysqlconn.Config{Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password), MaxConnections: 8}
}

func open(t *testing.T, s *testdb.Server) *Destination {
	t.Helper()
	d, err := Open(t.Context(), configOf(s), "auto")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func onAll(t *testing.T, f func(t *testing.T, s *testdb.Server)) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) { f(t, testdb.Get(t, name)) })
	}
}

func TestOpen_KnowsTheKindOfEveryServer(t *testing.T) {
	onAll(t, func(t *testing.T, s *testdb.Server) {
		d := open(t, s)
		want := dialect.MySQL
		if s.Flavor == "mariadb" {
			want = dialect.MariaDB
		}
		require.Equal(t, want, d.Info().Kind)
		require.NotEmpty(t, d.Info().Version)
		require.Positive(t, d.Info().MaxPacket)
		require.Equal(t, s.Name == "mysql97", d.Dialect().Features().RowAlias)
	})
}

func TestOpen_TakesTheKindGiven(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d, err := Open(t.Context(), configOf(s), "tidb")
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	require.Equal(t, dialect.TiDB, d.Info().Kind)

	_, err = Open(t.Context(), configOf(s), "oracle")
	require.ErrorIs(t, err, fault.UnknownKind)
}

// Rule 10: variables are set and verified on every session, on every version.
func TestSession_HasTheVariablesOfRule10(t *testing.T) {
	onAll(t, func(t *testing.T, s *testdb.Server) {
		d := open(t, s)
		session, err := d.Session(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, session.Close()) }()
		var zone, mode, checks, commit string
		err = session.conn.QueryRowContext(t.Context(), "SELECT @@time_zone, @@sql_mode, @@foreign_key_checks, @@autocommit").Scan(&zone, &mode, &checks, &commit)
		require.NoError(t, err)
		require.Equal(t, "+00:00", zone)
		require.True(t, isMode(mode), mode)
		require.Equal(t, "0", checks)
		require.Equal(t, "1", commit)
		var isolation string
		err = session.conn.QueryRowContext(t.Context(), "SELECT @@transaction_isolation").Scan(&isolation)
		if mysqlconn.IsUnknownVariable(err) {
			err = session.conn.QueryRowContext(t.Context(), "SELECT @@tx_isolation").Scan(&isolation)
		}
		require.NoError(t, err)
		require.Equal(t, "READ-COMMITTED", isolation)
	})
}

func TestSession_RefusesAVariableThatReadsBackOtherwise(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	c := configOf(s)
	c.Session = []mysqlconn.Setting{{Name: "sql_mode", Value: "'NO_BACKSLASH_ESCAPES'"}} // comes after ours
	d, err := Open(t.Context(), c, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	_, err = d.Session(t.Context())
	require.ErrorIs(t, err, fault.SessionVariable)
	require.ErrorContains(t, err, "sql_mode")
}

func TestProbeEffects_FindsWhatAPlainServerDoes(t *testing.T) {
	onAll(t, func(t *testing.T, s *testdb.Server) {
		d := open(t, s)
		schema := s.Schema(t)
		require.NoError(t, d.Define(t.Context(), schema, ScratchDDL))
		e, err := d.ProbeEffects(t.Context(), schema)
		require.NoError(t, err)
		require.Equal(t, Effects{FoundRows: false, Lock: LockShare, Kill: KillConnection}, e)
		require.Equal(t, e, d.Info().Effects)
		var left int
		require.NoError(t, s.DB(t, schema).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+ScratchTable).Scan(&left))
		require.Zero(t, left)
	})
}

func TestSession_ClassifiesErrors(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d := open(t, s)
	schema := s.Schema(t)
	require.NoError(t, d.Define(t.Context(), schema, "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20))"))
	name := dialect.QuoteName(schema, "a")
	session, err := d.Session(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()

	n, err := session.Exec(t.Context(), "INSERT INTO "+name+" VALUES (1, 'top secret'), (2, 'b')")
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = session.Exec(t.Context(), "UPDATE "+name+" SET v = 'b'")
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "changed rows count, not found ones")

	_, err = session.Exec(t.Context(), "INSERT INTO "+name+" VALUES (1, 'x')")
	require.True(t, mysqlconn.IsDuplicateKey(err))
	require.NotContains(t, err.Error(), "Duplicate entry")
	require.NotErrorIs(t, err, ErrUnknownOutcome)

	_, err = session.Exec(t.Context(), "INSERT INTO "+name+" VALUES (3, 'a value that is too long for the column')")
	require.ErrorIs(t, err, fault.ValueRefused)
}

func TestSession_KnowsWhenTheOutcomeIsUnknown(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d := open(t, s)
	schema := s.Schema(t)
	require.NoError(t, d.Define(t.Context(), schema, "CREATE TABLE a (id INT PRIMARY KEY)"))
	insert := func(id string) string {
		return "INSERT INTO " + dialect.QuoteName(schema, "a") + " VALUES (" + id + ")"
	}
	killed := func(begin bool) *Session {
		session, err := d.Session(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, session.Close()) })
		if begin {
			require.NoError(t, session.Begin(t.Context()))
		}
		require.NoError(t, d.Kill(t.Context(), []string{session.ID()}))
		return session
	}
	_, err := killed(false).Exec(t.Context(), insert("1"))
	require.True(t, mysqlconn.IsConnectionLost(err), "%v", err)

	inside := killed(true)
	_, err = inside.Exec(t.Context(), insert("1"))
	require.True(t, mysqlconn.IsConnectionLost(err), "%v", err)
	require.NotErrorIs(t, err, ErrUnknownOutcome, "the transaction is rolled back")
	require.NoError(t, inside.Rollback(t.Context()))

	err = killed(true).Commit(t.Context())
	require.True(t, mysqlconn.IsConnectionLost(err), "%v", err)
}

func TestKill_SeesTheConnectionGoneAndSparesOthers(t *testing.T) {
	onAll(t, func(t *testing.T, s *testdb.Server) {
		d := open(t, s)
		a, err := d.Session(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, a.Close()) }()
		b, err := d.Session(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, b.Close()) }()

		require.NoError(t, d.Kill(t.Context(), []string{a.ID()}))
		require.NoError(t, d.Kill(t.Context(), []string{a.ID()}), "gone already")
		number, _ := splitID(a.ID())
		_, there, err := clientOf(t.Context(), d.db, strings.Split(a.ID(), ".")[0])
		require.NoError(t, err)
		require.False(t, there, "connection %d", number)

		// The same number with another client is somebody else's connection.
		text, _, found := strings.Cut(b.ID(), ".")
		require.True(t, found, "a plain server tells the client")
		require.NoError(t, d.Kill(t.Context(), []string{text + ".ffffffff"}))
		_, err = b.Exec(t.Context(), "DO 1")
		require.NoError(t, err)
	})
}

func TestDefinitions_OfRestrictedProductsEqualTheCatalogue(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d := open(t, s)
	schema := s.Schema(t)
	require.NoError(t, d.Define(t.Context(), schema, "CREATE TABLE a (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, e ENUM('x','y, (z)') DEFAULT 'x', "+
		"t VARCHAR(40) CHARACTER SET latin1 NOT NULL, d DECIMAL(10,3), j JSON, b BINARY(3), ts TIMESTAMP(3) NULL, "+
		"PRIMARY KEY (id), UNIQUE KEY u (t, d), KEY p (t(10))) COMMENT='looks (like) ENGINE=MyISAM CHARSET=latin1'"))
	catalogue, err := d.Table(t.Context(), table.Name{Schema: schema, Table: "a"})
	require.NoError(t, err)
	described, err := d.describe(t.Context(), table.Name{Schema: schema, Table: "a"})
	require.NoError(t, err)
	catalogue.Rows, catalogue.Bytes = -1, -1
	require.Equal(t, catalogue, described)
}

func TestTables_LeaveOurOwnOut(t *testing.T) {
	s := testdb.Get(t, "mysql57")
	d := open(t, s)
	schema := s.Schema(t)
	for _, ddl := range []string{"CREATE TABLE b (id INT)", "CREATE TABLE a (id INT)", ScratchDDL, "CREATE VIEW v AS SELECT * FROM a"} {
		require.NoError(t, d.Define(t.Context(), schema, ddl))
	}
	names, err := d.Tables(t.Context(), schema)
	require.NoError(t, err)
	require.Equal(t, []table.Name{{Schema: schema, Table: "a"}, {Schema: schema, Table: "b"}}, names)
	_, err = d.Table(t.Context(), table.Name{Schema: schema, Table: "c"})
	require.ErrorIs(t, err, fault.DestinationTable)
}

func TestReadRange_GivesTheSourcesColumnsAndCharset(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d := open(t, s)
	schema := s.Schema(t)
	require.NoError(t, d.Define(t.Context(), schema, "CREATE TABLE src (id INT NOT NULL, gone INT AS (id + 1) VIRTUAL, t VARCHAR(10) CHARACTER SET latin1, f FLOAT, PRIMARY KEY (id))"))
	require.NoError(t, d.Define(t.Context(), schema, "CREATE TABLE dst (f FLOAT, t VARCHAR(10) CHARACTER SET utf8mb4, id INT NOT NULL, PRIMARY KEY (id))"))
	require.NoError(t, d.Define(t.Context(), schema, "INSERT INTO dst VALUES (16777216, 'é', 1), (NULL, NULL, 2), (1.5, 'c', 3)"))
	src, err := d.Table(t.Context(), table.Name{Schema: schema, Table: "src"})
	require.NoError(t, err)
	dst, err := d.Table(t.Context(), table.Name{Schema: schema, Table: "dst"})
	require.NoError(t, err)
	m, err := dialect.NewMapping(src, dst, table.Placement{Kind: table.Single, Shards: 1})
	require.NoError(t, err)

	var got []row.Row
	collect := func(r row.Row) error { got = append(got, r.Clone()); return nil }
	require.NoError(t, d.ReadRange(t.Context(), m, table.KeyRange{Upper: [][]byte{[]byte("2")}}, collect))
	require.Len(t, got, 2)
	require.Equal(t, row.Row{row.Value("1"), nil, row.Value("\xe9"), row.Value("\x4b\x80\x00\x00")}, got[0])
	require.Equal(t, row.Row{row.Value("2"), nil, nil, nil}, got[1])

	stop := sql.ErrTxDone // any error of the callback comes back
	require.ErrorIs(t, d.ReadRange(t.Context(), m, table.KeyRange{}, func(row.Row) error { return stop }), stop)
}

func TestMaxValue_TellsNothingOfAnEmptyOrNegativeColumn(t *testing.T) {
	s := testdb.Get(t, "mysql97")
	d := open(t, s)
	schema := s.Schema(t)
	name := table.Name{Schema: schema, Table: "a"}
	require.NoError(t, d.Define(t.Context(), schema, "CREATE TABLE a (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT)"))
	_, ok, err := d.MaxValue(t.Context(), name, "id")
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, d.Define(t.Context(), schema, "INSERT INTO a VALUES (18446744073709551614, -5)"))
	n, ok, err := d.MaxValue(t.Context(), name, "id")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, uint64(18446744073709551614), n)
	_, ok, err = d.MaxValue(t.Context(), name, "n")
	require.NoError(t, err)
	require.False(t, ok)
}
