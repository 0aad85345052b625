package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
)

// template is a task file with every field.
//
//go:embed template.yaml
var template []byte

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [FILE]", Short: "write a commented task file",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageOf(cmd, fmt.Sprintf("unexpected argument %q", args[1]))
			}
			return nil
		},
		Long:    "Write a commented task file with every field, task.yaml if none is named; - writes it to standard output.\nA file that exists is never overwritten.",
		Example: "  shardlift init shop.yaml\n  shardlift init - > shop.yaml",
		RunE: a.action(func(_ context.Context, args []string) error {
			path := "task.yaml"
			if len(args) == 1 {
				path = args[0]
			}
			if path == "-" {
				if a.json() {
					return a.printValue(map[string]string{"text": string(template)})
				}
				return a.write(template)
			}
			if err := writeNew(path, template); err != nil {
				return err
			}
			if a.json() {
				return a.printValue(map[string]string{"file": path})
			}
			return a.say("wrote %s; fill it in, then:\n  shardlift grants -f %s\n  shardlift test -f %s\n  shardlift create -f %s", path, path, path, path)
		}),
	}
}

// writeNew writes a file that must not exist, readable by its owner alone.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.FileExists.New(path, "")
	}
	if err != nil {
		return fault.FileUnusable.Wrap(err, path)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fault.FileUnusable.Wrap(err, path)
	}
	return nil
}
