package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"shardlift/internal/config"
	"shardlift/internal/fault"
	"shardlift/web/api"
)

// app is one run of the command line; it is used once.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	env         func(string) string
	version     string
	// asks says that a person can answer at in, draws that out is a terminal.
	asks, draws bool
	// width is the terminal's, for what is drawn over and over.
	width int
	// readPassword reads a line without showing it.
	readPassword func() (string, error)
	// poll is the time between two looks at a task, patience how long a silent
	// server is waited for in the middle of a wait.
	poll, patience time.Duration

	server, tokenFile, output string
	// as is who acts, for the task's history.
	as      string
	timeout time.Duration

	// draft: the task file may lack endpoints and objects. objectList is a file
	// that names the tables instead.
	draft      bool
	objectList string

	// started is set once a command does its work: what fails before is wrong usage.
	started bool
	key     string
}

// Formats of output.
const (
	formatTable = "table"
	formatJSON  = "json"
)

// run carries out one command line (without the program's name) and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		err = asUsage(err)
	}
	if err != nil {
		a.report(err)
	}
	return exitStatus(err)
}

// action makes a command's work of a function; --timeout bounds it.
func (a *app) action(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if a.output != formatTable && a.output != formatJSON {
			return fault.Usage.New("--output", "%q: want table or json", a.output)
		}
		a.started = true
		ctx := cmd.Context()
		if a.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.timeout)
			defer cancel()
		}
		err := do(ctx, args)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return fault.OutOfTime.New(cmd.CommandPath(), "%s have passed", a.timeout)
		case errors.Is(err, context.Canceled):
			return fault.Interrupted.New(cmd.CommandPath(), "")
		}
		return err
	}
}

func (a *app) json() bool { return a.output == formatJSON }

// settings are those of flags, environment and defaults, in this order.
func (a *app) settings() (config.CommandLine, error) {
	return config.ReadCommandLine(func(name string) string {
		switch {
		case name == "SHARDLIFT_SERVER" && a.server != "":
			return a.server
		case name == "SHARDLIFT_TOKEN_FILE" && a.tokenFile != "":
			return a.tokenFile
		}
		return a.env(name)
	})
}

// connect makes the client; nothing is sent yet.
func (a *app) connect() (*api.ClientWithResponses, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	token, err := config.ReadToken(s.TokenFile)
	if err != nil {
		return nil, err
	}
	return newClient(s.Server, token, a.actor(), a.poll/5)
}

// actor is who acts: --actor, SHARDLIFT_ACTOR, or the name of the user of this
// machine, in the letters that the server takes.
func (a *app) actor() string {
	if name := cmp.Or(a.as, a.env("SHARDLIFT_ACTOR")); name != "" {
		return name
	}
	name := strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("._@+-", r) {
			return r
		}
		return '-'
	}, cmp.Or(a.env("USER"), a.env("USERNAME")))
	name = strings.TrimLeft(name, "._@+-")
	return name[:min(len(name), 64)]
}

// idempotencyKey is the same for every request of this run: a repeated request is done once.
func (a *app) idempotencyKey() *string {
	if a.key == "" {
		a.key = uuid.NewString()
	}
	return &a.key
}

// consent asks before something that cannot be undone.
func (a *app) consent(yes bool, question string) error {
	if yes {
		return nil
	}
	if !a.asks {
		return fault.NeedsConsent.New("", "%s", question)
	}
	fmt.Fprintf(a.errOut, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.Declined.Wrap(err, "")
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return fault.Declined.New("", "")
	}
	return nil
}

// note says something to the person, never to a script.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.errOut, format+"\n", args...)
}

// pause waits, or returns why there is no more waiting.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
