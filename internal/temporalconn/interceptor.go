package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// Redactor takes passwords, users and hosts out of a text.
type Redactor interface{ Redact(text string) string }

// NewInterceptor returns the interceptor of a worker. What an activity returns
// becomes, outermost, one of: nil; a CanceledError when the workflow asked for
// the end; an ApplicationError of type contract.ErrorDraining when this worker
// stops, which is repeated at once elsewhere; an ApplicationError whose type is
// the fault's code, with a contract.ErrorInfo as its detail, retryable for
// fault.Retry only. redactor may be nil.
func NewInterceptor(redactor Redactor) interceptor.WorkerInterceptor {
	return &workerInterceptor{redactor: redactor}
}

type workerInterceptor struct {
	interceptor.WorkerInterceptorBase
	redactor Redactor
}

// InterceptActivity wraps every activity of the worker.
func (w *workerInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &activityInterceptor{redactor: w.redactor}
	i.Next = next
	return i
}

type activityInterceptor struct {
	interceptor.ActivityInboundInterceptorBase
	redactor Redactor
}

// ExecuteActivity runs the activity and turns its error into Temporal's.
func (a *activityInterceptor) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, panicked(ctx, p)
		}
		err = a.convert(ctx, err)
	}()
	return a.Next.ExecuteActivity(ctx, in)
}

// panicked logs the stack, which would be lost; a panic's text may hold
// anything, so only that of the runtime is passed on.
func panicked(ctx context.Context, p any) error {
	text := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		text = e.Error()
	}
	activity.GetLogger(ctx).Error("activity panicked", "panic", text, "stack", string(debug.Stack()))
	return fault.Panicked.New(activity.GetInfo(ctx).ActivityType.Name, "%s", text)
}

func (a *activityInterceptor) convert(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, activity.ErrResultPending) {
		return err
	}
	// A step that was told to end fails in many ways (a cut connection, a
	// cancelled query); only a fault that somebody must know of outlives that.
	told := errors.Is(err, context.Canceled) || fault.ClassOf(err) == fault.Retry
	switch reason := endReason(ctx); {
	case reason == endCancelled && told:
		if last, ok := err.(*temporal.CanceledError); ok && last.HasDetails() { //nolint:errorlint // what a step tells at its end is outermost
			return last
		}
		return temporal.NewCanceledError()
	case reason == endDraining && told:
		return temporal.NewApplicationErrorWithOptions("the worker stops; another one goes on", contract.ErrorDraining,
			temporal.ApplicationErrorOptions{NextRetryDelay: 100 * time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign})
	case reason == endPaused && told:
		return temporal.NewApplicationErrorWithOptions("paused in Temporal", "ActivityPaused",
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	failure := newFailure(err, a.redact)
	failure.info.Attempt = int(activity.GetInfo(ctx).Attempt)
	failure.info.At = time.Now().UTC()
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"code": failure.info.Code, "class": failure.info.Class}).
		Counter("shardlift_activity_errors").Inc(1)
	return failure.applicationError()
}

func (a *activityInterceptor) redact(text string) string {
	if a.redactor == nil {
		return text
	}
	return a.redactor.Redact(text)
}

// Why an activity was told to end.
type end int

const (
	endNone      end = iota
	endCancelled     // by the workflow
	endDraining      // this worker stops
	endPaused        // an operator paused or reset it in Temporal
)

func endReason(ctx context.Context) end {
	cause := context.Cause(ctx)
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(cause, &cancelled):
		return endCancelled
	case errors.Is(cause, activity.ErrActivityPaused), errors.Is(cause, activity.ErrActivityReset):
		return endPaused
	}
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return endDraining
	default:
		return endNone
	}
}
