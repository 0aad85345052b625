package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
)

// changeRelease is the version marker that every long-lived workflow sets first.
// A change of the order of commands raises release and keeps the old order for
// runs that recorded a lower one; testdata/histories holds such runs.
//
// Since 2: automatic retries, expiry of failed tasks, the alarm of a purge while
// nothing watches, notifications. Since 3: a group stays until it is known what
// became of its parking, or of the addition that made it.
const (
	changeRelease = "release"
	// changeAlarmsAtOnce: an edit of alarm thresholds alone reaches running steps, too.
	changeAlarmsAtOnce = "alarms-at-once"
	// changePurgeToldApart: people hear of a purge also of a task that has failed.
	changePurgeToldApart = "purge-told-apart"
	release              = 3
)

// Register adds every workflow to a worker under its name in the contract.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(MigrationWorkflow, workflow.RegisterOptions{Name: contract.MigrationWorkflow})
	r.RegisterWorkflowWithOptions(CopyWorkflow, workflow.RegisterOptions{Name: contract.CopyWorkflow})
	r.RegisterWorkflowWithOptions(CompareWorkflow, workflow.RegisterOptions{Name: contract.CompareWorkflow})
	r.RegisterWorkflowWithOptions(InspectWorkflow, workflow.RegisterOptions{Name: contract.InspectWorkflow})
	r.RegisterWorkflowWithOptions(DeleteTask, workflow.RegisterOptions{Name: contract.DeleteTask})
	r.RegisterWorkflowWithOptions(TriggerWorkflow, workflow.RegisterOptions{Name: contract.TriggerWorkflow})
	r.RegisterWorkflowWithOptions(NotifyWorkflow, workflow.RegisterOptions{Name: contract.NotifyWorkflow})
	r.RegisterWorkflowWithOptions(NameWorkflow, workflow.RegisterOptions{Name: contract.NameWorkflow})
}
