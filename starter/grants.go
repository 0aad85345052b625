package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/starter/grants"
)

func (a *app) grantsCommand() *cobra.Command {
	var file, side string
	cmd := &cobra.Command{
		Use: "grants -f FILE", Short: "print the statements that create the accounts with the least rights", Args: noTask,
		Long: `Print the statements that create the accounts of a task file with the least rights, to be run by an
administrator of each side. Nothing is connected; put the password in the place of <password>.`,
		Example: "  shardlift grants -f task.yaml\n  shardlift grants -f task.yaml --side source",
		RunE: a.action(func(context.Context, []string) error {
			if side != "" && side != "source" && side != "destination" {
				return fault.Usage.New("--side", "want source or destination")
			}
			f, err := a.parseTaskFile(file)
			if err != nil {
				return err
			}
			g := grants.For(f)
			if a.json() {
				return a.printGrantsJSON(g, side)
			}
			if side != "destination" {
				if err := a.printGrants("source", g.Source); err != nil {
					return err
				}
			}
			if side == "" {
				if err := a.say(""); err != nil {
					return err
				}
			}
			if side != "source" {
				return a.printGrants("destination", g.Destination)
			}
			return nil
		}),
	}
	taskFileFlag(cmd, &file)
	cmd.Flags().StringVar(&side, "side", "", "source or destination (default: both)")
	return cmd
}

func (a *app) printGrantsJSON(g grants.Grants, side string) error {
	switch side {
	case "source":
		return a.printValue(map[string]grants.Set{side: g.Source})
	case "destination":
		return a.printValue(map[string]grants.Set{side: g.Destination})
	default:
		return a.printValue(g)
	}
}

func (a *app) printGrants(side string, s grants.Set) error {
	if err := a.say("-- on the %s, as an administrator", side); err != nil {
		return err
	}
	for _, statement := range s.Statements {
		if err := a.say("%s", statement); err != nil {
			return err
		}
	}
	for _, o := range s.Optional {
		if err := a.say("-- optional: %s\n-- %s", o.Gives, o.Statement); err != nil {
			return err
		}
	}
	for _, n := range s.Notes {
		for _, line := range wrap(n, lineWidth-3) {
			if err := a.say("-- %s", line); err != nil {
				return err
			}
		}
	}
	return nil
}
