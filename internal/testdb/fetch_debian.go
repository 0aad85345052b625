package testdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oldLibrariesName is the program directory of the libraries that the MySQL
// servers of 2015 to 2019 need, which not each host has, and which are never
// installed for them.
const oldLibrariesName = "libraries"

// debianPackages are packages of Debian, taken with all they depend on through
// a private apt configuration, verified by apt against the signed index, and
// unpacked, never installed.
type debianPackages struct {
	suite    string   // empty means the machine's own suites
	packages []string // of a choice "a|b" the first that the index has is taken
	present  []string // not to be downloaded: the host's own serve
	version  string   // what the first package's version must start with
	size     int64    // seen once, index included
	finish   func(dir string) error
}

func oldLibraries() debianPackages {
	return debianPackages{
		packages: []string{"libaio1t64|libaio1", "libnuma1"},
		present:  []string{"libc6"},
		size:     14_000_000,
		finish:   collectLibraries,
	}
}

func (d debianPackages) title() string {
	suite := ""
	if d.suite != "" {
		suite = d.suite + " "
	}
	return "Debian " + suite + "packages " + strings.Join(d.packages, ", ")
}

func (d debianPackages) bytes() int64 { return d.size }
func (d debianPackages) tool() string { return "" } // apt is part of each Debian

func (d debianPackages) fetch(ctx context.Context, f *fetcher, name, dir string) error {
	root := "own"
	if d.suite != "" {
		root = d.suite
	}
	a := apt{dir: f.cache.path("downloads", "apt-"+root), suite: d.suite}
	lock, err := acquireExclusive(ctx, a.dir+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := a.configure(name, d.present); err != nil {
		return err
	}
	f.say("%s: reading the signed package index of Debian, about %s", name, megabytes(14e6))
	if _, err := a.run(ctx, "apt-get", "update", "-q", "--error-on=any"); err != nil {
		return err
	}
	wanted, err := a.choose(ctx, d)
	if err != nil {
		return err
	}
	files, bytes, err := a.list(ctx, wanted)
	if err != nil {
		return err
	}
	f.say("%s: downloading %s and what they need (%d packages), %s", name, d.title(), len(files), megabytes(bytes))
	if _, err := a.run(ctx, "apt-get", append([]string{"install", "-y", "-q", "--download-only"}, wanted...)...); err != nil {
		return err
	}
	for _, file := range files {
		if _, err := run(ctx, a.dir, nil, "dpkg", "-x", filepath.Join(a.archives(name), file), dir); err != nil {
			return fmt.Errorf("unpack %s: %w", file, err)
		}
	}
	if d.finish != nil {
		return d.finish(dir)
	}
	return nil
}

// apt is a private apt configuration.
type apt struct {
	dir   string
	suite string
}

func (a apt) archives(name string) string { return filepath.Join(a.dir, "archives-"+name) }

// configure writes the configuration; present packages count as installed, all
// others do not, whatever this machine has.
func (a apt) configure(name string, present []string) error {
	for _, sub := range []string{"lists/partial", "cache", "nothing/partial", "archives-" + name + "/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, sub), 0o700); err != nil {
			return fmt.Errorf("create apt directory: %w", err)
		}
	}
	sources, err := aptSources("/etc/apt", a.suite)
	if err != nil {
		return err
	}
	// Perl serves a script of the client package that nobody runs.
	var status strings.Builder
	for _, pkg := range append([]string{"perl"}, present...) {
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\n"+
			"Multi-Arch: allowed\nVersion: 99:0\nMaintainer: none\nDescription: stands in\n\n", pkg)
	}
	conf := strings.NewReplacer("DIR", a.dir, "ARCHIVES", a.archives(name)).Replace(`
Dir::Etc::sourcelist "DIR/private.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "DIR";
Dir::State::lists "DIR/lists";
Dir::State::status "DIR/status";
Dir::State::extended_states "DIR/extended_states";
Dir::Cache "DIR/cache";
Dir::Cache::archives "ARCHIVES";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::List-Cleanup "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
`)
	for file, text := range map[string]string{
		"private.sources": sources, "status": status.String(), "apt.conf": conf,
	} {
		if err := os.WriteFile(filepath.Join(a.dir, file), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write apt configuration: %w", err)
		}
	}
	return nil
}

func (a apt) run(ctx context.Context, command string, args ...string) (string, error) {
	out, err := run(ctx, a.dir, []string{
		"APT_CONFIG=" + filepath.Join(a.dir, "apt.conf"), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive",
	}, append([]string{command}, args...)...)
	return string(out), err
}

// choose resolves the choices of d and checks the version.
func (a apt) choose(ctx context.Context, d debianPackages) ([]string, error) {
	var wanted []string
	for i, choice := range d.packages {
		name, version := "", ""
		for candidate := range strings.SplitSeq(choice, "|") {
			policy, err := a.run(ctx, "apt-cache", "policy", candidate)
			if err != nil {
				return nil, err
			}
			if v := candidateVersion(policy); v != "" {
				name, version = candidate, v
				break
			}
		}
		if name == "" {
			return nil, fmt.Errorf("the Debian index has no package %s", choice)
		}
		if i == 0 && !strings.HasPrefix(version, d.version) {
			return nil, fmt.Errorf("debian %s has %s %s, but a version %s* is needed", d.suite, name, version, d.version)
		}
		wanted = append(wanted, name)
	}
	return wanted, nil
}

// candidateVersion reads the answer of apt-cache policy; empty means none.
func candidateVersion(policy string) string {
	for line := range strings.Lines(policy) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && v != "(none)" {
			return v
		}
	}
	return ""
}

// list returns the file names of all packages that the wanted ones need.
func (a apt) list(ctx context.Context, wanted []string) (files []string, bytes int64, err error) {
	// Already downloaded files are left out of --print-uris, hence an empty place.
	out, err := a.run(ctx, "apt-get", append([]string{
		"install", "-y", "-qq", "--print-uris",
		"-o", "Dir::Cache::archives=" + filepath.Join(a.dir, "nothing"),
	}, wanted...)...)
	if err != nil {
		return nil, 0, err
	}
	for line := range strings.Lines(out) { // 'uri' file size sum
		field := strings.Fields(line)
		if len(field) < 3 || !strings.HasSuffix(field[1], ".deb") {
			continue
		}
		size, err := strconv.ParseInt(field[2], 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("read the size of %s: %w", field[1], err)
		}
		files = append(files, field[1])
		bytes += size
	}
	return files, bytes, nil
}

// collectLibraries puts the libraries into the folder lib under the names that
// the old servers ask for: Debian 13 renamed libaio (64-bit time) without
// changing it on amd64.
func collectLibraries(dir string) error {
	lib := filepath.Join(dir, "lib")
	if err := os.MkdirAll(lib, 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	for _, name := range []string{"libaio.so.1", "libnuma.so.1"} {
		found, err := regularFile(dir, name+"*")
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(lib, found)
		if err != nil {
			return err
		}
		if err := os.Symlink(relative, filepath.Join(lib, name)); err != nil {
			return fmt.Errorf("link library: %w", err)
		}
	}
	return nil
}

// regularFile finds the library itself among the links to it.
func regularFile(dir, name string) (string, error) {
	for _, folder := range []string{"usr/lib/*", "lib/*"} {
		files, err := filepath.Glob(filepath.Join(dir, folder, name))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("the packages hold no %s", name)
}
