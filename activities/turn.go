package activities

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
)

const (
	// turnTime is how long an apply keeps its slot though others wait for one.
	turnTime = time.Hour
	// turnEvery is how often it looks whether they do.
	turnEvery = time.Minute
	// waitingFor is the age of a backlog that counts: a younger one is just being handed out.
	waitingFor = 10 * time.Second
)

// turn ends a box early when its queue has a backlog, so that tasks share the
// slots of too few workers instead of keeping them for the whole box.
type turn struct {
	drain chan struct{} // closed when the step drains, or the turn is over
	over  atomic.Bool
}

// takeTurn begins the turn of a step.
func (a *Activities) takeTurn(ctx context.Context, step *step) *turn {
	queue := activity.GetInfo(step.parent).TaskQueue
	return newTurn(ctx, step, turnTime, turnEvery, func(ctx context.Context) bool { return a.backlog(ctx, queue, waitingFor) })
}

func newTurn(ctx context.Context, step *step, least, every time.Duration, crowded func(context.Context) bool) *turn {
	t := &turn{drain: make(chan struct{})}
	step.done.Go(func() {
		timer := time.NewTimer(least)
		defer timer.Stop()
		for {
			select {
			case <-step.ended:
				return
			case <-step.drain:
				close(t.drain)
				return
			case <-timer.C:
			}
			if crowded(ctx) {
				t.over.Store(true)
				close(t.drain)
				return
			}
			timer.Reset(every)
		}
	})
	return t
}

// backlog says whether activities have waited so long in a queue; false when
// Temporal does not tell.
func (a *Activities) backlog(ctx context.Context, queue string, age time.Duration) bool {
	if a.temporal == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	d, err := a.temporal.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: a.namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue},
		TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
	})
	if err != nil {
		return false
	}
	return d.GetStats().GetApproximateBacklogCount() > 0 && d.GetStats().GetApproximateBacklogAge().AsDuration() >= age
}
