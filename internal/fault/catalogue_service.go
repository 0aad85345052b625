package fault

// Definitions of the parts around the engine: Temporal, web, worker.
var (
	TemporalUnavailable = Definition{"SL-8001", Retry, "Temporal does not answer", "see that Temporal runs at TEMPORAL_ADDRESS; `shardlift doctor` shows what works"}
	NameTaken           = Definition{"SL-8002", Operator, "a task with this name exists", "choose another name, or delete the ended task that has it"}
	KeysMissing         = Definition{"SL-8003", Operator, "the workers' public key is missing", "start a worker once: it makes the key ring; web reads its public part (SHARDLIFT_KEYS_FILE)"}
	NoWorker            = Definition{"SL-8004", Retry, "no worker answered in time", "start a worker for the task's worker group; `shardlift doctor` shows which queues have one"}
	AnswerUnreadable    = Definition{"SL-8005", Operator, "the worker's answer cannot be opened", "the request was sealed for another web process; repeat it"}
	Unauthorized        = Definition{"SL-8006", Operator, "no valid token", "send the token of SHARDLIFT_TOKEN_FILE as bearer token"}
	UnknownOperation    = Definition{"SL-8007", Operator, "no such operation", "use the operation id that the answer gave"}
	ReportMissing       = Definition{"SL-8008", Operator, "there is no report yet", "the report is made when the task ends"}
	UnknownComparison   = Definition{"SL-8009", Operator, "no such comparison", "`shardlift comparisons TASK` lists them"}
	KeyReused           = Definition{"SL-8010", Operator, "the idempotency key was used for another request", "use a fresh key"}
	Internal            = Definition{"SL-8099", Retry, "an unexpected error", "repeat the request; if it fails again look at the log of web"}
)
