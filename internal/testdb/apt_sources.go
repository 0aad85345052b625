package testdb

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// aptEntry is one source of packages.
type aptEntry struct {
	uris, suites []string
	options      []string // fields such as "Signed-By: …"
}

// aptSources derives a sources file from the machine's configuration in etc:
// the Debian archives it names, with their own suites or with suite instead.
func aptSources(etc, suite string) (string, error) {
	var text strings.Builder
	entries, err := readAptEntries(etc)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		for _, uri := range e.uris {
			last := filepath.Base(strings.TrimRight(uri, "/"))
			if last != "debian" && (suite != "" || last != "debian-security") {
				continue
			}
			suites := strings.Join(e.suites, " ")
			if suite != "" {
				if text.Len() > 0 {
					continue
				}
				suites = suite
			}
			fmt.Fprintf(&text, "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: amd64\n", uri, suites)
			for _, option := range e.options {
				fmt.Fprintln(&text, option)
			}
			fmt.Fprintln(&text)
		}
	}
	if text.Len() == 0 {
		return "", fmt.Errorf("no Debian archive among the sources of %s (an address that ends in /debian)", etc)
	}
	return text.String(), nil
}

// readAptEntries reads both forms of apt's sources.
func readAptEntries(etc string) ([]aptEntry, error) {
	files := []string{filepath.Join(etc, "sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, err := filepath.Glob(filepath.Join(etc, "sources.list.d", pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	var entries []aptEntry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt sources: %w", err)
		}
		if strings.HasSuffix(file, ".sources") {
			entries = append(entries, parseStanzas(string(text))...)
		} else {
			entries = append(entries, parseLines(string(text))...)
		}
	}
	return entries, nil
}

// parseStanzas reads the form of sources.list(5) called DEB822.
func parseStanzas(text string) []aptEntry {
	var entries []aptEntry
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	for stanza := range strings.SplitSeq(strings.Join(lines, "\n"), "\n\n") {
		var e aptEntry
		types, enabled := "", true
		for line := range strings.Lines(stanza) {
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				// A key that stands in the file itself goes on over lines.
				if n := len(e.options); n > 0 {
					e.options[n-1] += "\n" + strings.TrimRight(line, "\n")
				}
				continue
			}
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			value = strings.TrimSpace(value)
			switch strings.ToLower(key) {
			case "types":
				types = value
			case "enabled":
				enabled = !strings.EqualFold(value, "no")
			case "uris":
				e.uris = strings.Fields(value)
			case "suites":
				e.suites = strings.Fields(value)
			case "signed-by", "trusted", "check-valid-until", "check-date":
				e.options = append(e.options, key+": "+value)
			}
		}
		if enabled && hasWord(types, "deb") && len(e.uris) > 0 {
			entries = append(entries, e)
		}
	}
	return entries
}

// parseLines reads the form "deb [options] uri suite component...".
func parseLines(text string) []aptEntry {
	names := map[string]string{
		"signed-by": "Signed-By", "trusted": "Trusted",
		"check-valid-until": "Check-Valid-Until", "check-date": "Check-Date",
	}
	var entries []aptEntry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		var e aptEntry
		rest = strings.TrimSpace(rest)
		if inner, ok := strings.CutPrefix(rest, "["); ok {
			options, after, _ := strings.Cut(inner, "]")
			rest = after
			for option := range strings.FieldsSeq(options) {
				key, value, _ := strings.Cut(option, "=")
				if name := names[strings.ToLower(key)]; name != "" {
					e.options = append(e.options, name+": "+strings.ReplaceAll(value, ",", " "))
				}
			}
		}
		field := strings.Fields(rest)
		if len(field) < 3 {
			continue
		}
		e.uris, e.suites = field[:1], field[1:2]
		entries = append(entries, e)
	}
	return entries
}

func hasWord(text, word string) bool {
	return slices.Contains(strings.Fields(text), word)
}
