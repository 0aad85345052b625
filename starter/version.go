package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// versionTime is how long the server's version is waited for.
const versionTime = 3 * time.Second

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the versions of this program and of the server", Args: noTask,
		Long:    "Print the version of this program and, where it can be reached, of the server. A silent server is no error here.",
		Example: "  shardlift version",
		RunE: a.action(func(ctx context.Context, _ []string) error {
			server, err := a.serverVersion(ctx)
			if a.json() {
				return a.printValue(map[string]*string{"version": &a.version, "server": server})
			}
			if server != nil {
				return a.say("shardlift %s, server %s", a.version, *server)
			}
			a.note("server: %v", err)
			return a.say("shardlift %s", a.version)
		}),
	}
}

func (a *app) serverVersion(ctx context.Context) (*string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	r, err := answered(c.VersionWithResponse(ctx))
	if err != nil {
		return nil, err
	}
	return &r.JSON200.Version, nil
}
