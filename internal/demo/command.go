package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// shardlift runs a command as a user would type it and echoes it. The exit code
// comes back with an error of its own for every code but 0 and those in allowed.
func (d *demo) shardlift(ctx context.Context, args ...string) error {
	code, err := d.shardliftCode(ctx, args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("shardlift %s: exit code %d", strings.Join(args, " "), code)
	}
	return err
}

func (d *demo) shardliftCode(ctx context.Context, args ...string) (int, error) {
	fmt.Fprintf(d.Out, "   \033[36m$ shardlift %s\033[0m\n", strings.Join(quoted(args), " "))
	cmd := d.command(ctx, args...)
	out := &indented{to: d.Out}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return exited.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run shardlift: %w", err)
	}
	return 0, nil
}

// watch shows `shardlift watch` until the returned function is called.
func (d *demo) watch(ctx context.Context) (stop func(), err error) {
	fmt.Fprintf(d.Out, "   \033[36m$ shardlift watch %s\033[0m\n", taskName)
	ctx, cancel := context.WithCancel(ctx)
	cmd := d.command(ctx, "watch", taskName)
	out := &indented{to: d.Out}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("run shardlift watch: %w", err)
	}
	return func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}, nil
}

// read runs a command silently and decodes its JSON.
func (d *demo) read(ctx context.Context, into any, args ...string) error {
	cmd := d.command(ctx, append(args, "-o", "json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("shardlift %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("shardlift %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.Bin, "shardlift"), args...)
	cmd.Env = append(os.Environ(), d.stage.children.env...)
	return cmd
}

func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if strings.ContainsAny(a, " *'") {
			out[i] = "'" + a + "'"
		}
	}
	return out
}

// indented puts spaces in front of each line; bars that return to the line's
// begin with \r keep it.
type indented struct {
	to      interface{ Write([]byte) (int, error) }
	midLine bool
}

func (i *indented) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for _, c := range p {
		if !i.midLine && c != '\n' {
			b.WriteString("     ")
		}
		b.WriteByte(c)
		i.midLine = c != '\n' && c != '\r'
	}
	if _, err := i.to.Write(b.Bytes()); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	return len(p), nil
}
