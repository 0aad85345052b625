package temporalconn

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"shardlift/internal/fault"
	"shardlift/internal/testtemporal"
)

type environment map[string]string

func (e environment) Environ() []string {
	var pairs []string
	for k, v := range e {
		pairs = append(pairs, k+"="+v)
	}
	return pairs
}

func (e environment) LookupEnv(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestOptions_HaveOurDefaults(t *testing.T) {
	o, err := loadOptions("worker", quiet(), environment{"TEMPORAL_CONFIG_FILE": t.TempDir() + "/none.toml"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7233", o.HostPort)
	require.Equal(t, "shardlift", o.Namespace)
	require.Regexp(t, `^worker@.+/\d+$`, o.Identity)
}

func TestOptions_FollowTheEnvironment(t *testing.T) {
	o, err := loadOptions("web", quiet(), environment{
		"TEMPORAL_CONFIG_FILE": t.TempDir() + "/none.toml",
		"TEMPORAL_ADDRESS":     "temporal.internal:7233", "TEMPORAL_NAMESPACE": "moves", "TEMPORAL_API_KEY": "key",
	})
	require.NoError(t, err)
	require.Equal(t, "temporal.internal:7233", o.HostPort)
	require.Equal(t, "moves", o.Namespace)
	require.NotNil(t, o.Credentials)
}

func TestOptions_NameWrongSettings(t *testing.T) {
	_, err := loadOptions("web", quiet(), environment{"TEMPORAL_CONFIG_FILE": t.TempDir() + "/none.toml", "TEMPORAL_PROFILE": "absent"})
	require.ErrorIs(t, err, fault.TemporalSettings)
}

func TestDial_WaitsForTheServer(t *testing.T) {
	server := testtemporal.Own(t)
	server.Kill(t)
	o, err := loadOptions("worker", quiet(), environment{"TEMPORAL_ADDRESS": server.Address})
	require.NoError(t, err)
	var log safeBuffer
	dialled := make(chan error, 1)
	go func() {
		c, err := Dial(t.Context(), o, slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil {
			c.Close()
		}
		dialled <- err
	}()
	require.Eventually(t, func() bool { return bytes.Contains(log.Bytes(), []byte("waiting for Temporal")) }, time.Minute, 20*time.Millisecond)
	server.Start(t)
	require.NoError(t, <-dialled)
}

func TestDial_SaysWhyWhenItEnds(t *testing.T) {
	o, err := loadOptions("worker", quiet(), environment{"TEMPORAL_ADDRESS": "127.0.0.1:1"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, o, quiet())
	require.ErrorIs(t, err, fault.TemporalUnavailable)
}

func TestReady_NamesAMissingNamespace(t *testing.T) {
	server := testtemporal.Get(t)
	err := Ready(t.Context(), server.Client(t), "absent")
	require.ErrorIs(t, err, fault.NamespaceMissing)
	f, _ := fault.As(err)
	require.Equal(t, "temporal operator namespace create --namespace absent --retention 365d", f.Remedy)
	require.NoError(t, Ready(t.Context(), server.Client(t), server.Namespace))
}

func TestLazy_ConnectsAtFirstUse(t *testing.T) {
	o, err := loadOptions("web", quiet(), environment{"TEMPORAL_ADDRESS": "127.0.0.1:1"})
	require.NoError(t, err)
	c, err := Lazy(o)
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.ErrorIs(t, Ready(ctx, c, o.Namespace), fault.TemporalUnavailable)
}

func TestAttributes_AreCreatedByWorkersAtOnce(t *testing.T) {
	server := testtemporal.Own(t)
	setup := server.Client(t)
	_, err := setup.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: "bare", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	o, err := loadOptions("worker", quiet(), environment{"TEMPORAL_ADDRESS": server.Address, "TEMPORAL_NAMESPACE": "bare"})
	require.NoError(t, err)
	c, err := Dial(t.Context(), o, quiet())
	require.NoError(t, err)
	defer c.Close()

	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := EnsureAttributes(t.Context(), c, "bare"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.NoError(t, usable(t.Context(), c))
	require.NoError(t, EnsureAttributes(t.Context(), c, "bare"), "a second call changes nothing")
}

func TestAttributes_OfAnotherTypeAreNamed(t *testing.T) {
	server := testtemporal.Own(t)
	c := server.Client(t)
	_, err := c.OperatorService().RemoveSearchAttributes(t.Context(), &operatorservice.RemoveSearchAttributesRequest{
		Namespace: server.Namespace, SearchAttributes: []string{"ShardliftTags"},
	})
	require.NoError(t, err)
	_, err = c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: server.Namespace, SearchAttributes: map[string]enums.IndexedValueType{"ShardliftTags": enums.INDEXED_VALUE_TYPE_INT},
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return usable(t.Context(), c) != nil }, time.Minute, 50*time.Millisecond)
	err = EnsureAttributes(t.Context(), c, server.Namespace)
	require.ErrorIs(t, err, fault.AttributesMissing)
	require.ErrorContains(t, err, "ShardliftTags")
	require.ErrorContains(t, err, "want KeywordList")
}

func TestAttributes_RefusalGivesTheCommand(t *testing.T) {
	err := refusedOr(serviceerror.NewPermissionDenied("no", ""), "moves", attributes())
	require.ErrorIs(t, err, fault.AttributesMissing)
	f, _ := fault.As(err)
	require.Equal(t, "temporal operator search-attribute create --namespace moves"+
		" --name ShardliftAttention --type Keyword --name ShardliftName --type Keyword"+
		" --name ShardliftStatus --type Keyword --name ShardliftTags --type KeywordList", f.Remedy)
	require.ErrorIs(t, refusedOr(serviceerror.NewUnavailable("away"), "moves", attributes()), fault.TemporalUnavailable)
	require.ErrorIs(t, refusedOr(errors.Join(context.DeadlineExceeded), "moves", attributes()), fault.TemporalUnavailable)
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}
