package fault

// Definitions of the pre-check (6000-6499). What an item finds is a result, not
// an error; these are for what keeps an item from being run.
var (
	UnknownCheck = Definition{"SL-6001", Operator, "this version knows no such item of the pre-check", "run `shardlift precheck TASK` again without --item, or update the worker"}
	NotSkippable = Definition{"SL-6002", Operator, "only a failure that can neither lose nor change a row may be skipped", "do what the item's remedy says and check it again; its page in docs/precheck/ says whether it may be skipped"}
)
