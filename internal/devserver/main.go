package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(status(run(os.Args[1:], os.Stdout, os.Stderr)))
}

// status prints err and returns the exit status: 0 ok, 1 failed, 2 usage.
func status(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintln(os.Stderr, "shardlift-dev:", err)
		return 1
	}
}

// run starts what is asked for, prints where it is, waits for SIGINT or
// SIGTERM, and returns when all of it has stopped, in the reverse order.
func run(args []string, stdout, stderr io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	s, err := readSettings(args, os.Getenv, stderr)
	if err != nil {
		return err
	}
	bin, err := binaryDir()
	if err != nil {
		return err
	}
	if err := checkPorts(s); err != nil {
		return err
	}
	out := &lines{to: stdout}
	place := where{settings: s, temporal: s.External, namespace: s.ExternalNamespace}
	if s.External == "" {
		out.say("starting the Temporal server (log in %s/temporal.log)", s.Data)
		server, err := startTemporal(s.Data, s.TemporalPort)
		if err != nil {
			return err
		}
		ui := startUI(server.Address, s.UIPort)
		defer func() {
			out.say("stopping the Temporal server")
			err = errors.Join(err, ui.Stop(), server.Stop())
		}()
		if err := waitUntilUsable(ctx, server.Address); err != nil {
			return ignoreEnd(ctx, err)
		}
		place.temporal, place.namespace, place.ui = server.Address, namespace, ui.URL
	}
	if s.OnlyTemporal {
		place.print(out)
		<-ctx.Done()
		return nil
	}
	return runChildren(ctx, bin, place, out)
}

// runChildren runs worker and web until ctx ends.
func runChildren(ctx context.Context, bin string, place where, out *lines) error {
	out.say("starting worker and web")
	family, err := startFamily(bin, []string{"shardlift-worker", "shardlift-web"}, place.environment(), out)
	if err != nil {
		return err
	}
	defer family.stop(stopTimeout)
	if err := waitForWeb(ctx, place.settings.Listen, out); err != nil {
		return ignoreEnd(ctx, err)
	}
	place.print(out)
	<-ctx.Done()
	out.say("stopping worker and web (up to %s)", stopTimeout)
	return nil
}

// ignoreEnd is nil when err came from the user's wish to stop.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
