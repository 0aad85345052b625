package testdb

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// TestServer_SpeaksTLS connects as a user of an old or new server would, the
// authority verified. 5.5.9 has no TLS.
func TestServer_SpeaksTLS(t *testing.T) {
	for name, want := range map[string]struct {
		version uint16
		says    string
	}{
		"mysql56": {tls.VersionTLS10, "TLSv1"},
		"mysql57": {tls.VersionTLS11, "TLSv1.1"},
		"mysql80": {tls.VersionTLS12, "TLSv1.2"},
		"mysql97": {tls.VersionTLS13, "TLSv1.3"},
		"mariadb": {tls.VersionTLS13, "TLSv1.3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Get(t, name)
			config := &tls.Config{
				RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1",
				MinVersion: want.version, MaxVersion: want.version,
			}
			authority, err := os.ReadFile(filepath.Join(s.DataDir, "ca.pem"))
			require.NoError(t, err)
			require.True(t, config.RootCAs.AppendCertsFromPEM(authority))
			if want.version <= tls.VersionTLS12 {
				// Up to 8.0.15 these builds know no elliptic curves, and Go offers
				// RSA key exchange only when it is named.
				config.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}
			}
			if e, err := editionNamed(name); err == nil && !e.certificates {
				verifyAuthorityOnly(config) // MySQL's own certificates name no host
			}
			db := openTLS(t, s, config)
			var variable, version string
			require.NoError(t, db.QueryRow("SHOW SESSION STATUS LIKE 'Ssl_version'").Scan(&variable, &version))
			require.Equal(t, want.says, version)
		})
	}
}

func verifyAuthorityOnly(config *tls.Config) {
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: config.RootCAs})
		return err
	}
}

func openTLS(t *testing.T, s *Server, tlsConfig *tls.Config) *sql.DB {
	t.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = "tcp", s.Address(), s.User, s.Password
	config.TLS = tlsConfig
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestServer_HasTheAdministratorOnly: no account without a password answers on
// the network, and the binlog does not hold the making of the administrator.
func TestServer_HasTheAdministratorOnly(t *testing.T) {
	for _, e := range editions() {
		t.Run(e.name, func(t *testing.T) {
			s := Get(t, e.name)
			for _, user := range []string{"root", "", "mysql"} {
				config := mysql.NewConfig()
				config.Net, config.Addr, config.User = "tcp", s.Address(), user
				config.Logger = &mysql.NopLogger{}
				connector, err := mysql.NewConnector(config)
				require.NoError(t, err)
				db := sql.OpenDB(connector)
				require.ErrorContains(t, db.Ping(), "Access denied", "user %q", user)
				require.NoError(t, db.Close())
			}
			var n int
			require.NoError(t, s.DB(t, "").QueryRow("SELECT COUNT(*) FROM mysql.user WHERE User IN ('root', '')").Scan(&n))
			require.Equal(t, 1, n)
		})
	}
}

// TestServer_StartsWithAnEmptyBinlog: positions and GTID sets of a fresh server
// must hold nothing of how it was made.
func TestServer_StartsWithAnEmptyBinlog(t *testing.T) {
	for _, e := range editions() {
		t.Run(e.name, func(t *testing.T) {
			db := Own(t, e.name).DB(t, "")
			rows, err := db.Query("SHOW BINLOG EVENTS")
			require.NoError(t, err)
			defer rows.Close()
			columns, err := rows.Columns()
			require.NoError(t, err)
			for rows.Next() {
				values := make([]sql.RawBytes, len(columns))
				into := make([]any, len(columns))
				for i := range values {
					into[i] = &values[i]
				}
				require.NoError(t, rows.Scan(into...))
				require.Contains(t, []string{"Format_desc", "Previous_gtids", "Gtid_list", "Binlog_checkpoint"}, string(values[2]))
			}
			require.NoError(t, rows.Err())
			if e.name != "mysql55" && e.name != "mariadb" {
				var executed string
				require.NoError(t, db.QueryRow("SELECT @@GLOBAL.gtid_executed").Scan(&executed))
				require.Empty(t, executed)
			}
		})
	}
}

// TestServer_AccountAndSchemaEndWithTheTest covers what tests leave behind.
func TestServer_AccountAndSchemaEndWithTheTest(t *testing.T) {
	for _, name := range Versions() {
		t.Run(name, func(t *testing.T) {
			s := Get(t, name)
			var schema, user string
			t.Run("use", func(t *testing.T) {
				schema = s.Schema(t)
				_, err := s.DB(t, schema).Exec("CREATE TABLE a (id INT); INSERT INTO a VALUES (7)")
				require.NoError(t, err)
				var password string
				user, password = s.Account(t, "SELECT ON `"+schema+"`.*")
				as := *s
				as.User, as.Password = user, password
				db := as.DB(t, schema)
				var id int
				require.NoError(t, db.QueryRow("SELECT id FROM a").Scan(&id))
				require.Equal(t, 7, id)
				_, err = db.Exec("INSERT INTO a VALUES (8)")
				require.ErrorContains(t, err, "denied")
			})
			var n int
			require.NoError(t, s.DB(t, "").QueryRow(fmt.Sprintf(
				"SELECT (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '%s')"+
					" + (SELECT COUNT(*) FROM mysql.user WHERE User = '%s')", schema, user)).Scan(&n))
			require.Zero(t, n)
		})
	}
}
