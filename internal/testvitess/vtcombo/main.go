// Command vtcombo is Vitess in one process (vtgate, tablets and an in-memory
// topology) for tests: vitess.io/vitess/go/cmd/vtcombo, which refuses to run as
// root, so that it becomes nobody first, and which ends when its standard input
// does, so that it never outlives the test that started it.
//
// It is a module of its own: Vitess' servers need 180 modules that Shardlift
// does not.
package main

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"vitess.io/vitess/go/cmd/vtcombo/cli"
	"vitess.io/vitess/go/mysql"
	"vitess.io/vitess/go/vt/utils"
	"vitess.io/vitess/go/vt/vtgate"
)

// nobody is Debian's account without any rights.
const nobody = 65534

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vtcombo:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := dropRoot(os.Getenv("VTDATAROOT")); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	// vtgate's own program has this plug-in, vtcombo has not.
	vtgate.RegisterPluginInitializer(func() {
		mysql.InitAuthServerStatic("", os.Getenv("VTCOMBO_ACCOUNTS"), 0)
	})
	cli.Main.SetGlobalNormalizationFunc(utils.NormalizeUnderscoresToDashes)
	return cli.Main.Execute()
}

// dropRoot gives the data directory to nobody and becomes nobody.
func dropRoot(data string) error {
	if os.Getuid() != 0 {
		return nil
	}
	if err := os.Chown(data, nobody, nobody); err != nil {
		return fmt.Errorf("give the data directory away: %w", err)
	}
	for _, drop := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(nobody) },
		func() error { return syscall.Setuid(nobody) },
	} {
		if err := drop(); err != nil {
			return fmt.Errorf("become nobody: %w", err)
		}
	}
	return nil
}
