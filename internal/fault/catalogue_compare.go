package fault

// Definitions of comparison (6500-6599).
var (
	ComparisonType = Definition{"SL-6501", Operator, "unknown type of comparison", "compare by objects, rows or values"}
	// NotSettled: the destination did not reach the source's position, so moving
	// differences cannot be told from real ones.
	NotSettled = Definition{"SL-6502", Retry, "the destination does not catch up", "resume the task, or raise its limits, and compare again"}
)
