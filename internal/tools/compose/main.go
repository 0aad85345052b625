// Command compose checks a Compose file as `docker compose config` does, without
// Docker, and that what it builds and mounts is in the repository.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compose FILE")
		os.Exit(2)
	}
	if err := check(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func check(ctx context.Context, file string) error {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return err
	}
	for name, service := range project.Services {
		if err := checkService(service); err != nil {
			return fmt.Errorf("service %s: %w", name, err)
		}
	}
	return nil
}

var stage = regexp.MustCompile(`(?mi)^FROM\s+\S+\s+AS\s+(\S+)`)

func checkService(s types.ServiceConfig) error {
	for _, v := range s.Volumes {
		if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	}
	if s.Build == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(s.Build.Context, s.Build.Dockerfile))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	var stages []string
	for _, found := range stage.FindAllSubmatch(text, -1) {
		stages = append(stages, string(found[1]))
	}
	if s.Build.Target != "" && !slices.Contains(stages, s.Build.Target) {
		return fmt.Errorf("build: %s has no stage %q", s.Build.Dockerfile, s.Build.Target)
	}
	return nil
}
