package fault

// Definitions of the apply.
var (
	Fenced     = Definition{"SL-5001", Retry, "another attempt owns this work", "nothing: the newer attempt goes on; if none does, look at the workers' logs and resume"}
	Divergence = Definition{"SL-5002", Operator, "the destination was changed by somebody else", "find who writes to the destination, compare the table, then resume; or set policy.divergence to report"}
)
