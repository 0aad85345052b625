package fault

// Definitions of the full copy.
var (
	TableChanged = Definition{"SL-4001", Operator, "the table on the source is no longer the one that was planned", "make the same change on the destination, then reset the task: the copy begins anew with the present tables"}
	// SourceWritten is of full-only tasks: with a replay behind the copy it is no error.
	SourceWritten = Definition{"SL-4002", Operator, "the source was written during a full-only copy: a unique value is in another row now than when that was copied", "let the source rest and reset the task; or create it anew with type full+incremental, which follows the writes"}
)
