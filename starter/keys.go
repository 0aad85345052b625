package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

func (a *app) keysCommand() *cobra.Command {
	keys := &cobra.Command{
		Use: "keys", Short: "the workers' key ring", Args: noTask,
		Example: "  shardlift keys rotate",
		RunE:    func(cmd *cobra.Command, _ []string) error { return usageOf(cmd, "want rotate") },
	}
	var file string
	rotate := &cobra.Command{
		Use: "rotate", Short: "put a fresh key in front of the workers' key ring (a file of this machine)", Args: noTask,
		Long: `Put a fresh key in front of the workers' key ring; what older keys sealed still opens. Copy the file
to every worker and its .pub.json to every web, then start the workers again, before new tasks are
created.`,
		Example: "  shardlift keys rotate --keys-file /var/lib/shardlift/keys.json",
		RunE: a.action(func(context.Context, []string) error {
			path := a.keysFile(file)
			ring, err := secret.Rotate(path)
			if err != nil {
				return fault.FileUnusable.Wrap(err, path)
			}
			if a.json() {
				return a.printValue(map[string]string{"key": ring.Public().ID, "file": path, "public": secret.PublicPath(path)})
			}
			return a.say("key %s is the current one in %s; its public part is in %s", ring.Public().ID, path, secret.PublicPath(path))
		}),
	}
	rotate.Flags().StringVar(&file, "keys-file", "", "key ring (SHARDLIFT_KEYS_FILE, default keys.json in SHARDLIFT_DATA, ./data)")
	keys.AddCommand(rotate)
	return keys
}

func (a *app) keysFile(flag string) string {
	if flag != "" {
		return flag
	}
	if file := a.env("SHARDLIFT_KEYS_FILE"); file != "" {
		return file
	}
	data := a.env("SHARDLIFT_DATA")
	if data == "" {
		data = "data"
	}
	return filepath.Join(data, "keys.json")
}
