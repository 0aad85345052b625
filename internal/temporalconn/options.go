package temporalconn

import (
	"fmt"
	"log/slog"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// DefaultAddress is where shardlift-dev and a local Temporal listen.
const DefaultAddress = "127.0.0.1:7233"

// LoadOptions returns the options that the environment and the file of
// TEMPORAL_CONFIG_FILE give: address, namespace, API key, TLS. role ("worker",
// "web") becomes part of the identity that the Temporal Web UI shows.
func LoadOptions(role string, logger *slog.Logger) (client.Options, error) {
	return loadOptions(role, logger, nil)
}

func loadOptions(role string, logger *slog.Logger, env envconfig.EnvLookup) (client.Options, error) {
	o, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: env})
	if err != nil {
		return client.Options{}, fault.TemporalSettings.Wrap(err, "")
	}
	if o.HostPort == "" {
		o.HostPort = DefaultAddress
	}
	if o.Namespace == "" {
		o.Namespace = contract.Namespace
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	o.Identity = fmt.Sprintf("%s@%s/%d", role, host, os.Getpid())
	o.Logger = sdklog.NewStructuredLogger(logger)
	return o, nil
}
