// Command testservers fetches, starts and ends the database servers of the
// tests and of the demo; see package testdb.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"shardlift/internal/testdb"
)

const usage = `usage: testservers COMMAND [names]

  fetch [names]   download and unpack what the cache lacks
  up [names]      start the shared servers and return
  down [-now]     let the shared servers end: a minute after their last user,
                  with -now at once if nobody uses them
  list            show what is fetched and what runs
  sizes [names]   show what fetch would download

Without names all of them: %s.
`

// errUsage is a command line that makes no sense.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, usage, strings.Join(testdb.Versions(), ", "))
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "testservers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	now := flags.Bool("now", false, "")
	if err := flags.Parse(args[1:]); err != nil || *now && args[0] != "down" {
		return errUsage
	}
	names := flags.Args()
	switch args[0] {
	case "fetch":
		return testdb.Fetch(ctx, out, names...)
	case "up":
		return testdb.Up(ctx, out, names...)
	case "down":
		return testdb.Down(ctx, out, *now)
	case "list":
		return list(out)
	case "sizes":
		return sizes(out, names)
	}
	return errUsage
}

func list(out io.Writer) error {
	all, err := testdb.List()
	if err != nil {
		return err
	}
	for _, s := range all {
		state := "not fetched"
		if s.Fetched {
			state = "fetched"
		}
		if len(s.Running) > 0 {
			state = "running in " + strings.Join(s.Running, " and ")
		}
		fmt.Fprintf(out, "%-8s %s\n", s.Name, state)
	}
	return nil
}

func sizes(out io.Writer, names []string) error {
	downloads, err := testdb.Downloads(names...)
	if err != nil {
		return err
	}
	var total int64
	for _, d := range downloads {
		state := ""
		if d.Cached {
			state = " (in the cache)"
		} else {
			total += d.Bytes
		}
		fmt.Fprintf(out, "%-8s %4d MB  %s%s\n", d.Name, d.Bytes/1e6, d.Title, state)
	}
	fmt.Fprintf(out, "to download: %d MB\n", total/1e6)
	return nil
}
