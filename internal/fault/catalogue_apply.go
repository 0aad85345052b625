package fault

// Definitions of the apply.
var (
	Fenced          = Definition{"SL-5001", Retry, "another attempt owns this work", "nothing: the newer attempt goes on; if none does, look at the workers' logs and resume"}
	Divergence      = Definition{"SL-5002", Operator, "the destination was changed by somebody else", "find who writes to the destination, compare the table, then resume; or set policy.divergence to report"}
	VirtualUnlogged = Definition{"SL-5003", Operator, "the source's binlog has no values of a virtual column that the destination stores", "let the destination compute the column by the same expression, or drop it there; or make it STORED on the source; then reset the task"}
)
