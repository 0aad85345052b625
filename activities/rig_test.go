package activities

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"shardlift/internal/contract"
	"shardlift/internal/precheck"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/task"
	"shardlift/internal/temporalconn"
	"shardlift/internal/testdb"
)

// rig is one task between two schemas of a real server, with its activities.
type rig struct {
	*Activities
	t      *testing.T
	ref    contract.TaskRef
	server *testdb.Server
	source string // schema
	to     string // schema, of the metadata too
	answer *secret.KeyRing
}

func newRig(t *testing.T, change ...func(*task.File)) *rig {
	t.Helper()
	return rigOn(t, testdb.Get(t, "mysql97"), change...)
}

// rigOn is newRig on a server of the test's own, where nobody else writes the binlog.
func rigOn(t *testing.T, server *testdb.Server, change ...func(*task.File)) *rig {
	t.Helper()
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	r := &rig{t: t, ref: contract.TaskRef{TaskID: uuid.NewString(), Revision: 1}, server: server, source: server.Schema(t), to: server.Schema(t), answer: ring}
	end := task.Endpoint{Host: server.Host, Port: server.Port, User: server.User, Password: server.Password, TLS: task.TLS{Mode: "disabled"}, MaxConnections: 10}
	f := task.File{
		Name: "shop", Type: task.FullIncremental, Source: end, Destination: end,
		Objects: selection.Selection{{Schema: r.source, To: r.to, Tables: []string{"*"}}},
	}
	f.Destination.Kind = "mysql"
	f.SetDefaults()
	for _, c := range change {
		c(&f)
	}
	spec, err := f.Seal(r.ref.TaskID, ring.Public(), ring.Public())
	require.NoError(t, err)
	redactor := &Redactor{}
	r.Activities = &Activities{ring: ring, redactor: redactor, prechecks: precheck.NewPool(), stores: newStores(), tasks: newResolver(func(context.Context, string) (contract.Endpoints, error) {
		return contract.Endpoints{Revision: 1, Spec: spec}, nil
	}, ring, redactor)}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (r *rig) exec(statements ...string) {
	r.t.Helper()
	db := r.server.DB(r.t, r.source)
	for _, s := range statements {
		_, err := db.ExecContext(r.t.Context(), s)
		require.NoError(r.t, err, s)
	}
}

// do runs a step as a worker would, interceptor included.
func do[In, Out any](r *rig, f func(context.Context, In) (Out, error), in In) (Out, error) {
	r.t.Helper()
	env := activityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{temporalconn.NewInterceptor(r.redactor)}})
	env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: "step"})
	var out Out
	value, err := env.ExecuteActivity("step", in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

// must is do without an error.
func must[In, Out any](r *rig, f func(context.Context, In) (Out, error), in In) Out {
	r.t.Helper()
	out, err := do(r, f, in)
	require.NoError(r.t, err)
	return out
}

// ask inspects and opens the answer.
func inspectAs[A any](r *rig, in contract.InspectIn) A {
	r.t.Helper()
	in.RequestID, in.Task, in.AnswerKey = uuid.NewString(), r.ref, r.answer.Public()
	out := must(r, r.Inspect, in)
	plain, err := json.Marshal(out)
	require.NoError(r.t, err)
	require.NotContains(r.t, string(plain), r.source)
	var answer A
	require.NoError(r.t, r.answer.OpenJSON(contract.InspectUse(in.RequestID, "answer"), out.Answer, &answer))
	return answer
}

// errorDetail is what the interceptor put into an application error.
func errorDetail(t *testing.T, err error) (info contract.ErrorInfo) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.NoError(t, app.Details(&info))
	return info
}
