package config

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestWeb_DefaultsAreTheDocumentedOnes(t *testing.T) {
	w, err := ReadWeb(nil, env(), &bytes.Buffer{})
	require.NoError(t, err)
	data, err := filepath.Abs("data")
	require.NoError(t, err)
	require.Equal(t, Web{
		Log: Log{Level: "info"}, Data: data,
		KeysFile: data + "/keys.json", KeyFile: data + "/web-key.json", TokenFile: data + "/token",
		Listen: "127.0.0.1:8080", HeartbeatTimeout: time.Minute, TemporalUI: "http://127.0.0.1:8233",
	}, w)
}

func TestSettings_FlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	require.NoError(t, os.WriteFile(file, []byte("# ours\n\nSHARDLIFT_LISTEN = 127.0.0.1:1\nSHARDLIFT_LOG_LEVEL=warn\nSHARDLIFT_HEARTBEAT_TIMEOUT=15s\nSHARDLIFT_ROLES=copy\n"), 0o600))
	w, err := ReadWeb([]string{"--listen", "127.0.0.1:3", "--config", file},
		env("SHARDLIFT_LISTEN", "127.0.0.1:2", "SHARDLIFT_LOG_LEVEL", "error"), &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3", w.Listen)
	require.Equal(t, "error", w.Level)
	require.Equal(t, 15*time.Second, w.HeartbeatTimeout)
	require.Empty(t, w.Format)
}

func TestSettings_RefuseWrongValuesByName(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  []string
		want string
	}{
		{args: []string{"--listen", "8080"}, want: `--listen: invalid setting: "8080": want HOST:PORT`},
		{env: []string{"SHARDLIFT_HEARTBEAT_TIMEOUT", "1s"}, want: `SHARDLIFT_HEARTBEAT_TIMEOUT: invalid setting: "1s": want a duration from 5s to 1h0m0s`},
		{env: []string{"SHARDLIFT_LOG_FORMAT", "xml"}, want: "want one of: console, json"},
		{env: []string{"SHARDLIFT_TEMPORAL_UI", "127.0.0.1:8233"}, want: "want http://HOST"},
		{args: []string{"--nope"}, want: "flag provided but not defined: -nope"},
		{args: []string{"more"}, want: `unexpected argument "more"`},
		{args: []string{"--tls-cert", "x"}, want: "one stands without the other"},
	} {
		_, err := ReadWeb(c.args, env(c.env...), &bytes.Buffer{})
		require.ErrorIs(t, err, fault.InvalidSetting)
		require.ErrorContains(t, err, c.want)
	}
}

func TestSettings_RefuseAnUnknownNameInTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	require.NoError(t, os.WriteFile(file, []byte("SHARDLIFT_LISTENS=127.0.0.1:1\n"), 0o600))
	_, err := ReadWeb([]string{"--config", file}, env(), &bytes.Buffer{})
	require.ErrorIs(t, err, fault.InvalidSetting)
	require.ErrorContains(t, err, file+", line 1")
}

func TestWeb_RefusesToBeReachableWithoutTLS(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:8080", ":8080", "10.0.0.1:80", "web.internal:80", "[::]:1"} {
		_, err := ReadWeb([]string{"--listen", listen}, env(), &bytes.Buffer{})
		require.ErrorIs(t, err, fault.InvalidSetting, listen)
		require.ErrorContains(t, err, "--behind-proxy")
	}
	for _, args := range [][]string{
		{"--listen", "[::1]:8080"},
		{"--listen", "localhost:8080"},
		{"--listen", ":8080", "--behind-proxy"},
		{"--listen", ":8080", "--tls-cert", "c", "--tls-key", "k"},
	} {
		_, err := ReadWeb(args, env(), &bytes.Buffer{})
		require.NoError(t, err, args)
	}
	w, err := ReadWeb(nil, env("SHARDLIFT_LISTEN", ":8080", "SHARDLIFT_BEHIND_PROXY", "true"), &bytes.Buffer{})
	require.NoError(t, err)
	require.True(t, w.BehindProxy)
}

func TestWorker_TakesRolesGroupAndMemory(t *testing.T) {
	w, err := ReadWorker([]string{"--roles", "copy, apply,copy", "--group", "east", "--memory=512"}, env("SHARDLIFT_KEYS_FILE", "/k"), &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, []string{RoleCopy, RoleApply}, w.Roles)
	require.Equal(t, "east", w.Group)
	require.Equal(t, 512, w.MemoryMiB)
	require.Equal(t, "/k", w.KeysFile)
	_, err = ReadWorker([]string{"--roles", "copying"}, env(), &bytes.Buffer{})
	require.ErrorContains(t, err, "want a comma list of control, short, copy, apply")
	_, err = ReadWorker([]string{"--group", "a b"}, env(), &bytes.Buffer{})
	require.ErrorContains(t, err, "want a name")
}

func TestHelp_NamesEveryFlagVariableAndDefault(t *testing.T) {
	for program, read := range map[string]func(*bytes.Buffer) error{
		"shardlift-worker": func(b *bytes.Buffer) error { _, err := ReadWorker([]string{"--help"}, env(), b); return err },
		"shardlift-web":    func(b *bytes.Buffer) error { _, err := ReadWeb([]string{"-h"}, env(), b); return err },
	} {
		var out bytes.Buffer
		require.ErrorIs(t, read(&out), ErrHelp)
		require.Contains(t, out.String(), "Usage: "+program)
		require.Contains(t, out.String(), "TEMPORAL_ADDRESS")
		variables := regexp.MustCompile(`environment (SHARDLIFT_\w+), default \S+`).FindAllStringSubmatch(out.String(), -1)
		require.Len(t, regexp.MustCompile(`(?m)^  --`).FindAllString(out.String(), -1), len(variables))
		for _, v := range variables {
			if v[1] != "SHARDLIFT_CONFIG" {
				require.Contains(t, everyVariable(), v[1])
			}
		}
	}
}

func TestCommandLine_TakesServerAndToken(t *testing.T) {
	c, err := ReadCommandLine(env("SHARDLIFT_SERVER", "https://web.internal/", "SHARDLIFT_DATA", "/d"))
	require.NoError(t, err)
	require.Equal(t, CommandLine{Server: "https://web.internal", TokenFile: "/d/token"}, c)
}

func TestToken_IsMadeOnceForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "token")
	tokens := make([]string, 8)
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() {
			var err error
			if tokens[i], err = OpenToken(path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, token := range tokens {
		require.Len(t, token, 43)
		require.Equal(t, tokens[0], token)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "drafts are removed")
	read, err := ReadToken(path)
	require.NoError(t, err)
	require.Equal(t, tokens[0], read)
}

func TestToken_MissingOrEmptyIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	_, err := ReadToken(path)
	require.ErrorIs(t, err, fault.TokenFile)
	require.NoError(t, os.WriteFile(path, []byte("\n"), 0o600))
	_, err = OpenToken(path)
	require.ErrorIs(t, err, fault.TokenFile)
}
