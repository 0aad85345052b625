package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"shardlift/internal/task"
)

// commands are the commands below one, help and completion apart.
func commands(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" {
			all = append(append(all, sub), commands(sub)...)
		}
	}
	return all
}

// section is the part of a document under a heading of any level.
func section(document, heading string) string {
	start := regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(heading) + `$`).FindStringIndex(document)
	if start == nil {
		return ""
	}
	rest := document[start[1]:]
	if end := regexp.MustCompile(`(?m)^#`).FindStringIndex(rest); end != nil {
		rest = rest[:end[0]]
	}
	return rest
}

func TestDocs_CommandLineHasEveryCommandAndFlag(t *testing.T) {
	data, err := os.ReadFile("../docs/command-line.md")
	require.NoError(t, err)
	root := (&app{}).rootCommand()
	known := map[string]bool{}
	for _, c := range commands(root) {
		path := strings.TrimPrefix(c.CommandPath(), "shardlift ")
		text := section(string(data), path)
		known[path] = true
		require.NotEmpty(t, text, "docs/command-line.md has no section %q", path)
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				require.Contains(t, text, "`--"+f.Name, "docs/command-line.md: %s", path)
			}
		})
		// Nor does it name flags that do not exist.
		for _, m := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(text, -1) {
			require.True(t, c.Flags().Lookup(m[1]) != nil || root.PersistentFlags().Lookup(m[1]) != nil, "%s: --%s", path, m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(string(data), -1) {
		require.True(t, known[m[1]], "docs/command-line.md: %s is no command", m[1])
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		require.Contains(t, section(string(data), "Global flags"), "`--"+f.Name)
	})
}

func TestHelp_EachCommandHasAnExample(t *testing.T) {
	for _, c := range commands((&app{}).rootCommand()) {
		got := runApp(t.Context(), func(*app) {}, append(strings.Fields(c.CommandPath())[1:], "--help")...)
		require.Zero(t, got.status)
		require.Contains(t, got.out, "Examples:", c.Name())
		require.Contains(t, got.out, "  "+c.CommandPath(), c.Name())
		require.NotEmpty(t, c.Short)
		for line := range strings.Lines(c.Long) {
			require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 160, c.Name())
		}
	}
}

func TestDocs_TaskFileHasEveryField(t *testing.T) {
	data, err := os.ReadFile("../docs/task-file.md")
	require.NoError(t, err)
	for _, key := range yamlKeys(reflect.TypeFor[task.File]()) {
		require.Contains(t, string(data), "`"+key+"`", "docs/task-file.md lacks %s", key)
	}
	// The example of the page is a valid file.
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		f, err := task.ParseFile([]byte(b[1]))
		require.NoError(t, err)
		require.Empty(t, f.Validate())
	}
}
