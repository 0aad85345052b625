package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

func TestRetention_ByAge(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		want      time.Duration
	}{
		"seconds win over days":  {map[string]string{"binlog_expire_logs_seconds": "3600", "expire_logs_days": "10"}, time.Hour},
		"days":                   {map[string]string{"binlog_expire_logs_seconds": "0", "expire_logs_days": "2"}, 48 * time.Hour},
		"fractions of MariaDB":   {map[string]string{"expire_logs_days": "0.500000"}, 12 * time.Hour},
		"never":                  {map[string]string{"expire_logs_days": "0"}, 0},
		"the purge is off":       {map[string]string{"binlog_expire_logs_seconds": "3600", "binlog_expire_logs_auto_purge": "OFF"}, 0},
		"the purge is on":        {map[string]string{"binlog_expire_logs_seconds": "3600", "binlog_expire_logs_auto_purge": "ON"}, time.Hour},
		"before both variables":  {map[string]string{}, 0},
		"what is not understood": {map[string]string{"expire_logs_days": "x"}, 0},
	} {
		got, _ := byAge(c.variables)
		require.Equal(t, c.want, got, name)
	}
	require.True(t, amazons("/rdsdbdata/db/"))
	require.False(t, amazons("/var/lib/mysql/"))
}

// TestRetention_WithoutRights: an account that sees no table of mysql reads the variables.
func TestRetention_WithoutRights(t *testing.T) {
	for _, name := range testdb.Versions() {
		s := testdb.Get(t, name)
		user, password := s.Account(t)
		db, err := mysqlconn.Open(t.Context(), mysqlconn.Config{Host: s.Host, Port: s.Port, User: user, Password: secret.NewText(password), MaxConnections: 1})
		require.NoError(t, err)
		r, err := ReadRetention(t.Context(), db)
		require.NoError(t, err, name)
		require.False(t, r.Provider || r.Hidden, name)
		require.NoError(t, db.Close())
	}
}
