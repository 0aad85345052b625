// Command shardlift-worker runs workflows and activities: the only program that
// opens databases. workers.go says which queue gets how many activities at once,
// health.go what the process tells about itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"shardlift/activities"
	"shardlift/internal/config"
	"shardlift/internal/secret"
	"shardlift/internal/telemetry"
	"shardlift/internal/temporalconn"
)

var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil, errors.Is(err, config.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "shardlift-worker:", err)
		os.Exit(1)
	}
}

// limitHeap makes the collector keep the heap within three quarters of what the
// activities may use; without it a few rows of 32 MiB leave twice their size
// behind before it runs. GOMEMLIMIT overrules it.
func limitHeap(memoryMiB int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memoryMiB) << 20 / 4 * 3)
	}
}

// run serves until ctx ends. It waits for Temporal as long as it takes; what it
// waits for is logged and stands in /readyz.
func run(ctx context.Context, args []string) error {
	settings, err := config.ReadWorker(args, os.Getenv, os.Stdout)
	if err != nil {
		return err
	}
	limitHeap(settings.MemoryMiB)
	log := telemetry.NewLogger(os.Stderr, settings.Level, settings.Format)
	if err := config.MakeDataDirectory(settings.Data); err != nil {
		return err
	}
	ring, err := secret.OpenKeyRing(settings.KeysFile)
	if err != nil {
		return err
	}
	alarms, err := openAlarms(settings.Alarms)
	if err != nil {
		return err
	}
	metrics := telemetry.NewMetrics()
	health := newHealth(metrics.Handler())
	stopHTTP, err := health.serve(settings.HTTP, log)
	if err != nil {
		return err
	}
	defer stopHTTP()

	logger := telemetry.Slog(log, "temporal", slog.LevelWarn)
	options, err := temporalconn.LoadOptions("worker-"+settings.Group, logger)
	if err != nil {
		return err
	}
	options.MetricsHandler = metrics.Temporal()
	client, err := temporalconn.Dial(ctx, options, logger)
	if err != nil {
		return ended(ctx, err)
	}
	defer client.Close()
	if err := temporalconn.EnsureAttributes(ctx, client, options.Namespace); err != nil {
		return ended(ctx, err)
	}
	redactor := &activities.Redactor{}
	steps := activities.New(client, options.Namespace, ring, redactor)
	steps.Tell(alarms)
	steps.Certificates(settings.Certificates)
	workers, err := startWorkers(client, settings, steps, temporalconn.NewInterceptor(redactor))
	if err != nil {
		return err
	}
	health.ready(nil)
	log.Info().Str("version", version).Str("group", settings.Group).Strs("roles", settings.Roles).Msg("worker is ready")
	err = workers.wait(ctx)
	health.ready(errStopping)
	log.Info().Msg("worker stops, its steps are handed over")
	workers.stop()
	return errors.Join(err, steps.Close())
}

// ended is nil when the user ended what was waiting.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
