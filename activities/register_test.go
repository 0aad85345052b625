package activities

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"shardlift/internal/contract"
)

// registry notes names and the types of input and result.
type registry struct {
	worker.ActivityRegistry
	types map[string][2]reflect.Type
}

func (r *registry) RegisterActivityWithOptions(f any, o activity.RegisterOptions) {
	t := reflect.TypeOf(f)
	r.types[o.Name] = [2]reflect.Type{t.In(1), t.Out(0)}
}

func typesOf[In, Out any](r *registry, t *testing.T, a contract.Activity[In, Out]) {
	t.Helper()
	got, ok := r.types[a.Name]
	require.True(t, ok, "%s is registered nowhere", a.Name)
	require.Equal(t, [2]reflect.Type{reflect.TypeFor[In](), reflect.TypeFor[Out]()}, got)
	delete(r.types, a.Name)
}

func TestRegister_EveryStepOfTheContract(t *testing.T) {
	r := &registry{types: map[string][2]reflect.Type{}}
	a := New(nil, "", nil, &Redactor{})
	a.RegisterControl(r)
	a.RegisterShort(r)
	a.RegisterCopy(r)
	a.RegisterApply(r)
	typesOf(r, t, contract.ListPrecheckItems)
	typesOf(r, t, contract.RunPrecheckItem)
	typesOf(r, t, contract.PlanCopy)
	typesOf(r, t, contract.ParkTables)
	typesOf(r, t, contract.PlanGroup)
	typesOf(r, t, contract.MergeGroup)
	typesOf(r, t, contract.DropGroup)
	typesOf(r, t, contract.CopyLane)
	typesOf(r, t, contract.ReadHead)
	typesOf(r, t, contract.WatchSource)
	typesOf(r, t, contract.ApplyBinlog)
	typesOf(r, t, contract.CompareTables)
	typesOf(r, t, contract.UpdateSequences)
	typesOf(r, t, contract.StoreReport)
	typesOf(r, t, contract.StoreLimits)
	typesOf(r, t, contract.ResetTask)
	typesOf(r, t, contract.CleanUp)
	typesOf(r, t, contract.Inspect)
	typesOf(r, t, contract.SendCommand)
	typesOf(r, t, contract.DeleteRuns)
	typesOf(r, t, contract.Notify)
	require.Empty(t, r.types)
}
