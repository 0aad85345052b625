package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"shardlift/internal/alarm"
	"shardlift/internal/contract"
	"shardlift/internal/precheck"
	"shardlift/internal/secret"
)

// Activities are the steps of tasks. One value serves every worker of a
// process; it is safe for concurrent use.
type Activities struct {
	temporal  client.Client
	namespace string
	ring      *secret.KeyRing
	redactor  *Redactor
	tasks     *resolver
	prechecks *precheck.Pool
	stores    *stores       // open for pages
	alarms    *alarm.Sender // nil: nobody is told
}

// New returns the activities. The client stays the caller's; redactor learns
// every secret that an activity opens.
func New(c client.Client, namespace string, ring *secret.KeyRing, redactor *Redactor) *Activities {
	a := &Activities{temporal: c, namespace: namespace, ring: ring, redactor: redactor, prechecks: precheck.NewPool(), stores: newStores()}
	a.tasks = newResolver(a.askEndpoints, ring, redactor)
	return a
}

// Close closes the connections that pre-checks and pages share. Call it when no activity runs any more.
func (a *Activities) Close() error { return errors.Join(a.prechecks.Close(), a.stores.Close()) }

// add registers a step under its name in the contract, with the contract's types.
func add[In, Out any](r worker.ActivityRegistry, a contract.Activity[In, Out], f func(context.Context, In) (Out, error)) {
	r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: a.Name})
}

// RegisterControl registers what needs Temporal only.
func (a *Activities) RegisterControl(r worker.ActivityRegistry) {
	add(r, contract.SendCommand, a.SendCommand)
	add(r, contract.DeleteRuns, a.DeleteRuns)
	add(r, contract.Notify, a.Notify)
}

// RegisterShort registers the steps of seconds to minutes.
func (a *Activities) RegisterShort(r worker.ActivityRegistry) {
	add(r, contract.ListPrecheckItems, a.ListPrecheckItems)
	add(r, contract.RunPrecheckItem, a.RunPrecheckItem)
	add(r, contract.PlanCopy, a.PlanCopy)
	add(r, contract.ParkTables, a.ParkTables)
	add(r, contract.PlanGroup, a.PlanGroup)
	add(r, contract.MergeGroup, a.MergeGroup)
	add(r, contract.DropGroup, a.DropGroup)
	add(r, contract.ReadHead, a.ReadHead)
	add(r, contract.UpdateSequences, a.UpdateSequences)
	add(r, contract.StoreLimits, a.StoreLimits)
	add(r, contract.StoreReport, a.StoreReport)
	add(r, contract.ResetTask, a.ResetTask)
	add(r, contract.CleanUp, a.CleanUp)
	add(r, contract.Inspect, a.Inspect)
}

// RegisterCopy registers the lanes of the full copy and comparisons.
func (a *Activities) RegisterCopy(r worker.ActivityRegistry) {
	add(r, contract.CopyLane, a.CopyLane)
	add(r, contract.CompareTables, a.CompareTables)
}

// RegisterApply registers the binlog apply and the watch of the source.
func (a *Activities) RegisterApply(r worker.ActivityRegistry) {
	add(r, contract.ApplyBinlog, a.ApplyBinlog)
	add(r, contract.WatchSource, a.WatchSource)
}
