package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// attributes are the search attributes of tasks. Without them no task starts.
func attributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		contract.AttributeStatus:    enums.INDEXED_VALUE_TYPE_KEYWORD,
		contract.AttributeName:      enums.INDEXED_VALUE_TYPE_KEYWORD,
		contract.AttributeTags:      enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		contract.AttributeAttention: enums.INDEXED_VALUE_TYPE_KEYWORD,
	}
}

// attributeWait is how long a new attribute may take until it is usable
// (measured: about 2 s).
const attributeWait = 30 * time.Second

// EnsureAttributes creates the search attributes that the namespace lacks and
// returns when all of them are usable. Where this client may not create them it
// returns fault.AttributesMissing, whose remedy is the exact command. Safe to
// call from several workers at once.
func EnsureAttributes(ctx context.Context, c client.Client, namespace string) error {
	if usable(ctx, c) == nil {
		return nil
	}
	if err := create(ctx, c, namespace); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, attributeWait)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := usable(ctx, c)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return missing(namespace, attributes(), err)
		case <-tick.C:
		}
	}
}

// usable counts by every attribute, which fails while one is unknown.
func usable(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	terms := make([]string, 0, len(attributes()))
	for _, name := range slices.Sorted(maps.Keys(attributes())) {
		terms = append(terms, name+` = "none"`)
	}
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: strings.Join(terms, " AND ")})
	return err
}

func create(ctx context.Context, c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	lacking := attributes()
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return refusedOr(err, namespace, lacking)
	}
	for name, want := range attributes() {
		have, found := known.GetCustomAttributes()[name]
		if !found {
			continue
		}
		if have != want {
			return fault.AttributesMissing.New(name, "it is of type %s, want %s", have, want).
				WithRemedy("temporal operator search-attribute remove --namespace %s --name %s --yes", namespace, name)
		}
		delete(lacking, name)
	}
	if len(lacking) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: lacking})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) { // another worker was faster
		return refusedOr(err, namespace, lacking)
	}
	return nil
}

// refusedOr tells a client that may not create attributes from a server that is away.
func refusedOr(err error, namespace string, lacking map[string]enums.IndexedValueType) error {
	var (
		away     *serviceerror.Unavailable
		deadline *serviceerror.DeadlineExceeded
	)
	if errors.As(err, &away) || errors.As(err, &deadline) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return explain(err, namespace)
	}
	return missing(namespace, lacking, err)
}

func missing(namespace string, lacking map[string]enums.IndexedValueType, cause error) error {
	return fault.AttributesMissing.Wrap(cause, strings.Join(slices.Sorted(maps.Keys(lacking)), ", ")).
		WithRemedy("%s", createCommand(namespace, lacking))
}

// createCommand is what an administrator runs.
func createCommand(namespace string, lacking map[string]enums.IndexedValueType) string {
	var b strings.Builder
	fmt.Fprintf(&b, "temporal operator search-attribute create --namespace %s", namespace)
	for _, name := range slices.Sorted(maps.Keys(lacking)) {
		fmt.Fprintf(&b, " --name %s --type %s", name, lacking[name])
	}
	return b.String()
}
