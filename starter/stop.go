package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

func (a *app) stopCommand() *cobra.Command {
	var incomplete, force, wait, yes bool
	cmd := &cobra.Command{
		Use: "stop TASK", Short: "end a task: drain, refresh sequences, report", Args: oneTask,
		Long: `End a task for good. Everything that the source has committed is applied first, sequences of the
destination are set above the largest keys, and a report is made. A task that is not synced is refused:
--incomplete ends it as it is; --force ends it at once, without sequences. With --wait the command ends
with the task and prints the report: exit status 4 when the report says incomplete.`,
		Example: "  shardlift stop shop-to-ddm --wait\n  shardlift stop shop-to-ddm --force --yes",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if incomplete && force {
				return fault.Usage.New("", "give one of --incomplete and --force")
			}
			if err := a.consent(yes, stopQuestion(args[0], incomplete, force)); err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			r, err := answered(c.StopTaskWithResponse(ctx, args[0], &api.StopTaskParams{IdempotencyKey: a.idempotencyKey()},
				api.StopCommand{Incomplete: filled(incomplete), Force: filled(force)}))
			if err != nil {
				return err
			}
			if !wait {
				return a.tell(ctx, c, args[0], "stop accepted", r)
			}
			return a.awaitStop(ctx, c, args[0])
		}),
	}
	cmd.Flags().BoolVar(&incomplete, "incomplete", false, "end a task that is not synced, as it is")
	cmd.Flags().BoolVar(&force, "force", false, "end at once: nothing is drained, sequences are not refreshed")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end and print the report")
	yesFlag(cmd, &yes)
	return cmd
}

func stopQuestion(task string, incomplete, force bool) string {
	switch {
	case force:
		return fmt.Sprintf("Stop %s at once, without the rest of the changes and without refreshing sequences? It cannot be started again.", task)
	case incomplete:
		return fmt.Sprintf("Stop %s although the destination may lack changes? It cannot be started again.", task)
	default:
		return fmt.Sprintf("Stop %s? It cannot be started again.", task)
	}
}

func (a *app) awaitStop(ctx context.Context, c *api.ClientWithResponses, id string) error {
	err := a.follow(ctx, c, id, func(t *api.Task, _ []byte) (bool, error) {
		switch s := statusOf(t); {
		case s.Ended():
			return true, nil
		case s == lifecycle.ReleaseFailed:
			return true, failureOf(t)
		default:
			return false, nil
		}
	})
	if err != nil {
		return err
	}
	report, err := a.finalReport(ctx, c, id)
	var missing *refusal
	if errors.As(err, &missing) && missing.Status == http.StatusNotFound {
		a.note("%s has ended; there is no report", id)
		return nil
	}
	if err != nil {
		return err
	}
	if report.Incomplete {
		return fault.StopShort.New("task "+id, "").WithRemedy("`shardlift report %s` says what is missing", id)
	}
	return nil
}
