package activities

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

func activityEnvironment() *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return suite.NewTestActivityEnvironment()
}

// play runs f as an activity and returns its error as the activity's caller sees it.
func play(t *testing.T, env *testsuite.TestActivityEnvironment, f func(context.Context) error) error {
	t.Helper()
	env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: t.Name()})
	_, err := env.ExecuteActivity(t.Name())
	return err
}

func TestStep_WithoutProgressIsStalled(t *testing.T) {
	for name, excused := range map[string]bool{"hung": false, "caught up": true} {
		t.Run(name, func(t *testing.T) {
			try := func(ctx context.Context) error {
				work, s := beginWith(ctx, time.Second, time.Second, 50*time.Millisecond)
				enough := time.NewTimer(2500 * time.Millisecond)
				defer enough.Stop()
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-tick.C: // the ticker alone is no progress
						s.beat(contract.CopyBeat{Rows: 7}, int64(7), excused)
					case <-work.Done():
						return s.end(errors.New("query was cancelled"))
					case <-enough.C:
						return s.end(nil)
					}
				}
			}
			err := play(t, activityEnvironment(), try)
			if excused {
				for range 2 { // a machine that stands still makes nothing known either
					if err != nil {
						err = play(t, activityEnvironment(), try)
					}
				}
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, fault.Stalled.Code)
			}
		})
	}
}

func TestStep_WorkerStopDrains(t *testing.T) {
	env := activityEnvironment()
	stop := make(chan struct{})
	env.SetWorkerStopChannel(stop)
	err := play(t, env, func(ctx context.Context) error {
		work, s := begin(ctx)
		close(stop)
		select {
		case <-s.drain:
		case <-time.After(time.Minute):
			t.Error("drain was not closed")
		}
		if work.Err() != nil {
			t.Error("the work was cancelled with the drain")
		}
		return s.end(nil)
	})
	require.NoError(t, err)
}
