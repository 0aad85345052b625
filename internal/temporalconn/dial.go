package temporalconn

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"shardlift/internal/fault"
)

// attemptTime bounds one call to a server that may be away.
const attemptTime = 10 * time.Second

// Dial connects and waits, with a growing pause of at most 10 s, until the
// server answers and the namespace exists, or ctx ends. Each new reason is
// logged once. It gives up at once when the server refuses this client.
func Dial(ctx context.Context, o client.Options, logger *slog.Logger) (client.Client, error) {
	var reason string
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		c, err := dialOnce(ctx, o)
		if err == nil {
			return c, nil
		}
		if errors.Is(err, fault.TemporalRefused) {
			return nil, err
		}
		if err.Error() != reason {
			reason = err.Error()
			logger.Warn("waiting for Temporal", "address", o.HostPort, "namespace", o.Namespace, "reason", reason, "remedy", remedy(err))
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

func dialOnce(ctx context.Context, o client.Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, explain(err, o.HostPort)
	}
	if err := Ready(ctx, c, o.Namespace); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Lazy returns a client that connects at its first use.
func Lazy(o client.Options) (client.Client, error) {
	c, err := client.NewLazyClient(o)
	if err != nil {
		return nil, fault.TemporalSettings.Wrap(err, o.HostPort)
	}
	return c, nil
}

// Ready says why the namespace cannot be used now; nil means it can.
func Ready(ctx context.Context, c client.Client, namespace string) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	var denied *serviceerror.PermissionDenied
	if err == nil || errors.As(err, &denied) { // an account may work in a namespace that it may not describe
		return nil
	}
	return explain(err, namespace)
}

// explain makes a fault of what the server or the connection answered.
func explain(err error, object string) error {
	var (
		missing  *serviceerror.NamespaceNotFound
		notFound *serviceerror.NotFound
		denied   *serviceerror.PermissionDenied
	)
	switch {
	case errors.As(err, &missing), errors.As(err, &notFound):
		return fault.NamespaceMissing.New(object, "").WithRemedy("temporal operator namespace create --namespace %s --retention 365d", object)
	case errors.As(err, &denied), isUnauthenticated(err):
		return fault.TemporalRefused.Wrap(err, object)
	default:
		return fault.TemporalUnavailable.Wrap(err, object)
	}
}

func remedy(err error) string {
	if f, ok := fault.As(err); ok {
		return f.Remedy
	}
	return ""
}
