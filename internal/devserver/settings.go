package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// loopback is the only address that Temporal and its Web UI are bound to:
// neither asks for a password.
const loopback = "127.0.0.1"

// namespace is where Shardlift's workflows live.
const namespace = "shardlift"

// errUsage ends the program with status 2.
var errUsage = errors.New("usage")

// settings are what one start was asked for.
type settings struct {
	// Data is the data directory, absolute.
	Data string
	// OnlyTemporal says that no children are run.
	OnlyTemporal bool
	TemporalPort int
	UIPort       int
	// Listen is web's listen address.
	Listen string
	// External is TEMPORAL_ADDRESS: a server to use instead of an own one.
	External string
	// ExternalNamespace is TEMPORAL_NAMESPACE or the default.
	ExternalNamespace string
}

// setting is one flag with its environment variable and default.
type setting struct {
	flag, env, fallback, about string
}

var flags = []setting{
	{"data", "SHARDLIFT_DATA", "./data", "data directory: Temporal's database, keys, token"},
	{"listen", "SHARDLIFT_LISTEN", "127.0.0.1:8080", "listen address of web (API and pages)"},
	{"temporal-port", "SHARDLIFT_TEMPORAL_PORT", "7233", "port of the Temporal server on 127.0.0.1"},
	{"ui-port", "SHARDLIFT_TEMPORAL_UI_PORT", "8233", "port of the Temporal Web UI on 127.0.0.1"},
	{"only", "SHARDLIFT_DEV_ONLY", "", "\"temporal\": the Temporal server and its Web UI alone"},
}

// readSettings takes flags before environment before defaults.
// It returns flag.ErrHelp after printing the help, errUsage after an error.
func readSettings(args []string, env func(string) string, out io.Writer) (settings, error) {
	set := flag.NewFlagSet("shardlift-dev", flag.ContinueOnError)
	set.SetOutput(out)
	set.Usage = func() { printHelp(out) }
	values := make(map[string]*string, len(flags))
	for _, f := range flags {
		initial := f.fallback
		if v := env(f.env); v != "" {
			initial = v
		}
		values[f.flag] = set.String(f.flag, initial, f.about)
	}
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return settings{}, err
		}
		return settings{}, errUsage
	}
	s, err := check(set.Args(), func(name string) string { return *values[name] }, env)
	if err != nil {
		fmt.Fprintln(out, "shardlift-dev:", err)
		return settings{}, errUsage
	}
	return s, nil
}

func check(rest []string, value, env func(string) string) (settings, error) {
	s := settings{
		Listen:            value("listen"),
		External:          env("TEMPORAL_ADDRESS"),
		ExternalNamespace: env("TEMPORAL_NAMESPACE"),
	}
	if s.ExternalNamespace == "" {
		s.ExternalNamespace = namespace
	}
	if len(rest) > 0 {
		return s, fmt.Errorf("unexpected argument %q; see --help", rest[0])
	}
	switch value("only") {
	case "":
	case "temporal":
		s.OnlyTemporal = true
	default:
		return s, fmt.Errorf("--only %q: the only value is \"temporal\"", value("only"))
	}
	if s.OnlyTemporal && s.External != "" {
		return s, fmt.Errorf("--only temporal with TEMPORAL_ADDRESS=%s set: there is nothing to start; unset TEMPORAL_ADDRESS to run an own server", s.External)
	}
	var err error
	if s.TemporalPort, err = port("temporal-port", value); err != nil {
		return s, err
	}
	if s.UIPort, err = port("ui-port", value); err != nil {
		return s, err
	}
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		return s, fmt.Errorf("--listen %q: want HOST:PORT, for example 127.0.0.1:8080", s.Listen)
	}
	if s.Data, err = filepath.Abs(value("data")); err != nil {
		return s, fmt.Errorf("--data %q: %w", value("data"), err)
	}
	return s, nil
}

func port(name string, value func(string) string) (int, error) {
	n, err := strconv.Atoi(value(name))
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("--%s %q: want a port from 1 to 65535", name, value(name))
	}
	return n, nil
}

func printHelp(out io.Writer) {
	fmt.Fprint(out, `shardlift-dev runs Shardlift on one machine: Temporal server, its Web UI, worker and web.

Usage: shardlift-dev [flags]      a flag beats its environment variable

`)
	for _, f := range flags {
		fallback := f.fallback
		if fallback == "" {
			fallback = "(empty)"
		}
		fmt.Fprintf(out, "  --%-14s %s\n  %16s environment %s, default %s\n", f.flag, f.about, "", f.env, fallback)
	}
	fmt.Fprint(out, `
If TEMPORAL_ADDRESS is set, no Temporal server is started: worker and web use that
one (namespace TEMPORAL_NAMESPACE, default shardlift).
Everything else in the environment reaches worker and web; see their --help.
`)
}

// binaryDir is where the children are looked for: beside this program.
func binaryDir() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own binary: %w", err)
	}
	return filepath.Dir(strings.TrimSuffix(self, " (deleted)")), nil
}
