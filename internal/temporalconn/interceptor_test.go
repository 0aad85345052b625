package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/secret"
)

var (
	retryFault    = fault.Definition{Code: "SL-0001", Class: fault.Retry, Message: "connection lost", Remedy: "nothing"}
	operatorFault = fault.Definition{Code: "SL-0002", Class: fault.Operator, Message: "statement not supported", Remedy: "change the destination"}
	fatalFault    = fault.Definition{Code: "SL-0003", Class: fault.Fatal, Message: "binlog purged", Remedy: "reset the task"}
)

// told is an interceptor that cancels the activity's context with a cause.
type told struct {
	interceptor.WorkerInterceptorBase
	cause error
}

func (c *told) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &toldActivity{cause: c.cause}
	i.Next = next
	return i
}

type toldActivity struct {
	interceptor.ActivityInboundInterceptorBase
	cause error
}

func (c *toldActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(c.cause)
	return c.Next.ExecuteActivity(ctx, in)
}

// returned runs an activity that fails with err through the interceptor and
// gives what Temporal would be told.
func returned(t *testing.T, err error, redactor Redactor, before ...interceptor.WorkerInterceptor) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(quiet()))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: append(before, NewInterceptor(redactor))})
	step := func(context.Context) error { return err }
	env.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: "Step"})
	_, got := env.ExecuteActivity("Step")
	return got
}

func application(t *testing.T, err error) (*temporal.ApplicationError, contract.ErrorInfo) {
	t.Helper()
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(t, ok, "%T: %v", err, err)
	var info contract.ErrorInfo
	require.NoError(t, app.Details(&info))
	return app, info
}

func TestInterceptor_ClassDecidesAboutRetries(t *testing.T) {
	for _, c := range []struct {
		name      string
		err       error
		code      string
		retryable bool
	}{
		{"retry", retryFault.New("shop.orders", ""), "SL-0001", true},
		{"operator", operatorFault.New("shop.orders", ""), "SL-0002", false},
		{"fatal", fatalFault.New("", ""), "SL-0003", false},
		{"wrapped", fmt.Errorf("apply window: %w", fmt.Errorf("deeper: %w", fatalFault.New("", ""))), "SL-0003", false},
		{"joined", errors.Join(errors.New("close"), operatorFault.New("", "")), "SL-0002", false},
		{"fault around a retryable one", operatorFault.Wrap(retryFault.New("", ""), "x"), "SL-0002", false},
		{"unknown", errors.New("broken pipe"), fault.StepFailed.Code, true},
		{"wrapped application error", fmt.Errorf("x: %w", temporal.NewNonRetryableApplicationError("y", "z", nil)), fault.StepFailed.Code, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, info := application(t, returned(t, c.err, nil))
			require.Equal(t, c.code, app.Type())
			require.Equal(t, c.code, info.Code)
			require.Equal(t, c.retryable, !app.NonRetryable())
		})
	}
}

func TestInterceptor_DetailIsReadyToShow(t *testing.T) {
	err := fmt.Errorf("copy chunk 7: %w", retryFault.Wrap(errors.New("i/o timeout"), "shop.orders"))
	app, info := application(t, returned(t, err, nil))
	require.Equal(t, "copy chunk 7: SL-0001: shop.orders: connection lost: i/o timeout", app.Message())
	require.False(t, info.At.IsZero())
	info.At = info.At.Truncate(0)
	require.Equal(t, contract.ErrorInfo{
		Code: "SL-0001", Class: "retry", Object: "shop.orders", Message: "connection lost: i/o timeout", Remedy: "nothing", Attempt: 1, At: info.At,
	}, info)
}

func TestInterceptor_TakesSecretsOut(t *testing.T) {
	var r secret.Redactor
	r.Add("canary-password", "<password>")
	r.Add("db.internal", "<host>")
	err := operatorFault.Wrap(errors.New("dial db.internal:3306 with canary-password"), "db.internal").WithRemedy("GRANT … IDENTIFIED BY 'canary-password'")
	app, info := application(t, returned(t, err, &r))
	for _, text := range []string{app.Error(), app.Message(), info.Object, info.Message, info.Remedy} {
		require.NotContains(t, text, "canary")
		require.NotContains(t, text, "db.internal")
	}
	require.Contains(t, info.Message, "dial <host>:3306")
	require.NoError(t, errors.Unwrap(app), "a cause would bring back what was taken out")
}

func TestInterceptor_FailureStaysBelowWhatTheServerKeeps(t *testing.T) {
	for _, long := range []string{strings.Repeat("ä", 5000), strings.Repeat("<\"\n", 5000), strings.Repeat("\xff-", 5000)} {
		err := retryFault.Wrap(errors.New(long), long).WithRemedy("%s", long)
		failure := newFailure(err, func(s string) string { return s })
		require.LessOrEqual(t, len(failure.text), 2000)
		require.True(t, strings.HasSuffix(failure.text, " …"))
		sent := failure.applicationError()
		require.Less(t, proto.Size(temporal.GetDefaultFailureConverter().ErrorToFailure(sent)), 4096)
		_, info := application(t, sent)
		require.Equal(t, "SL-0001", info.Code)
		require.NotEmpty(t, info.Remedy)
	}
}

func TestInterceptor_CancelledByTheWorkflow(t *testing.T) {
	cancelled := &told{cause: temporal.NewCanceledError()}
	for _, err := range []error{context.Canceled, fmt.Errorf("read: %w", context.Canceled), errors.New("invalid connection"), retryFault.New("", "")} {
		got := returned(t, err, nil, cancelled)
		_, ok := errors.AsType[*temporal.CanceledError](got)
		require.True(t, ok, "%v became %T %v", err, got, got)
	}
	app, _ := application(t, returned(t, fatalFault.New("", ""), nil, cancelled))
	require.Equal(t, "SL-0003", app.Type(), "what somebody must know is not hidden by the cancellation")
}

func TestInterceptor_PausedInTemporal(t *testing.T) {
	app, ok := errors.AsType[*temporal.ApplicationError](returned(t, context.Canceled, nil, &told{cause: activity.ErrActivityPaused}))
	require.True(t, ok)
	require.Equal(t, "ActivityPaused", app.Type())
	require.False(t, app.NonRetryable())
}

func TestInterceptor_WorkerStopsHandsOver(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(quiet()))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{NewInterceptor(nil)}})
	stop := make(chan struct{})
	close(stop)
	env.SetWorkerStopChannel(stop)
	env.RegisterActivityWithOptions(func(context.Context) error { return context.Canceled }, activity.RegisterOptions{Name: "Step"})
	_, err := env.ExecuteActivity("Step")
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(t, ok)
	require.Equal(t, contract.ErrorDraining, app.Type())
	require.False(t, app.NonRetryable())
	require.Positive(t, app.NextRetryDelay())
}

func TestInterceptor_PanicIsRepeatedAndSaysNothingSecret(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(quiet()))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{NewInterceptor(nil)}})
	env.RegisterActivityWithOptions(func(context.Context) error { panic("row value canary") }, activity.RegisterOptions{Name: "Step"})
	_, err := env.ExecuteActivity("Step")
	app, info := application(t, err)
	require.Equal(t, fault.Panicked.Code, info.Code)
	require.False(t, app.NonRetryable())
	require.NotContains(t, err.Error(), "canary")
}

// ddlError knows its position.
type ddlError struct {
	error
	at position.Position
}

func (d ddlError) SourcePosition() position.Position { return d.at }
func (d ddlError) Unwrap() error                     { return d.error }

func TestInterceptor_KeepsThePositionOfWhatStoppedTheTask(t *testing.T) {
	at := position.Position{File: "bin.000003", Offset: 1234}
	_, info := application(t, returned(t, fmt.Errorf("apply: %w", ddlError{operatorFault.New("shop.orders", ""), at}), nil))
	require.NotNil(t, info.Position)
	require.Equal(t, "bin.000003", info.Position.File)
	require.EqualValues(t, 1234, info.Position.Offset)
}
