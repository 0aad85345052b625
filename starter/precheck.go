package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) precheckCommand() *cobra.Command {
	var items []string
	var wait, show, samples bool
	cmd := &cobra.Command{
		Use: "precheck TASK", Short: "check everything that must hold before the start", Args: oneTask,
		Long: `Run the pre-check, or with --item some of its items again. With --wait the command ends with the
pre-check and prints its items: exit status 4 when it is not at 100 %, that is, when something failed
or an alarm is not confirmed. --show prints the last results and runs nothing; --samples prints keys of
rows that items found, which stand in the destination's metadata only.`,
		Example: "  shardlift precheck shop-to-ddm --wait\n  shardlift precheck shop-to-ddm --item srcDbConnection --wait",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			if samples {
				return a.precheckSamples(ctx, c, args[0])
			}
			if show {
				return a.precheckReport(ctx, c, args[0])
			}
			body := api.PrecheckCommand{}
			if len(items) > 0 {
				body.Items = &items
			}
			r, err := answered(c.PrecheckTaskWithResponse(ctx, args[0], &api.PrecheckTaskParams{IdempotencyKey: a.idempotencyKey()}, body))
			var refused *refusal
			switch {
			case wait && errors.As(err, &refused) && refused.Code == fault.PrecheckRunning.Code:
				a.note("a pre-check is running already; waiting for it")
			case err != nil:
				return err
			case !wait:
				return a.tell(ctx, c, args[0], "pre-check started", r)
			}
			if err := a.awaitPrecheck(ctx, c, args[0]); err != nil {
				return err
			}
			return a.precheckReport(ctx, c, args[0])
		}),
	}
	cmd.Flags().StringSliceVar(&items, "item", nil, "code of an item to run again (repeatable)")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end and print the items")
	cmd.Flags().BoolVar(&show, "show", false, "print the last results, run nothing")
	cmd.Flags().BoolVar(&samples, "samples", false, "print keys of rows that items found, run nothing")
	return cmd
}

// precheckSamples prints keys of rows, one line each.
func (a *app) precheckSamples(ctx context.Context, c *api.ClientWithResponses, id string) error {
	r, err := answered(c.GetPrecheckSamplesWithResponse(ctx, id))
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(r.Body)
	}
	f := &facts{}
	for _, s := range r.JSON200.Samples {
		for _, key := range s.Keys {
			f.add(s.Item, "%s: %s", s.Object, key)
		}
	}
	return f.print(a.out)
}

func (a *app) awaitPrecheck(ctx context.Context, c *api.ClientWithResponses, id string) error {
	return a.follow(ctx, c, id, func(t *api.Task, _ []byte) (bool, error) {
		switch t.Precheck.State {
		case "done", "expired":
			return true, nil
		case "none": // it could not run at all
			if t.LastError != nil {
				return true, failureOf(t)
			}
			return true, nil
		default:
			return false, nil
		}
	})
}

// precheckReport prints the items; below 100 % is an error.
func (a *app) precheckReport(ctx context.Context, c *api.ClientWithResponses, id string) error {
	r, err := answered(c.GetPrecheckWithResponse(ctx, id))
	if err != nil {
		return err
	}
	report := r.JSON200
	if a.json() {
		err = a.printJSON(r.Body)
	} else {
		err = a.printPrecheck(report)
	}
	if err != nil {
		return err
	}
	s := report.Summary
	if s.State == "none" {
		return fault.PrecheckBelow.New("task "+id, "it has not run").WithRemedy("run `shardlift precheck %s --wait`", id)
	}
	if s.State == "expired" || value(s.PassedRate) != 100 {
		return fault.PrecheckBelow.New("task "+id, "%s, %s %%: %d failed, %d alarms not confirmed", s.State, count(s.PassedRate), s.Failed, s.Unconfirmed)
	}
	return nil
}

func (a *app) printPrecheck(report *api.PrecheckReport) error {
	f := &facts{}
	for _, i := range report.Items {
		f.add(string(i.Verdict), "%s: %s", i.Code, i.Title)
		if reason := value(i.Reason); reason != "" {
			f.add("", "%s", reason)
		}
		for _, e := range value(i.Evidence) {
			f.add("", "- %s", e)
		}
		if i.Verdict != api.PASSED && value(i.Remedy) != "" {
			f.add("", "remedy: %s", *i.Remedy)
		}
		if page := value(i.Page); i.Verdict != api.PASSED && page != "" {
			f.add("", "more: %s", page)
		}
		if waits := value(i.WaitsFor); len(waits) > 0 {
			f.add("", "waits for: %s", strings.Join(waits, ", "))
		}
		if i.Verdict == api.FAILED && value(i.Skippable) && i.Skipped == nil {
			f.add("", "may be skipped with a reason: shardlift confirm TASK --skip --item %s --note TEXT", i.Code)
		}
		if by := i.Confirmed; by != nil {
			f.add("", "confirmed by %s at %s: %s", by.Actor, moment(&by.At), by.Note)
		}
		if by := i.Skipped; by != nil {
			f.add("", "skipped by %s at %s: %s", by.Actor, moment(&by.At), by.Note)
		}
	}
	if err := f.print(a.out); err != nil {
		return err
	}
	s := report.Summary
	return a.say("pre-check %s: %s %% passed, %d failed, %d alarms (%d not confirmed), good until %s",
		s.State, count(s.PassedRate), s.Failed, s.Alarms, s.Unconfirmed, moment(s.ExpiresAt))
}
