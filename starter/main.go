package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	width := lineWidth
	if columns, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && columns > 0 {
		width = min(columns, lineWidth)
	}
	a := &app{
		in: os.Stdin, out: os.Stdout, errOut: os.Stderr, env: os.Getenv, version: version,
		asks: term.IsTerminal(int(os.Stdin.Fd())), draws: term.IsTerminal(int(os.Stdout.Fd())),
		readPassword: func() (string, error) {
			password, err := term.ReadPassword(int(os.Stdin.Fd()))
			return string(password), err
		},
		width: width, poll: time.Second, patience: 2 * time.Minute,
	}
	status := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}
