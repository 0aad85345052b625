package config

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"shardlift/internal/fault"
)

// ErrHelp is returned after the help was printed; the program ends with status 0.
var ErrHelp = flag.ErrHelp

// setting is one value with all the ways to give it.
type setting struct {
	flag, env, fallback, about string
	// take checks and stores a value; its error says what is wanted.
	take func(string) error
}

// Set is the settings of one program. Register every setting, then Parse once.
type Set struct {
	program, about string
	settings       []*setting
}

// NewSet starts the settings of a program; about is the first line of its help.
func NewSet(program, about string) *Set {
	return &Set{program: program, about: about}
}

// Var registers a setting; take checks and stores the value, and its error says
// what is wanted ("want a port").
func (s *Set) Var(flagName, env, fallback, about string, take func(string) error) {
	s.settings = append(s.settings, &setting{flag: flagName, env: env, fallback: fallback, about: about, take: take})
}

// Parse reads args (without the program's name), env and the settings file, and
// stores every value once. It prints to out and returns ErrHelp for --help, and
// fault.InvalidSetting for anything wrong.
func (s *Set) Parse(args []string, env func(string) string, out io.Writer) error {
	var file string
	s.Var("config", "SHARDLIFT_CONFIG", "", "settings file: lines of NAME=value, NAME being an environment variable of this table",
		func(v string) error { file = v; return nil })

	flags := flag.NewFlagSet(s.program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	given := map[string]string{}
	for _, v := range s.settings {
		// A boolean may stand without a value: --behind-proxy.
		if v.fallback == "true" || v.fallback == "false" {
			flags.BoolFunc(v.flag, v.about, func(text string) error { given[v.flag] = text; return nil })
			continue
		}
		flags.Func(v.flag, v.about, func(text string) error { given[v.flag] = text; return nil })
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			s.help(out)
			return ErrHelp
		}
		return fault.InvalidSetting.New(s.program, "%v", err)
	}
	if flags.NArg() > 0 {
		return fault.InvalidSetting.New(s.program, "unexpected argument %q", flags.Arg(0))
	}
	last := s.settings[len(s.settings)-1]
	if err := last.store(given, env, nil); err != nil {
		return err
	}
	fromFile, err := s.readFile(file)
	if err != nil {
		return err
	}
	for _, v := range s.settings[:len(s.settings)-1] {
		if err := v.store(given, env, fromFile); err != nil {
			return err
		}
	}
	return nil
}

func (v *setting) store(given map[string]string, env func(string) string, fromFile map[string]string) error {
	value, origin := v.fallback, "default of --"+v.flag
	if text, ok := fromFile[v.env]; ok {
		value, origin = text, v.env+" in the settings file"
	}
	if text := env(v.env); text != "" {
		value, origin = text, v.env
	}
	if text, ok := given[v.flag]; ok {
		value, origin = text, "--"+v.flag
	}
	if err := v.take(value); err != nil {
		return fault.InvalidSetting.New(origin, "%q: %v", value, err)
	}
	return nil
}

// readFile reads NAME=value lines; empty lines and lines that begin with # are
// skipped. A name that is no setting of this program, nor of Shardlift, is refused.
func (s *Set) readFile(path string) (map[string]string, error) {
	values := map[string]string{}
	if path == "" {
		return values, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.InvalidSetting.Wrap(err, "--config")
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || !s.known(name) {
			return nil, fault.InvalidSetting.New(fmt.Sprintf("%s, line %d", path, number), "want NAME=value with a variable that --help names")
		}
		values[name] = strings.TrimSpace(value)
	}
	if err := lines.Err(); err != nil {
		return nil, fault.InvalidSetting.Wrap(err, path)
	}
	return values, nil
}

// known accepts the variables of the other programs too: one file serves all.
func (s *Set) known(name string) bool {
	if slices.Contains(everyVariable(), name) {
		return true
	}
	return slices.ContainsFunc(s.settings, func(v *setting) bool { return v.env == name })
}

func (s *Set) help(out io.Writer) {
	fmt.Fprintf(out, "%s\n\nUsage: %s [flags]      a flag beats the environment, the environment beats --config\n\n", s.about, s.program)
	for _, v := range s.settings {
		fallback := v.fallback
		if fallback == "" {
			fallback = "(empty)"
		}
		fmt.Fprintf(out, "  --%s\n        %s\n        environment %s, default %s\n", v.flag, v.about, v.env, fallback)
	}
	fmt.Fprintf(out, `
Temporal is named by its own variables: TEMPORAL_ADDRESS (default 127.0.0.1:7233),
TEMPORAL_NAMESPACE (default shardlift), TEMPORAL_API_KEY, TEMPORAL_TLS_*,
TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.
`)
}
