package testdb

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// verdict records how a test that calls Get would end.
type verdict struct {
	testing.TB
	failed, skipped string
}

func (v *verdict) Fatal(args ...any)                 { v.failed = fmt.Sprint(args...); runtime.Goexit() }
func (v *verdict) Fatalf(format string, args ...any) { v.Fatal(fmt.Sprintf(format, args...)) }
func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// verdictOfGet calls Get in a test of its own.
func verdictOfGet(t *testing.T, name string) *verdict {
	t.Helper()
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Get(v, name)
	}()
	<-done
	return v
}

// TestGet_SkipsAndFailsByRequire uses an empty cache on a machine without any
// tool, where no edition can be had.
func TestGet_SkipsAndFailsByRequire(t *testing.T) {
	for name, c := range map[string]struct{ require, skipped, failed string }{
		"not required":     {"", "mysql97", ""},
		"another required": {"mysql56,mariadb", "mysql97", ""},
		"required":         {"mysql56,mysql97", "", "mysql97"},
		"all required":     {"all", "", "mysql97"},
		"unknown required": {"mysql96", "", "mysql96"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SHARDLIFT_CACHE", t.TempDir())
			t.Setenv("SHARDLIFT_REQUIRE", c.require)
			t.Setenv("SHARDLIFT_MYSQL97_DSN", "")
			t.Setenv("PATH", t.TempDir())
			v := verdictOfGet(t, "mysql97")
			require.Equal(t, c.skipped != "", v.skipped != "")
			require.Contains(t, v.skipped, c.skipped)
			require.Equal(t, c.failed != "", v.failed != "")
			require.Contains(t, v.failed, c.failed)
		})
	}
}

// TestUp_FailsForARequiredEdition is the same promise for the command.
func TestUp_FailsForARequiredEdition(t *testing.T) {
	t.Setenv("SHARDLIFT_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	t.Setenv("SHARDLIFT_MYSQL56_DSN", "")
	var said strings.Builder
	t.Setenv("SHARDLIFT_REQUIRE", "")
	require.NoError(t, Up(t.Context(), &said, "mysql56"))
	require.Contains(t, said.String(), "mysql56: SKIPPED")
	t.Setenv("SHARDLIFT_REQUIRE", "mysql56")
	require.ErrorContains(t, Up(t.Context(), &said, "mysql56"), "mysql56")
	t.Setenv("SHARDLIFT_REQUIRE", "oracle")
	require.ErrorContains(t, Up(t.Context(), &said, "mysql56"), `"oracle"`)
}

// TestGet_UsesTheServerOfItsVariable takes a server that runs already.
func TestGet_UsesTheServerOfItsVariable(t *testing.T) {
	real := Get(t, "mariadb")
	dsn := fmt.Sprintf("%s:%s@tcp(%s)/", real.User, real.Password, real.Address())
	t.Setenv("SHARDLIFT_CACHE", t.TempDir())
	t.Setenv("SHARDLIFT_MARIADB_DSN", dsn)
	s := Get(t, "mariadb")
	require.Equal(t, real.Port, s.Port)
	require.Empty(t, s.DataDir)
	require.NoError(t, s.DB(t, s.Schema(t)).Ping())

	t.Setenv("SHARDLIFT_MYSQL97_DSN", dsn)
	v := verdictOfGet(t, "mysql97")
	require.Contains(t, v.failed, "does not stand for mysql97")
	t.Setenv("SHARDLIFT_MYSQL97_DSN", "nonsense")
	v = verdictOfGet(t, "mysql97")
	require.Contains(t, v.failed, "SHARDLIFT_MYSQL97_DSN")
	require.NotContains(t, v.failed, real.Password)
}

// TestServer_ControlIsForOwnServers: a kill of the shared server would fail
// tests of others.
func TestServer_ControlIsForOwnServers(t *testing.T) {
	s := Get(t, "mariadb")
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Kill(v)
	}()
	<-done
	require.Contains(t, v.failed, "testdb.Own")
	require.NoError(t, s.DB(t, "").Ping())
}
