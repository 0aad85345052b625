package contract

import (
	"strconv"
	"strings"
)

// Namespace is the Temporal namespace of everything.
const Namespace = "shardlift"

// Workflow types.
const (
	MigrationWorkflow = "MigrationWorkflow"
	CopyWorkflow      = "CopyWorkflow"
	CompareWorkflow   = "CompareWorkflow"
	InspectWorkflow   = "InspectWorkflow"
	DeleteTask        = "DeleteTask"
	TriggerWorkflow   = "TriggerWorkflow"
	NameWorkflow      = "NameWorkflow"
	NotifyWorkflow    = "NotifyWorkflow"
)

// MigrationID is the workflow id of a task.
func MigrationID(taskID string) string { return "migration/" + taskID }

// CopyID is the workflow id of a task's copy.
func CopyID(taskID string) string { return MigrationID(taskID) + "/copy" }

// CopyGroupID is the workflow id of the copy of an apply group of its own.
func CopyGroupID(taskID string, group int) string {
	return CopyID(taskID) + "-" + strconv.Itoa(group)
}

// CompareID is the workflow id of a task's n-th comparison ("c1", "c2", …).
func CompareID(taskID, comparison string) string {
	return MigrationID(taskID) + "/compare/" + comparison
}

// NotifyID is the workflow id of a task's n-th notification.
func NotifyID(taskID string, n int) string {
	return MigrationID(taskID) + "/notify/" + strconv.Itoa(n)
}

// InspectID is the workflow id of one inspection. taskID is "-" for a connection test without a task.
func InspectID(taskID, id string) string { return "inspect/" + taskID + "/" + id }

// DeleteID is the workflow id of a task's deletion.
func DeleteID(taskID string) string { return "delete/" + taskID }

// NameID is the workflow id that reserves a name; names are unique without regard to case.
func NameID(name string) string { return "name/" + strings.ToLower(name) }

// QueueControl is the queue of all workflows and of TriggerWorkflow's activity.
const QueueControl = "shardlift-control"

// QueueShort is the queue of database activities of seconds to minutes.
func QueueShort(group string) string { return "shardlift-short." + group }

// QueueCopy is the queue of copy lanes and comparisons.
func QueueCopy(group string) string { return "shardlift-copy." + group }

// QueueApply is the queue of ApplyBinlog and WatchSource.
func QueueApply(group string) string { return "shardlift-apply." + group }

// Search attributes.
const (
	AttributeStatus    = "ShardliftStatus"    // Keyword: lifecycle.Status
	AttributeName      = "ShardliftName"      // Keyword: the task's name
	AttributeTags      = "ShardliftTags"      // KeywordList: "key=value"
	AttributeAttention = "ShardliftAttention" // Keyword: "" or why somebody should look
)

// MemoView is the memo that pages fall back to when no worker answers a query.
const MemoView = "view"

// Queries of MigrationWorkflow.
const (
	QueryView      = "view"      // () View
	QueryEndpoints = "endpoints" // () Endpoints
	QueryPrecheck  = "precheck"  // () PrecheckReport
	QueryEvents    = "events"    // () []Event
)

// SignalRelease tells NameWorkflow to give its name free.
const SignalRelease = "release"

// SignalAlarm tells MigrationWorkflow that an alarm began or ended (TaskAlarm).
const SignalAlarm = "alarm"

// ErrorDraining is the type of the application error with which an activity
// hands its work over because its worker stops.
const ErrorDraining = "WorkerDraining"

// QueryName of NameWorkflow returns the id of the task that holds the name.
const QueryName = "task"
