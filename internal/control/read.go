package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// Details is all that a task's page shows.
type Details struct {
	TaskID string
	RunID  string
	// View is the workflow's own state; nil when no worker answered, then Memory stands in.
	View   *contract.View
	Memory contract.MemoryView
	Name   string
	// Created is when the task was created.
	Created time.Time
	// Ended says that the workflow runs no more, though View may show otherwise:
	// somebody terminated it in Temporal.
	Ended bool
	Copy  []contract.CopyBeat
	Apply *contract.ApplyBeat
	Watch *contract.WatchBeat
	// Pending is the activity in trouble: retried, or not taken by any worker.
	Pending *PendingStep
	// Alive says that a worker showed a sign of life of this task within the last minute.
	Alive bool
}

// PendingStep is an activity that does not run right now.
type PendingStep struct {
	Activity    string
	Attempt     int32
	Failure     *contract.ErrorInfo
	NextRetryAt *time.Time
	// WaitingSince is set while no worker has taken it, or its worker is silent.
	WaitingSince *time.Time
}

// Task reads a task: its state by query, live numbers from the heartbeats of
// its and its copy's pending activities.
func (s *Service) Task(ctx context.Context, taskID string) (Details, error) {
	d := Details{TaskID: taskID}
	var main, copying *workflowpb.WorkflowExecutionInfo
	var pending []*workflowpb.PendingActivityInfo
	var copyPending []*workflowpb.PendingActivityInfo
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		out, err := s.Temporal.DescribeWorkflowExecution(gctx, contract.MigrationID(taskID), "")
		if err != nil {
			return unavailable(err, "task "+taskID)
		}
		main, pending = out.GetWorkflowExecutionInfo(), out.GetPendingActivities()
		return nil
	})
	g.Go(func() error {
		out, err := s.Temporal.DescribeWorkflowExecution(gctx, contract.CopyID(taskID), "")
		if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
			return nil // no copy yet
		}
		if err != nil {
			return unavailable(err, "task "+taskID)
		}
		copying, copyPending = out.GetWorkflowExecutionInfo(), out.GetPendingActivities()
		return nil
	})
	g.Go(func() error {
		view, err := s.view(gctx, taskID)
		d.View = view
		return err
	})
	if err := g.Wait(); err != nil {
		return Details{}, err
	}
	d.RunID = main.GetExecution().GetRunId()
	d.Created = created(main)
	d.Ended = main.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	_ = decode(main.GetMemo().GetFields()[contract.MemoView], &d.Memory) // the query has more
	_ = decode(main.GetSearchAttributes().GetIndexedFields()[contract.AttributeName], &d.Name)
	if copying.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		pending = append(pending, copyPending...)
	}
	for _, p := range append(pending, s.groupCopies(ctx, d)...) {
		d.activity(p)
	}
	return d, nil
}

// groupCopies returns the pending activities of copies beside the task's own;
// there is one at most, and nobody needs it to show the rest.
func (s *Service) groupCopies(ctx context.Context, d Details) []*workflowpb.PendingActivityInfo {
	if d.View == nil {
		return nil
	}
	var out []*workflowpb.PendingActivityInfo
	for _, g := range d.View.Groups {
		if g.State != contract.GroupCopying {
			continue
		}
		c, err := s.Temporal.DescribeWorkflowExecution(ctx, contract.CopyGroupID(d.TaskID, g.No), "")
		if err == nil && c.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			out = append(out, c.GetPendingActivities()...)
		}
	}
	return out
}

// view asks the workflow; nil without an error when no worker answers.
func (s *Service) view(ctx context.Context, taskID string) (*contract.View, error) {
	var view contract.View
	if err := s.query(ctx, contract.MigrationID(taskID), contract.QueryView, &view); err != nil {
		if errors.Is(err, fault.NoWorker) {
			return nil, nil
		}
		return nil, err
	}
	return &view, nil
}

// Precheck reads the items of the last pre-check.
func (s *Service) Precheck(ctx context.Context, taskID string) (contract.PrecheckReport, error) {
	var report contract.PrecheckReport
	err := s.query(ctx, contract.MigrationID(taskID), contract.QueryPrecheck, &report)
	return report, err
}

// View reads the workflow's own state, or says that no worker answers.
func (s *Service) View(ctx context.Context, taskID string) (contract.View, error) {
	var view contract.View
	err := s.query(ctx, contract.MigrationID(taskID), contract.QueryView, &view)
	return view, err
}

func (s *Service) query(ctx context.Context, workflowID, query string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, s.workerTime())
	defer cancel()
	answer, err := s.Temporal.QueryWorkflow(ctx, workflowID, "", query)
	var missing *serviceerror.NotFound
	var failed *serviceerror.QueryFailed
	var notReady *serviceerror.WorkflowNotReady
	var noPoller *serviceerror.FailedPrecondition
	switch {
	case err == nil:
		if err := answer.Get(into); err != nil {
			return fault.Internal.Wrap(err, query)
		}
		return nil
	case errors.As(err, &missing):
		return fault.UnknownTask.New(workflowID, "")
	case errors.As(err, &failed):
		return fault.Internal.Wrap(err, query)
	case errors.As(err, &notReady), errors.As(err, &noPoller), ctx.Err() != nil, isDeadline(err):
		return fault.NoWorker.Wrap(err, "queue "+contract.QueueControl)
	default:
		return fault.TemporalUnavailable.Wrap(err, query)
	}
}

func isDeadline(err error) bool {
	var deadline *serviceerror.DeadlineExceeded
	return errors.As(err, &deadline) || errors.Is(err, context.DeadlineExceeded)
}

// activity takes what one pending activity tells.
func (d *Details) activity(p *workflowpb.PendingActivityInfo) {
	details := p.GetHeartbeatDetails().GetPayloads()
	if len(details) > 0 {
		d.beat(p.GetActivityType().GetName(), details[0])
	}
	step := PendingStep{Activity: p.GetActivityType().GetName(), Attempt: p.GetAttempt()}
	if f := p.GetLastFailure(); f != nil {
		step.Failure = failure(f, int(p.GetAttempt()))
	}
	if p.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
		last := signOfLife(p)
		silent := time.Since(last)
		if silent < lifeless && time.Since(p.GetLastStartedTime().AsTime()) >= lifeless {
			step.Failure = nil // this attempt works, the one before is history
		}
		d.Alive = d.Alive || silent < lifeless
		if p.GetLastHeartbeatTime() != nil && silent >= lifeless {
			step.WaitingSince = &last
		}
	} else {
		at := p.GetScheduledTime().AsTime()
		if last := signOfLife(p); step.Failure != nil && step.Failure.Code == fault.NoWorker.Code && !last.IsZero() {
			at = last // the worker was gone long before its timeout was
		}
		if next := p.GetNextAttemptScheduleTime(); next != nil && next.AsTime().After(time.Now()) {
			t := next.AsTime()
			step.NextRetryAt = &t
		} else {
			step.WaitingSince = &at
		}
	}
	if step.Failure == nil && step.WaitingSince == nil && step.NextRetryAt == nil {
		return
	}
	if d.Pending == nil || d.Pending.Attempt < step.Attempt {
		d.Pending = &step
	}
}

// lifeless is how long a worker may be silent before it counts as gone; living
// ones send a heartbeat every 10 s.
const lifeless = time.Minute

// signOfLife is when a worker was last heard of an activity.
func signOfLife(p *workflowpb.PendingActivityInfo) time.Time {
	var last time.Time
	for _, at := range []*timestamppb.Timestamp{p.GetLastStartedTime(), p.GetLastHeartbeatTime()} {
		if at != nil && at.AsTime().After(last) {
			last = at.AsTime()
		}
	}
	return last
}

func (d *Details) beat(activity string, p *commonpb.Payload) {
	switch activity {
	case contract.CopyLane.Name:
		var b contract.CopyBeat
		if decode(p, &b) == nil {
			d.Copy = append(d.Copy, b)
		}
	case contract.ApplyBinlog.Name:
		var b contract.ApplyBeat
		if decode(p, &b) == nil && b.Group == 0 { // tables that stand apart have a position of their own
			d.Apply = &b
		}
	case contract.WatchSource.Name:
		var b contract.WatchBeat
		if decode(p, &b) == nil {
			d.Watch = &b
		}
	}
}

// failure reads what the activity interceptor put into an application error.
func failure(f *failurepb.Failure, attempt int) *contract.ErrorInfo {
	info := &contract.ErrorInfo{Code: f.GetApplicationFailureInfo().GetType(), Class: string(fault.Retry), Message: f.GetMessage(), Attempt: attempt}
	if payloads := f.GetApplicationFailureInfo().GetDetails().GetPayloads(); len(payloads) > 0 {
		_ = decode(payloads[0], info) // without details type and message stand
	}
	if info.Code == "" {
		info.Code = fault.StepFailed.Code
		if f.GetTimeoutFailureInfo() != nil {
			info.Code, info.Message = fault.NoWorker.Code, "the worker was lost: its heartbeats stopped"
		}
	}
	info.Attempt = attempt
	return info
}

func execution(id string) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: id}
}

// Pollers counts the workers that poll a queue for activities or workflows.
func (s *Service) Pollers(ctx context.Context, queue string, kind enumspb.TaskQueueType) (int, error) {
	out, err := s.Temporal.DescribeTaskQueue(ctx, queue, kind)
	if err != nil {
		return 0, fault.TemporalUnavailable.Wrap(fmt.Errorf("describe queue: %w", err), "queue "+queue)
	}
	live := 0
	for _, p := range out.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < 2*time.Minute {
			live++
		}
	}
	return live, nil
}
