package testdb

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAptSources_AreTheMachinesOwn reads both forms of apt's sources.
func TestAptSources_AreTheMachinesOwn(t *testing.T) {
	const stanzas = `# a comment
Types: deb
URIs: http://mirror.invalid/debian
# another
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://mirror.invalid/debian-security/
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.invalid/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.invalid/debian
Suites: bookworm
Components: main

Types: deb
URIs: https://vendor.invalid/repo
Suites: stable
Components: main
`
	const lines = `deb [arch=amd64 signed-by=/usr/share/keyrings/some.gpg] http://mirror.invalid/debian trixie main contrib # why
# deb http://off.invalid/debian trixie main
deb-src http://source.invalid/debian trixie main
deb http://mirror.invalid/debian-security trixie-security main
`
	for name, c := range map[string]struct{ file, text, suite, want string }{
		"stanzas": {"sources.list.d/debian.sources", stanzas, "", `Types: deb
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Architectures: amd64
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://mirror.invalid/debian-security/
Suites: bookworm-security
Components: main
Architectures: amd64

`},
		"stanzas, unstable": {"sources.list.d/debian.sources", stanzas, "unstable", `Types: deb
URIs: http://mirror.invalid/debian
Suites: unstable
Components: main
Architectures: amd64
Signed-By: /usr/share/keyrings/some.gpg

`},
		"lines": {"sources.list", lines, "", `Types: deb
URIs: http://mirror.invalid/debian
Suites: trixie
Components: main
Architectures: amd64
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: trixie-security
Components: main
Architectures: amd64

`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			etc := t.TempDir()
			file := filepath.Join(etc, c.file)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			got, err := aptSources(etc, c.suite)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := aptSources(t.TempDir(), "unstable")
	require.ErrorContains(t, err, "no Debian archive")
}

// TestVerify_RemovesAWrongDownload, so that the next fetch gets it anew.
func TestVerify_RemovesAWrongDownload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.jar")
	require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
	const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	require.NoError(t, verify(file, sum))
	require.FileExists(t, file)
	require.ErrorContains(t, verify(file, "00"+sum[2:]), sum)
	require.NoFileExists(t, file)
}

// TestUnpack_StaysInItsDirectory uses archives with names and links that lead
// out of it.
func TestUnpack_StaysInItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tarball, jar := filepath.Join(dir, "a.tgz"), filepath.Join(dir, "a.jar")
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for _, h := range []tar.Header{
		{Name: "p/in/lib/real", Typeflag: tar.TypeReg, Size: 1, Mode: 0o755},
		{Name: "p/in/bin/good", Typeflag: tar.TypeSymlink, Linkname: "../lib/real"},
		{Name: "p/in/bin/bad", Typeflag: tar.TypeSymlink, Linkname: "../../../secret"},
		{Name: "p/in/../../../out", Typeflag: tar.TypeReg, Size: 1},
		{Name: "p/other", Typeflag: tar.TypeReg, Size: 1},
	} {
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write(make([]byte, h.Size))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zipped.Close())
	require.NoError(t, os.WriteFile(tarball, packed.Bytes(), 0o600))
	to := filepath.Join(dir, "tar")
	require.NoError(t, untar(tarball, to, "p/in"))
	require.Equal(t, []string{"bin", "bin/good", "lib", "lib/real"}, filesBelow(t, to))

	packed.Reset()
	z := zip.NewWriter(&packed)
	for _, name := range []string{"p/a", "p/b", "../out", "q/c"} {
		_, err := z.Create(name)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(jar, packed.Bytes(), 0o600))
	require.NoError(t, unzip(jar, filepath.Join(dir, "some"), "p", "b"))
	require.Equal(t, []string{"b"}, filesBelow(t, filepath.Join(dir, "some")))
	require.NoError(t, unzip(jar, filepath.Join(dir, "all"), ""))
	require.Equal(t, []string{"p", "p/a", "p/b", "q", "q/c"}, filesBelow(t, filepath.Join(dir, "all")))
	require.NoFileExists(t, filepath.Join(dir, "out"))
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	}))
	return names
}

// TestBuild_IsAllOrNothing: an interrupted fetch leaves no half program.
func TestBuild_IsAllOrNothing(t *testing.T) {
	t.Parallel()
	c := cache(t.TempDir())
	dir := c.programDir("some")
	require.ErrorIs(t, c.build(t.Context(), dir, func(tmp string) error {
		require.NoError(t, os.WriteFile(filepath.Join(tmp, "half"), nil, 0o600))
		return os.ErrInvalid
	}), os.ErrInvalid)
	require.NoDirExists(t, dir)
	calls := 0
	for range 2 {
		require.NoError(t, c.build(t.Context(), dir, func(tmp string) error {
			calls++
			return os.WriteFile(filepath.Join(tmp, "whole"), nil, 0o600)
		}))
	}
	require.Equal(t, 1, calls)
	require.NoFileExists(t, filepath.Join(dir, "half"))
	require.FileExists(t, filepath.Join(dir, "whole"))
}

// TestDownloads_NameNoHost is what the demo prints before it asks.
func TestDownloads_NameNoHost(t *testing.T) {
	t.Setenv("SHARDLIFT_CACHE", t.TempDir())
	list, err := Downloads("mysql57", "mysql80")
	require.NoError(t, err)
	require.Len(t, list, 3) // and their libraries once
	for _, d := range list {
		require.False(t, d.Cached)
		require.Positive(t, d.Bytes)
		require.NotContains(t, d.Title, "//")
	}
	_, err = Downloads("mysql99")
	require.ErrorContains(t, err, `"mysql99"`)
}
