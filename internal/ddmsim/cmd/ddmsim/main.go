// Command ddmsim runs the DDM simulator: a stand-in for tests and the demo.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"shardlift/internal/ddmsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `ddmsim - a stand-in for Huawei DDM, for tests and the demo: it shards over real
MySQL servers by DDM's rules and refuses what DDM refuses. Not for production.

usage: ddmsim --schema shop --node USER:PASSWORD@HOST:PORT [--node …] --user U --password-env V

Faults are injected by SQL: DDMSIM FAULT NODE n DOWN|UP|CUT, SLOW 'pattern' ms,
ERROR code 'pattern', DROP 'pattern' [AFTER], DROP CLIENTS, COMMIT n, CLEAR
(each with TIMES k), and DDMSIM SHOW FAULTS.

`

// run returns the exit code: 0 ended by a signal, 1 failed, 2 wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, help, err := parse(args, stdout)
	if help {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "ddmsim:", err)
		return 2
	}
	s, err := ddmsim.Start(ctx, cfg)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintf(stdout, "Ready ddmsim (a stand-in for DDM in tests and the demo) listens on %s\n", s.Addr())
	<-ctx.Done()
	if err := s.Close(); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}
