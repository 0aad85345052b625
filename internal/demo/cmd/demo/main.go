// Command demo runs the whole of Shardlift on one machine; make demo calls it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"shardlift/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find bin/: %w", err)
	}
	o := demo.Options{Bin: filepath.Dir(self), Out: os.Stdout, Exit: os.Getenv("EXIT") != ""}
	for variable, port := range map[string]*int{
		"DEMO_TEMPORAL_PORT": &o.Ports.Temporal, "DEMO_TEMPORAL_UI_PORT": &o.Ports.TemporalUI, "DEMO_WEB_PORT": &o.Ports.Web,
	} {
		if *port, err = strconv.Atoi(os.Getenv(variable)); os.Getenv(variable) != "" && err != nil {
			return fmt.Errorf("%s: not a port", variable)
		}
	}
	for port, standard := range map[*int]int{&o.Ports.Temporal: 7233, &o.Ports.TemporalUI: 8233, &o.Ports.Web: 8080} {
		if *port == 0 {
			*port = standard
		}
	}
	return demo.Run(ctx, o)
}
