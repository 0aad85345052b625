package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) testCommand() *cobra.Command {
	var file, side string
	cmd := &cobra.Command{
		Use: "test -f FILE | TASK", Short: "test the connections of a task file or a task",
		Long: `Test the connections to source and destination, from a worker: that is where the databases must be
reachable. Exit status 4 when a side does not work.`,
		Example: "  shardlift test -f task.yaml\n  shardlift test shop-to-ddm --side source",
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if file != "" {
			return noTask(cmd, args)
		}
		if len(args) == 0 {
			return usageOf(cmd, "name a task, or a task file with -f")
		}
		return oneTask(cmd, args)
	}
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		if side != "" && side != "source" && side != "destination" {
			return fault.Usage.New("--side", "want source or destination")
		}
		var result *api.TestResult
		var err error
		if file != "" {
			result, err = a.testFile(ctx, file, side)
		} else {
			result, err = a.testTask(ctx, args[0], side)
		}
		if err != nil {
			return err
		}
		return a.tellTest(result)
	})
	taskFileFlag(cmd, &file)
	cmd.Flags().StringVar(&side, "side", "", "source or destination (default: both)")
	return cmd
}

func (a *app) testTask(ctx context.Context, task, side string) (*api.TestResult, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	body := api.TestTaskJSONRequestBody{}
	setText(&body.Side, side)
	r, err := answered(c.TestTaskWithResponse(ctx, task, body))
	if err != nil {
		return nil, err
	}
	return r.JSON200, nil
}

func (a *app) testFile(ctx context.Context, file, side string) (*api.TestResult, error) {
	_, sent, err := a.readTaskFile(file)
	if err != nil {
		return nil, err
	}
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	all := &api.TestResult{Ok: true, Sides: []api.TestedSide{}}
	for _, s := range []struct {
		side     api.ConnectionTestSide
		endpoint api.EndpointFile
	}{{"source", sent.Source}, {"destination", sent.Destination}} {
		if side != "" && side != string(s.side) {
			continue
		}
		r, err := answered(c.TestConnectionWithResponse(ctx, api.ConnectionTest{Side: s.side, WorkerGroup: sent.WorkerGroup, Endpoint: s.endpoint}))
		if err != nil {
			return nil, err
		}
		all.Ok = all.Ok && r.JSON200.Ok
		all.Sides = append(all.Sides, r.JSON200.Sides...)
	}
	return all, nil
}

func (a *app) tellTest(result *api.TestResult) error {
	var err error
	if a.json() {
		err = a.printValue(result)
	} else {
		f := &facts{}
		for _, s := range result.Sides {
			if s.Ok {
				f.add(s.Side, "ok: %s %s, tls %s, %d ms", orUnknown(s.Kind), orUnknown(s.Version), orUnknown(s.TLS), s.Millis)
				continue
			}
			e := value(s.Error)
			f.add(s.Side, "FAILED: %s", headline(api.Problem{Code: e.Code, Object: filled(e.Object), Detail: filled(e.Message)}))
			f.add("", "remedy: %s", e.Remedy)
		}
		err = f.print(a.out)
	}
	if err != nil || result.Ok {
		return err
	}
	var bad []string
	for _, s := range result.Sides {
		if !s.Ok {
			bad = append(bad, s.Side)
		}
	}
	return fault.TestFailed.New("connection of "+strings.Join(bad, " and "), "")
}
