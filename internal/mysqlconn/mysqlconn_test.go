package mysqlconn_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

func TestMain(m *testing.M) {
	// The driver's watcher stays behind when the driver panics at a hostile server.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/go-sql-driver/mysql.(*mysqlConn).startWatcher.func1"))
}

// config reaches a test server as its administrator, unencrypted.
func config(s *testdb.Server) mysqlconn.Config {
	return mysqlconn.Config{
		Host: s.Host, Port: s.Port, User: s.User, Password: secret.NewText(s.Password),
		TLS:            mysqlconn.TLS{Mode: mysqlconn.TLSDisabled},
		MaxConnections: 4,
		Session: []mysqlconn.Setting{
			{Name: "time_zone", Value: "'+00:00'"}, mysqlconn.GIPKSetting(), mysqlconn.StatisticsSetting(),
		},
	}
}

func open(t *testing.T, c mysqlconn.Config) *sql.DB {
	t.Helper()
	db, err := mysqlconn.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// everyServer runs test on each of the six servers at the same time.
func everyServer(t *testing.T, test func(t *testing.T, s *testdb.Server)) {
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, testdb.Get(t, name))
		})
	}
}

func TestProbe_SaysWhatTheServerIs(t *testing.T) {
	numbers := map[string]int{"mysql55": 50509, "mysql56": 50624, "mysql57": 50722, "mysql80": 80015, "mysql97": 90704, "mariadb": 101100}
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		c, err := mysqlconn.Probe(t.Context(), open(t, config(s)))
		require.NoError(t, err)
		require.Equal(t, string(c.Flavor), s.Flavor)
		require.Equal(t, numbers[s.Name]/100, c.Number/100, c.Version)
		require.NotZero(t, c.ServerID)
		require.Equal(t, s.Name != "mysql55", c.GTID)
		require.Equal(t, s.Name == "mysql55" || s.Flavor == "mariadb", strings.HasPrefix(c.Identity(), "id:"))
		require.Equal(t, "FULL", c.VariableOr("binlog_row_image", "FULL"))
		require.True(t, c.IsOn("log_bin"))
		require.False(t, c.Encrypted)
		_, known := c.Variable("no_such_variable")
		require.False(t, known)
		require.Equal(t, s.Flavor == "mariadb", c.Flavor == position.MariaDB)
	})
}

func TestOpen_SetsEveryConnection(t *testing.T) {
	everyServer(t, func(t *testing.T, s *testdb.Server) {
		c := config(s)
		c.Session = append(c.Session, mysqlconn.Setting{Name: "no_such_variable", Value: "1", Optional: true})
		db := open(t, c)
		for range 3 {
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			var zone, charset string
			var results sql.NullString
			require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT @@time_zone, @@character_set_client, @@character_set_results").Scan(&zone, &charset, &results))
			require.Equal(t, "+00:00", zone)
			require.Equal(t, "utf8mb4", charset)
			require.Empty(t, results.String)
		}
		c.Session = []mysqlconn.Setting{{Name: "no_such_variable", Value: "1"}}
		_, err := mysqlconn.Open(t.Context(), c)
		require.ErrorIs(t, err, fault.StatementRefused)
	})
}

func TestOpen_KnowsBothPasswordPlugins(t *testing.T) {
	s := testdb.Get(t, "mysql80")
	admin := s.DB(t, "")
	for _, plugin := range []string{"mysql_native_password", "caching_sha2_password"} {
		for _, mode := range []string{mysqlconn.TLSDisabled, mysqlconn.TLSRequired} {
			user := "p_" + plugin[:3] + mode[:3]
			_, err := admin.ExecContext(t.Context(), "CREATE USER '"+user+"'@'%' IDENTIFIED WITH "+plugin+" BY 'Aa1!secret-words'")
			require.NoError(t, err)
			t.Cleanup(func() { _, _ = s.DB(t, "").Exec("DROP USER '" + user + "'@'%'") })
			c := config(s)
			c.User, c.Password, c.TLS.Mode = user, secret.NewText("Aa1!secret-words"), mode
			c.TLS.LegacyCiphers = true
			for range 2 { // the second connection takes the fast path
				require.NoError(t, open(t, c).PingContext(t.Context()), "%s %s", plugin, mode)
			}
			c.Password = secret.NewText("wrong-canary")
			_, err = mysqlconn.Open(t.Context(), c)
			require.ErrorIs(t, err, fault.AccessDenied)
			require.NotContains(t, err.Error(), user)
			require.NotContains(t, err.Error(), "canary")
		}
	}
}

func TestOpen_TLSModes(t *testing.T) {
	for _, name := range []string{"mysql80", "mysql97", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			s := testdb.Get(t, name)
			if s.DataDir == "" {
				t.Skip("SKIPPED: the certificates of a server named by a DSN are unknown")
			}
			read := func(file string) string {
				text, err := os.ReadFile(filepath.Join(s.DataDir, file))
				require.NoError(t, err)
				return string(text)
			}
			c := config(s)
			c.TLS.CA = read("ca.pem")
			c.TLS.LegacyCiphers = name == "mysql80" // 8.0.15 came before OpenSSL
			for mode, encrypted := range map[string]bool{"disabled": false, "preferred": true, "required": true, "verify-ca": true} {
				c.TLS.Mode = mode
				found, err := mysqlconn.Probe(t.Context(), open(t, c))
				require.NoError(t, err, mode)
				require.Equal(t, encrypted, found.Encrypted, mode)
			}
			c.TLS.Cert, c.TLS.Key = read("client-cert.pem"), secret.NewText(read("client-key.pem"))
			require.NoError(t, open(t, c).PingContext(t.Context()))

			c.TLS.Mode, c.Host = mysqlconn.TLSVerifyIdentity, "0.0.0.0" // leads here, and no certificate names it
			_, err := mysqlconn.Open(t.Context(), c)
			require.ErrorIs(t, err, fault.TLSFailed)

			c.Host, c.TLS.Mode, c.TLS.CA = s.Host, mysqlconn.TLSVerifyCA, ""
			_, err = mysqlconn.Open(t.Context(), c)
			require.ErrorIs(t, err, fault.TLSFailed)
		})
	}
}

func TestOpen_OldTLSOnRequestOnly(t *testing.T) {
	for name, version := range map[string]string{"mysql56": "1.0", "mysql57": "1.1"} {
		t.Run(name, func(t *testing.T) {
			c := config(testdb.Get(t, name))
			c.TLS.Mode = mysqlconn.TLSRequired
			_, err := mysqlconn.Open(t.Context(), c)
			require.ErrorIs(t, err, fault.TLSFailed)

			c.TLS.MinVersion, c.TLS.LegacyCiphers = version, true
			found, err := mysqlconn.Probe(t.Context(), open(t, c))
			require.NoError(t, err)
			require.True(t, found.Encrypted)

			c.TLS = mysqlconn.TLS{Mode: mysqlconn.TLSPreferred}
			found, err = mysqlconn.Probe(t.Context(), open(t, c))
			require.NoError(t, err)
			require.False(t, found.Encrypted)
			require.Equal(t, mysqlconn.TLSDisabled, c.Settled(found).TLS.Mode)
		})
	}
	c := config(testdb.Get(t, "mysql55"))
	c.TLS.Mode = mysqlconn.TLSRequired
	_, err := mysqlconn.Open(t.Context(), c)
	require.ErrorIs(t, err, fault.TLSFailed)
	c.TLS.Mode = mysqlconn.TLSPreferred
	require.NoError(t, open(t, c).PingContext(t.Context()))
}

// TestFault_GenericErrorsOfMiddlewares: what a middleware refuses for good is not
// repeated; what may pass is, whatever values its text shows.
func TestFault_GenericErrorsOfMiddlewares(t *testing.T) {
	for _, c := range []struct {
		state, text string
		want        fault.Definition
	}{
		{"HY000", "Incorrect datetime value: '1500-01-01 00:00:00' for column 'at' at row 1", fault.ValueRefused},
		{"HY000", "execute failed on shop_0001: Incorrect string value: '\\xED\\xA0\\x80' for column 'v' at row 3", fault.ValueRefused},
		{"HY000", "Data truncation: Data too long for column 'v' at row 1", fault.ValueRefused},
		{"HY000", "[shop_0000] Column 'v' cannot be null", fault.ValueRefused},
		{"HY000", "Field 'v' doesn't have a default value", fault.ValueRefused},
		{"22007", "whatever it says", fault.ValueRefused},
		{"HY000", "bad insert sql (sharding column:ID not provided,INSERT INTO t (v) VALUES ('x')", fault.StatementRefused},
		{"HY000", "Sharding column can't be null when the table in MySQL column is not null", fault.StatementRefused},
		{"HY000", "no alive data node for shop_0003", fault.ServerError},
		{"HY000", "backend connection lost while running INSERT INTO t VALUES ('Incorrect datetime value: x')", fault.ServerError},
		{"HY000", "cannot get a connection: 'Data too long for column '", fault.ServerError},
		{"42000", "too many connections to the data node", fault.ServerError},
		{"23000", "constraint", fault.ServerError},
		{"HY000", "", fault.ServerError},
	} {
		answer := &mysql.MySQLError{Number: 1105, Message: c.text}
		copy(answer.SQLState[:], c.state)
		err := mysqlconn.Fault(answer, "shop.t")
		require.ErrorIs(t, err, c.want, c.text)
		require.NotContains(t, err.Error(), "1500")
	}
}

func TestFault_ServerAwayIsRetriedAndNamesNobody(t *testing.T) {
	c := mysqlconn.Config{Host: "127.0.0.1", Port: 1, User: "canary-user", Password: secret.NewText("canary-password"), ConnectTimeout: time.Second}
	_, err := mysqlconn.Open(t.Context(), c)
	require.ErrorIs(t, err, fault.ServerUnreachable)
	require.Equal(t, fault.Retry, fault.ClassOf(err))
	require.NotContains(t, err.Error(), "canary")
	require.NotContains(t, err.Error(), "127.0.0.1")
}
