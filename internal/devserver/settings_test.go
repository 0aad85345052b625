package main

import (
	"bytes"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestSettings_FlagBeatsEnvironmentBeatsDefault(t *testing.T) {
	env := environment(map[string]string{"SHARDLIFT_TEMPORAL_PORT": "1111", "SHARDLIFT_TEMPORAL_UI_PORT": "2222"})
	s, err := readSettings([]string{"--temporal-port", "3333"}, env, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, 3333, s.TemporalPort)
	require.Equal(t, 2222, s.UIPort)
	require.Equal(t, "127.0.0.1:8080", s.Listen)
	require.Equal(t, "shardlift", s.ExternalNamespace)
}

func TestSettings_HelpNamesEveryFlagItsVariableAndDefault(t *testing.T) {
	var out bytes.Buffer
	_, err := readSettings([]string{"--help"}, environment(nil), &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, f := range flags {
		require.Contains(t, out.String(), "--"+f.flag)
		require.Contains(t, out.String(), f.env)
		require.Contains(t, out.String(), f.fallback)
	}
}

func TestSettings_RefusesWrongValues(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{args: []string{"--temporal-port", "0"}, want: `--temporal-port "0": want a port from 1 to 65535`},
		{args: []string{"--ui-port", "x"}, want: `--ui-port "x"`},
		{args: []string{"--only", "web"}, want: `the only value is "temporal"`},
		{args: []string{"--listen", "8080"}, want: "want HOST:PORT"},
		{args: []string{"extra"}, want: `unexpected argument "extra"`},
		{args: []string{"--nope"}, want: "flag provided but not defined"},
		{args: []string{"--only", "temporal"}, env: map[string]string{"TEMPORAL_ADDRESS": "h:1"}, want: "unset TEMPORAL_ADDRESS"},
	} {
		var out bytes.Buffer
		_, err := readSettings(c.args, environment(c.env), &out)
		require.ErrorIs(t, err, errUsage, c.want)
		require.Contains(t, out.String(), c.want)
	}
}

func TestLines_KeepsLinesWholeAndPrefixed(t *testing.T) {
	var out bytes.Buffer
	w := (&lines{to: &out}).prefixed("web")
	for _, part := range []string{"a", "b\nc", "\n", "rest"} {
		_, err := w.Write([]byte(part))
		require.NoError(t, err)
	}
	w.flush()
	require.Equal(t, "web           | ab\nweb           | c\nweb           | rest\n", out.String())
}
