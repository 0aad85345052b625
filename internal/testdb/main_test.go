package testdb

import (
	"fmt"
	"io"
	"os"
	"testing"
)

// TestMain also serves as the other process of tests that need one.
func TestMain(m *testing.M) {
	if kind := os.Getenv("TESTDB_OTHER_PROCESS"); kind != "" {
		if err := otherProcess(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// otherProcess uses a shared or an own MariaDB until its input ends. It prints
// the port, the server's process id and the run directory.
func otherProcess(kind string) error {
	r, err := openRuns(os.Stderr)
	if err != nil {
		return err
	}
	e, err := editionNamed("mariadb")
	if err != nil {
		return err
	}
	ctx, cancel := testContext()
	defer cancel()
	var i *instance
	if kind == "own" {
		i, err = r.own(ctx, e, nil)
	} else {
		i, err = r.shared(ctx, e)
	}
	if err != nil {
		return err
	}
	defer i.close()
	fmt.Println(i.port, i.pidIn("pid"), i.run)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
