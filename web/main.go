// Command shardlift-web serves the HTTP API and the pages.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"shardlift/internal/config"
	"shardlift/internal/control"
	"shardlift/internal/secret"
	"shardlift/internal/telemetry"
	"shardlift/internal/temporalconn"
	"shardlift/web/auth"
	"shardlift/web/console"
)

var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, config.ErrHelp) {
		fmt.Fprintln(os.Stderr, "shardlift-web:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	settings, err := config.ReadWeb(args, os.Getenv, os.Stdout)
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(os.Stderr, settings.Level, settings.Format)
	if err := config.MakeDataDirectory(settings.Data); err != nil {
		return err
	}
	token, err := config.OpenToken(settings.TokenFile)
	if err != nil {
		return err
	}
	guard, err := auth.New(token)
	if err != nil {
		return err
	}
	own, err := secret.OpenKeyRing(settings.KeyFile)
	if err != nil {
		return err
	}
	pages, err := console.New()
	if err != nil {
		return err
	}
	options, err := temporalconn.LoadOptions("web", telemetry.Slog(log, "temporal", slog.LevelWarn))
	if err != nil {
		return err
	}
	metrics := telemetry.NewMetrics()
	options.MetricsHandler = metrics.Temporal()
	temporal, err := temporalconn.Lazy(options)
	if err != nil {
		return err
	}
	defer temporal.Close()
	h := &handlers{version: version, service: &control.Service{
		Temporal: temporal, Namespace: options.Namespace, Own: own, HeartbeatTimeout: settings.HeartbeatTimeout, WebUI: settings.TemporalUI,
		Workers: func() (secret.PublicKey, error) { return secret.ReadPublicKey(secret.PublicPath(settings.KeysFile)) },
	}}
	ready := func(ctx context.Context) error { return temporalconn.Ready(ctx, temporal, options.Namespace) }
	return serve(ctx, newServer(h, guard, pages, ready, metrics.Handler(), log), settings, log)
}
