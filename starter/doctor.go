package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "say what of the installation works", Args: noTask,
		Long:    "Say what of the installation works: token, server, Temporal, keys, workers. Exit status 4 when a part does not work.",
		Example: "  shardlift doctor",
		RunE: a.action(func(ctx context.Context, _ []string) error {
			report, failure := a.examine(ctx)
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if a.json() {
				err = a.printValue(report)
			} else {
				err = a.printDoctor(report)
			}
			if err != nil {
				return err
			}
			if failure != nil {
				return failure
			}
			var ill []string
			for _, c := range report.Checks {
				if !c.Ok {
					ill = append(ill, c.Name)
				}
			}
			if len(ill) > 0 || !report.Ok {
				return fault.NotWell.New(strings.Join(ill, ", "), "")
			}
			return nil
		}),
	}
}

// examine asks the server; what keeps it from being asked is a check that failed.
func (a *app) examine(ctx context.Context) (*api.Doctor, error) {
	failed := func(name string, err error) (*api.Doctor, error) {
		p := problemOf(err)
		return &api.Doctor{Checks: []api.DoctorCheck{{Name: name, Detail: headline(p), Remedy: p.Remedy}}}, err
	}
	c, err := a.connect()
	if err != nil {
		return failed("settings", err)
	}
	r, err := answered(c.DoctorWithResponse(ctx))
	if err != nil {
		return failed("web", err)
	}
	return r.JSON200, nil
}

func (a *app) printDoctor(d *api.Doctor) error {
	f := &facts{}
	for _, c := range d.Checks {
		word := "ok  "
		if !c.Ok {
			word = "BAD "
		}
		f.add(word+c.Name, "%s", c.Detail)
		if !c.Ok && value(c.Remedy) != "" {
			f.add("", "remedy: %s", *c.Remedy)
		}
	}
	return f.print(a.out)
}
