// Command mutants takes the guards out one at a time and says which loss no test
// notices; the exit code is 1 when there is one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"shardlift/internal/mutants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1) //nolint:forbidigo // main decides about the exit
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("only", "", "regular expression of names; all when empty")
	root := flags.String("root", ".", "folder of the module")
	timeout := flags.Duration("timeout", 5*time.Minute, "limit of one mutant's tests")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("read -only: %w", err)
	}
	absolute, err := filepath.Abs(*root)
	if err != nil {
		return err
	}
	guards := slices.DeleteFunc(mutants.Guards(), func(g mutants.Guard) bool { return !chosen.MatchString(g.Name) })
	runner := &mutants.Runner{Root: absolute, Timeout: *timeout, Guards: guards}
	counts := map[mutants.Verdict]int{}
	for _, g := range guards {
		r := runner.Run(ctx, g)
		counts[r.Verdict]++
		fmt.Printf("%-8s  rule %-5s  %s: %s, %s %s\n", r.Verdict, g.Rule, g.Name, g.File, r.Took, r.By)
		if r.Why != "" {
			fmt.Println(r.Why)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("%d caught, %d survived, %d broken\n", counts[mutants.Caught], counts[mutants.Survived], counts[mutants.Broken])
	if counts[mutants.Survived]+counts[mutants.Broken] > 0 {
		return errors.New("not every mutant was caught")
	}
	return nil
}
