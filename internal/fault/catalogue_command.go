package fault

// Definitions of the command line (8200-8299).
var (
	Usage         = Definition{"SL-8201", Operator, "wrong usage", "see --help of the command"}
	NeedsConsent  = Definition{"SL-8202", Operator, "this needs consent, and nobody can be asked here", "give --yes"}
	Declined      = Definition{"SL-8203", Operator, "not done: consent was not given", "answer y, or give --yes"}
	ServerSilent  = Definition{"SL-8204", Retry, "the server does not answer", "start it (`make up`, or shardlift-web), or name another with --server or SHARDLIFT_SERVER"}
	OutcomeLost   = Definition{"SL-8205", Retry, "the server's answer was lost: the command may have been carried out", "look at the task with `shardlift show TASK` before you repeat the command"}
	StrangeAnswer = Definition{"SL-8206", Operator, "the answer is not one of Shardlift's", "check --server and SHARDLIFT_SERVER: they name the base URL of shardlift-web"}
	OutOfTime     = Definition{"SL-8207", Retry, "not reached in time", "the task goes on; look at it with `shardlift show TASK`, or give a longer --timeout"}
	Interrupted   = Definition{"SL-8208", Operator, "interrupted", "what was asked of the server goes on; `shardlift show TASK` shows it"}
	FileExists    = Definition{"SL-8209", Operator, "the file exists and is never overwritten", "name another file, or remove this one first"}
	FileUnusable  = Definition{"SL-8210", Operator, "the file cannot be used", "check its name and your rights on it"}
	TestFailed    = Definition{"SL-8211", Operator, "a connection does not work", "see the remedy of the side that failed"}
	Differs       = Definition{"SL-8212", Operator, "the comparison did not find both sides equal", "`shardlift comparisons TASK ID --differences` shows what differs"}
	StopShort     = Definition{"SL-8213", Operator, "the task ended without everything on the destination", "`shardlift report TASK` says what is missing"}
	NotWell       = Definition{"SL-8214", Operator, "a part of the installation does not work", "see the remedy of the part"}
	EndedBefore   = Definition{"SL-8215", Operator, "the task came to another end than was waited for", "`shardlift show TASK` shows its state, `shardlift report TASK` its report"}
	TaskFailed    = Definition{"SL-8216", Operator, "the task has failed", "`shardlift show TASK` shows the error; correct it, then `shardlift resume TASK`"}
)
