package activities

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
	"shardlift/internal/testtemporal"
)

// TestStep_LiveNumbersAreFresh runs a live step on a worker as ours are, whose
// heartbeats would go out every hour: what it shows is fresh, and the history does
// not grow by it.
func TestStep_LiveNumbersAreFresh(t *testing.T) {
	c := testtemporal.Get(t).Client(t)
	queue := uuid.NewString()
	w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: time.Second, MaxHeartbeatThrottleInterval: time.Hour})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: 10 * time.Hour, HeartbeatTimeout: 2 * time.Hour, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		})
		return workflow.ExecuteActivity(ctx, "work").Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "live"})
	enough := make(chan struct{})
	w.RegisterActivityWithOptions(func(ctx context.Context) error {
		work, s := begin(ctx)
		s.live(c)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			s.beat(contract.WatchBeat{At: time.Now()}, time.Now(), false)
			select {
			case <-work.Done():
				return s.end(context.Cause(work))
			case <-enough:
				return s.end(nil)
			case <-tick.C:
			}
		}
	}, activity.RegisterOptions{Name: "work"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "live")
	require.NoError(t, err)
	shown := func() (at time.Time, events int64) {
		d, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		require.NoError(t, err)
		var beat contract.WatchBeat
		for _, p := range d.GetPendingActivities() {
			if details := p.GetHeartbeatDetails(); details != nil {
				require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(details, &beat))
			}
		}
		return beat.At, d.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	require.Eventually(t, func() bool { at, _ := shown(); return !at.IsZero() }, time.Minute, 50*time.Millisecond)
	_, before := shown()
	seen := map[time.Time]bool{}
	for len(seen) < 3 {
		at, _ := shown()
		require.Less(t, time.Since(at), time.Minute)
		seen[at] = true
	}
	_, after := shown()
	require.Equal(t, before, after, "heartbeats are no events")
	close(enough)
	require.NoError(t, run.Get(t.Context(), nil))
}

func TestTurn_EndsWhenOthersWait(t *testing.T) {
	for _, crowded := range []bool{true, false} {
		err := play(t, activityEnvironment(), func(ctx context.Context) error {
			work, s := begin(ctx)
			looks := 0
			began := time.Now()
			turn := newTurn(work, s, 100*time.Millisecond, 20*time.Millisecond, func(context.Context) bool {
				looks++
				return crowded && looks == 3
			})
			limit := time.NewTimer(400 * time.Millisecond)
			if crowded {
				limit.Reset(time.Minute)
			}
			defer limit.Stop()
			select {
			case <-turn.drain:
				require.True(t, crowded)
				require.True(t, turn.over.Load())
				require.Equal(t, 3, looks)
				require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
			case <-limit.C:
				require.False(t, crowded)
			}
			return s.end(nil)
		})
		require.NoError(t, err)
	}
}

// TestTurn_SeesABacklog has three activities on a worker with one slot.
func TestTurn_SeesABacklog(t *testing.T) {
	c, a := startStandIns(t)
	queue := uuid.NewString()
	w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, Priority: temporal.Priority{FairnessKey: "t1"}})
		var all []workflow.Future
		for range 3 {
			all = append(all, workflow.ExecuteActivity(ctx, "wait"))
		}
		for _, f := range all {
			if err := f.Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	}, workflow.RegisterOptions{Name: "three"})
	free := make(chan struct{})
	w.RegisterActivityWithOptions(func(ctx context.Context) error {
		select {
		case <-free:
		case <-ctx.Done():
		}
		return nil
	}, activity.RegisterOptions{Name: "wait"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	require.False(t, a.backlog(t.Context(), queue, 0))
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "three")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return a.backlog(t.Context(), queue, time.Second) }, time.Minute, 100*time.Millisecond)
	require.False(t, a.backlog(t.Context(), queue, time.Hour), "its age counts")
	close(free)
	require.NoError(t, run.Get(t.Context(), nil))
}

// TestCleanUp_SaysWhatRemainsWhereTheDestinationIsAway deletes a task whose
// destination nobody listens for.
func TestCleanUp_SaysWhatRemainsWhereTheDestinationIsAway(t *testing.T) {
	c, a := startStandIns(t)
	id := uuid.NewString()
	away := task.Endpoint{Host: "127.0.0.1", Port: 1, User: "canary-user", Password: "canary-password", TLS: task.TLS{Mode: "disabled"}}
	f := task.File{Name: "shop", Type: task.Full, Source: away, Destination: away, Objects: selection.Selection{{Schema: "Shop", To: "shop", Tables: []string{"*"}}}}
	f.Destination.Kind, f.Destination.MetadataSchema = "mysql", "meta"
	f.SetDefaults()
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	spec, err := f.Seal(id, ring.Public(), ring.Public())
	require.NoError(t, err)
	a.tasks = newResolver(func(context.Context, string) (contract.Endpoints, error) {
		return contract.Endpoints{Revision: 1, Spec: spec}, nil
	}, ring, a.redactor)
	queue := uuid.NewString()
	w := worker.New(c, queue, worker.Options{DisableRegistrationAliasing: true})
	w.RegisterActivityWithOptions(a.CleanUp, activity.RegisterOptions{Name: contract.CleanUp.Name})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) (out contract.CleanUpOut, err error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Minute, HeartbeatTimeout: 30 * time.Second,
			RetryPolicy: &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond, BackoffCoefficient: 1, MaximumAttempts: cleanUpAttempts},
		})
		err = workflow.ExecuteActivity(ctx, contract.CleanUp.Name, contract.TaskRef{TaskID: id}).Get(ctx, &out)
		return out, err
	}, workflow.RegisterOptions{Name: "deletion"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "deletion")
	require.NoError(t, err)
	var out contract.CleanUpOut
	require.NoError(t, run.Get(t.Context(), &out))
	require.Equal(t, checkpoint.Remains("meta", []string{"shop"}), out.Remaining)
	require.Contains(t, out.Remaining, "`meta`.`shardlift_checkpoint`")
	require.Contains(t, out.Remaining, "`shop`.`shardlift_fence`")
	require.Len(t, out.Warnings, 3)
	require.Contains(t, out.Warnings[0], fault.ServerUnreachable.Code)
	require.NotContains(t, out.Warnings[0], "canary")
	require.Contains(t, out.Warnings[1], "DROP TABLE IF EXISTS `meta`.`shardlift_meta`")
	require.Contains(t, out.Warnings[2], id)
}

// TestWatch_TakesTheLastNumbersAlong is what a task shows while nobody watches.
func TestWatch_TakesTheLastNumbersAlong(t *testing.T) {
	r := newRig(t)
	r.plan()
	head := must(r, r.ReadHead, r.ref)
	d, s, err := openStore(t.Context(), r.resolve(), 1)
	require.NoError(t, err)
	defer d.Close()
	src, err := openSource(t.Context(), r.resolve(), 1)
	require.NoError(t, err)
	defer src.Close()
	var told []contract.TaskAlarm
	w := &watcher{t: r.resolve(), store: s, src: src, start: head.Position, tell: func(_ context.Context, id string, a contract.TaskAlarm) error {
		require.Equal(t, r.ref.TaskID, id)
		told = append(told, a)
		return nil
	}}
	_, err = w.look(t.Context())
	require.NoError(t, err)
	out := w.lastLook(t.Context())
	require.Equal(t, 1, out.Progress.Tables)
	require.Equal(t, int64(2), out.Progress.RowsEstimated)
	require.NotNil(t, out.PurgeAt, "from now on everything that is written is needed")
	require.Greater(t, time.Until(*out.PurgeAt), time.Hour)
	require.Empty(t, told)

	// Work begun long ago that is not applied: the source may purge it any time.
	r.exec("INSERT INTO orders VALUES (3, 3)")
	kept, err := src.Retention(t.Context())
	require.NoError(t, err)
	w.looked, w.began = time.Time{}, time.Now().Add(-kept.For+time.Hour)
	beat, err := w.look(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, beat.Warnings)
	require.Len(t, told, 1)
	require.True(t, told[0].Active)
	require.Equal(t, contract.AlarmPurge, told[0].Kind)
	w.looked = time.Time{}
	_, err = w.look(t.Context())
	require.NoError(t, err)
	require.Len(t, told, 1, "told once")
	w.looked, w.began = time.Time{}, time.Now()
	_, err = w.look(t.Context())
	require.NoError(t, err)
	require.Len(t, told, 2)
	require.False(t, told[1].Active)
}
