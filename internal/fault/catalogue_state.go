package fault

// Definitions of refused commands and of what stops a task's steps.
var (
	RefusedInState    = Definition{"SL-7001", Operator, "not allowed in this state", "see the available actions"}
	UnknownTask       = Definition{"SL-7002", Operator, "no such task", "`shardlift list` shows every task"}
	LateRevision      = Definition{"SL-7003", Operator, "the task was changed meanwhile", "read the task again and repeat the command on its new revision"}
	PrecheckMissing   = Definition{"SL-7004", Operator, "this revision of the task has no pre-check", "run `shardlift precheck TASK --wait`"}
	PrecheckBelow     = Definition{"SL-7005", Operator, "the pre-check is below 100 %", "correct what failed, confirm the alarms, and run `shardlift precheck TASK --wait` again"}
	PrecheckExpired   = Definition{"SL-7006", Operator, "the pre-check is older than 24 hours", "run `shardlift precheck TASK --wait` again"}
	PrecheckRunning   = Definition{"SL-7007", Operator, "the pre-check is running", "wait until it has ended: `shardlift precheck TASK --wait`"}
	NotSynced         = Definition{"SL-7008", Operator, "the destination does not have everything yet", "wait until the task is synced; `stop --incomplete` ends it as it is, `stop --force` at once"}
	PauseMode         = Definition{"SL-7009", Operator, "this way of pausing is not offered", "pause without a mode: capture and apply stop, and resume goes on from the checkpoint"}
	StartInPast       = Definition{"SL-7010", Operator, "the start time has passed", "give a time to come, or none to start now"}
	NothingToCompare  = Definition{"SL-7011", Operator, "the full copy is not complete", "compare after the full copy"}
	ComparisonRunning = Definition{"SL-7012", Operator, "a comparison is running", "wait until it has ended: `shardlift comparisons TASK`"}
	RetryTable        = Definition{"SL-7013", Operator, "the table is not parked", "`shardlift tables TASK` shows which tables are; a task that has failed as a whole is retried without --table"}
	FixedField        = Definition{"SL-7014", Operator, "cannot be changed now", "after the start only name, description, tags and limits change; credentials have their own command; the type never changes"}
	UnknownItem       = Definition{"SL-7015", Operator, "no such item in the pre-check", "`shardlift precheck TASK` shows the items"}
	NotAnAlarm        = Definition{"SL-7016", Operator, "only alarms can be confirmed", "correct what the item names and check it again"}
	NoSyncPoint       = Definition{"SL-7017", Operator, "the task does not follow the source now", "sync points need a full+incremental task between its start and its end"}
	StepFailed        = Definition{"SL-7018", Operator, "a step failed without a known cause", "see the workers' logs and the step in the Temporal Web UI, then resume"}
	StepTimedOut      = Definition{"SL-7019", Operator, "a step ended by a timeout", "see whether workers of the task's group run, then resume"}
	TaskStillOpen     = Definition{"SL-7020", Operator, "the task has not ended", "stop the task first"}
	RunsRemain        = Definition{"SL-7021", Retry, "Temporal has not removed every run yet", "nothing: the deletion is repeated"}
	Stalled           = Definition{"SL-7022", Retry, "nothing moved for too long", "nothing: the step is repeated; if it stalls again look at locks and load of source and destination"}
	UnknownCommand    = Definition{"SL-7023", Operator, "no such command", "use one of: precheck, start, pause, resume, retry, compare, stop"}
	KeyMissing        = Definition{"SL-7024", Operator, "the workers' key ring does not open this task's endpoints", "put the key ring that sealed them in place, or give the credentials again: `shardlift set-credentials TASK`"}
	NoMetadata        = Definition{"SL-7025", Operator, "the task has nothing on the destination yet", "start the task first"}
	NothingToMove     = Definition{"SL-7027", Operator, "none of the selected tables exists on both sides", "create the tables on the destination, or correct the task's objects"}
	NotConfigured     = Definition{"SL-7028", Operator, "the task's configuration is not complete", "`shardlift edit TASK -f FILE` completes it; a missing password also `shardlift set-credentials TASK`"}
	GroupsOpen        = Definition{"SL-7029", Operator, "tables of the task stand apart from it and are not complete", "`shardlift tables TASK` shows them: retry, recopy or drop each; `stop --incomplete` ends the task without them"}
	AlreadySelected   = Definition{"SL-7030", Operator, "the task's objects select this table already", "add tables that no rule of the task selects"}
	AddRefused        = Definition{"SL-7031", Operator, "the tables cannot join the task", "correct what the pre-check items say of these tables, then add them again"}
	AddInterrupted    = Definition{"SL-7032", Operator, "the addition was interrupted, nothing was added", "give the command again while the task runs"}
	TooManyGroups     = Definition{"SL-7033", Operator, "too many tables stand apart from the task", "retry, recopy or drop some of them first"}
	ApplyBehind       = Definition{"SL-7026", Retry, "the apply has not reached the position that the comparison waits for", "nothing while the task catches up; a paused or failed task has to be resumed first"}
)
