package precheck

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

// fixture is a task from one schema to another one.
type fixture struct {
	t        testing.TB
	source   *testdb.Server
	target   *testdb.Server // nil: the simulator
	sim      *simtest.Sim
	from, to string
	config   Config
	src, dst *sql.DB
}

// plainFixture has a source of an edition and a plain 9.7 destination, which
// may be the same server.
func plainFixture(t testing.TB, edition string) *fixture {
	t.Helper()
	return serverFixture(t, testdb.Get(t, edition), testdb.Get(t, "mysql97"))
}

func serverFixture(t testing.TB, source, target *testdb.Server) *fixture {
	t.Helper()
	f := &fixture{t: t, source: source, target: target, from: source.Schema(t), to: target.Schema(t)}
	f.src, f.dst = source.DB(t, f.from), target.DB(t, f.to)
	f.config.Destination = configOf(target, target.User, target.Password)
	f.config.Spec.Destination.Kind = "mysql"
	f.setUp()
	return f
}

// ddmFixture has a 9.7 source and the simulator as destination.
func ddmFixture(t testing.TB, opts ...simtest.Option) *fixture {
	t.Helper()
	return ddmFixtureFrom(t, "mysql97", opts...)
}

// ddmFixtureFrom is ddmFixture with a source of an edition.
func ddmFixtureFrom(t testing.TB, edition string, opts ...simtest.Option) *fixture {
	t.Helper()
	sim := simtest.Start(t, 4, opts...)
	source := testdb.Get(t, edition)
	f := &fixture{t: t, source: source, sim: sim, from: source.Schema(t), to: sim.Schema}
	f.src = source.DB(t, f.from)
	f.dst = sim.DB(t)
	f.config.Destination = mysqlconn.Config{Host: sim.Host, Port: sim.Port, User: sim.User, Password: secret.NewText(sim.Password), TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}}
	f.config.Spec.Destination.Kind = "auto"
	f.setUp()
	return f
}

func (f *fixture) setUp() {
	f.config.TaskID = "precheck-test"
	f.config.Source = configOf(f.source, f.source.User, f.source.Password)
	f.config.Spec.Type = task.FullIncremental
	f.config.Spec.Objects = selection.Selection{{Schema: f.from, To: f.to}}
	f.config.Spec.Destination.MetadataSchema = f.to
}

func configOf(s *testdb.Server, user, password string) mysqlconn.Config {
	return mysqlconn.Config{Host: s.Host, Port: s.Port, User: user, Password: secret.NewText(password), TLS: mysqlconn.TLS{Mode: mysqlconn.TLSPreferred, MinVersion: "1.0", LegacyCiphers: true}}
}

// onSource and onTarget run statements there; both runs them on both sides.
func (f *fixture) onSource(statements ...string) { run(f.t, f.src, statements) }
func (f *fixture) onTarget(statements ...string) { run(f.t, f.dst, statements) }
func (f *fixture) both(statements ...string) {
	f.onSource(statements...)
	f.onTarget(statements...)
}

func run(t testing.TB, db *sql.DB, statements []string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// as lets the task use an account of the source with these grants; SCHEMA
// stands for the source's schema.
func (f *fixture) as(grants ...string) {
	f.t.Helper()
	grants = slices.Clone(grants)
	for i := range grants {
		grants[i] = strings.ReplaceAll(grants[i], "SCHEMA", f.from)
	}
	user, password := f.source.Account(f.t, grants...)
	f.config.Source = configOf(f.source, user, password)
}

// check runs one item on a fresh Env and checks what holds for every result.
func (f *fixture) check(code string) contract.PrecheckItemResult {
	f.t.Helper()
	env := NewEnv(f.config)
	defer func() { require.NoError(f.t, env.Close()) }()
	r, err := Run(f.t.Context(), env, code)
	require.NoError(f.t, err)
	proper(f.t, r, f.config)
	return r
}

// proper: within the limits, and without host, user and password.
func proper(t testing.TB, r contract.PrecheckItemResult, c Config) {
	t.Helper()
	see(r)
	require.LessOrEqual(t, len(r.Evidence), 10)
	for _, line := range r.Evidence {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 200)
	}
	require.NotEmpty(t, r.Reason, r.Code)
	if r.Verdict != contract.Passed {
		require.NotEmpty(t, r.Remedy, r.Code)
	}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	for _, side := range []mysqlconn.Config{c.Source, c.Destination} {
		require.NotContains(t, string(text), side.Host)
		require.NotContains(t, string(text), side.Password.Reveal())
		if side.User != "root" {
			require.NotContains(t, string(text), side.User)
		}
	}
}

// verdict checks one item's verdict and that its evidence, reason or remedy
// has each of the texts.
func (f *fixture) verdict(want contract.Verdict, code string, texts ...string) contract.PrecheckItemResult {
	f.t.Helper()
	r := f.check(code)
	require.Equal(f.t, want, r.Verdict, "%s: %s: %v", r.Code, r.Reason, r.Evidence)
	all := r.Reason + "\n" + r.Remedy + "\n" + strings.Join(r.Evidence, "\n")
	for _, text := range texts {
		require.Contains(f.t, all, text)
	}
	return r
}

func (f *fixture) passes(code string, texts ...string) {
	f.t.Helper()
	f.verdict(contract.Passed, code, texts...)
}

func (f *fixture) alarms(code string, texts ...string) {
	f.t.Helper()
	f.verdict(contract.Alarm, code, texts...)
}

func (f *fixture) fails(code string, texts ...string) {
	f.t.Helper()
	f.verdict(contract.Failed, code, texts...)
}

func (f *fixture) bothSides() []*sql.DB { return []*sql.DB{f.src, f.dst} }

// runsAll runs every item of the task on one Env, as a Pool does, and returns
// the results by code.
func (f *fixture) runsAll() map[string]contract.PrecheckItemResult {
	f.t.Helper()
	pool := NewPool()
	defer func() { require.NoError(f.t, pool.Close()) }()
	out := map[string]contract.PrecheckItemResult{}
	for _, ref := range Items(f.config.Spec.Type) {
		r, err := pool.Run(f.t.Context(), f.config, 1, ref.Code)
		require.NoError(f.t, err, ref.Code)
		proper(f.t, r, f.config)
		out[r.Code] = r
	}
	return out
}

func ourClock() mysqlconn.Setting { return mysqlconn.Setting{Name: "timestamp", Value: "1700000000"} }
