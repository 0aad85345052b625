package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// What can be waited for.
const (
	forFullComplete = "full-complete"
	forSynced       = "synced"
	forCompleted    = "completed"
	forFailed       = "failed"
)

func (a *app) waitCommand() *cobra.Command {
	var what string
	cmd := &cobra.Command{
		Use: "wait TASK --for STATE", Short: "wait for a state of a task", Args: oneTask,
		Long: `Wait until a task has come so far, at most for --timeout (then exit status 5). STATE is
  full-complete  the full copy is complete
  synced         every change that the source had committed when the command was given is on the destination,
                 of tables that stand apart, too; a parked one ends the command with status 1
  completed      the task has ended
  failed         the task has failed
A task that fails meanwhile ends the command with its error and exit status 1.`,
		Example: "  shardlift wait shop-to-ddm --for full-complete --timeout 2h\n  shardlift wait shop-to-ddm --for synced --timeout 1m",
		RunE: a.action(func(ctx context.Context, args []string) error {
			switch what {
			case forFullComplete, forSynced, forCompleted, forFailed:
			default:
				return fault.Usage.New("--for", "want full-complete, synced, completed or failed")
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			if what == forSynced {
				return a.awaitSynced(ctx, c, args[0])
			}
			return a.awaitState(ctx, c, args[0], what)
		}),
	}
	cmd.Flags().StringVar(&what, "for", "", "full-complete, synced, completed or failed")
	return cmd
}

func (a *app) awaitState(ctx context.Context, c *api.ClientWithResponses, id, what string) error {
	paused := false
	return a.follow(ctx, c, id, func(t *api.Task, body []byte) (bool, error) {
		reached, err := hasReached(t, what)
		if err != nil {
			return true, err
		}
		if reached {
			if a.json() {
				return true, a.printJSON(body)
			}
			return true, a.say("%s: %s (%s)", t.Name, what, t.StatusLabel)
		}
		if now := statusOf(t) == lifecycle.Paused; now != paused {
			paused = now
			if paused {
				a.note("%s is paused; waiting for it to be resumed", t.Name)
			}
		}
		return false, nil
	})
}

// hasReached says whether the task is where it is waited for; an error when it
// cannot come there any more without somebody's help.
func hasReached(t *api.Task, what string) (bool, error) {
	s := statusOf(t)
	switch what {
	case forFailed:
		if s.Ended() {
			return false, fault.EndedBefore.New("task "+t.Name, "it is %s", s.Label())
		}
		return s.Failed(), nil
	case forCompleted:
		if s.Ended() {
			return true, nil
		}
	case forFullComplete:
		if fullComplete(t) {
			return true, nil
		}
		if s.Ended() {
			return false, fault.EndedBefore.New("task "+t.Name, "it ended before the full copy was complete")
		}
	}
	if s.Failed() {
		return false, failureOf(t)
	}
	return false, nil
}

// fullComplete trusts phase and status; a percentage alone may be 100 before
// the last chunk's end is known.
func fullComplete(t *api.Task) bool {
	switch lifecycle.Phase(t.Phase) {
	case lifecycle.PhaseIncremental:
		return true
	case lifecycle.PhaseStop, lifecycle.PhaseDone:
		return value(t.Full.Percent) == 100
	default:
		return statusOf(t) == lifecycle.FullComplete
	}
}

// awaitSynced notes the source's position and waits until the destination has it.
func (a *app) awaitSynced(ctx context.Context, c *api.ClientWithResponses, id string) error {
	// Until the plan is made the task does not follow the source yet.
	err := a.follow(ctx, c, id, func(t *api.Task, _ []byte) (bool, error) { return statusOf(t) != lifecycle.Starting, nil })
	if err != nil {
		return err
	}
	p := patience{a: a}
	point, body, err := a.syncPoint(ctx, c, id, &p)
	if err != nil {
		return err
	}
	a.note("sync point %d at %s", point.Number, place(&point.Position))
	for !point.Reached {
		if err := pause(ctx, a.poll/4); err != nil {
			return err
		}
		r, err := answered(c.GetSyncPointWithResponse(ctx, id, point.Number))
		if err == nil {
			point, body = r.JSON200, r.Body
		}
		if point.Reached {
			break
		}
		if stuck := a.stuck(ctx, c, id); stuck != nil {
			return stuck
		}
		if err := p.bear(err); err != nil {
			return err
		}
	}
	if a.json() {
		return a.printJSON(body)
	}
	return a.say("%s: synced to %s", id, place(&point.Position))
}

// stuck says why a task that runs no more will not reach its sync point.
func (a *app) stuck(ctx context.Context, c *api.ClientWithResponses, id string) error {
	t, _, err := getTask(ctx, c, id)
	switch {
	case err != nil:
		return nil // whether to bear it is decided by the question itself
	case statusOf(t).Failed():
		return failureOf(t)
	case statusOf(t).Ended():
		return fault.EndedBefore.New("task "+id, "it ended before the sync point was seen to be reached")
	}
	for _, g := range value(t.Groups) {
		if g.State == api.Parked {
			return fault.GroupsOpen.New("task "+t.Name, "not synced: %s", strings.Join(namesOf(g), ", "))
		}
	}
	return nil
}

// apart names the tables that stand apart, without those that were dropped: what
// is said of the task's apply does not hold for them.
func apart(t *api.Task) []string {
	var out []string
	for _, g := range value(t.Groups) {
		if g.State != api.Dropped {
			out = append(out, namesOf(g)...)
		}
	}
	return out
}

func namesOf(g api.TableGroup) []string {
	out := make([]string, 0, len(g.Tables))
	for _, n := range g.Tables {
		out = append(out, n.Schema+"."+n.Table)
	}
	return out
}

// syncPoint makes a sync point. One made later is as good: it covers more.
func (a *app) syncPoint(ctx context.Context, c *api.ClientWithResponses, id string, p *patience) (*api.SyncPoint, []byte, error) {
	for {
		r, err := answered(c.CreateSyncPointWithResponse(ctx, id))
		if err == nil {
			return r.JSON201, r.Body, p.bear(nil)
		}
		if err := p.bear(err); err != nil {
			return nil, nil, err
		}
		if err := pause(ctx, a.poll); err != nil {
			return nil, nil, err
		}
	}
}
