package fault

// Definitions of the full copy.
var (
	TableChanged = Definition{"SL-4001", Operator, "the table on the source is no longer the one that was planned", "make the same change on the destination, then reset the task: the copy begins anew with the present tables"}
	// SourceWritten is of full-only tasks: with a replay behind the copy it is no error.
	SourceWritten = Definition{"SL-4002", Operator, "the source was written during a full-only copy: a unique value is in another row now than when that was copied", "let the source rest and reset the task; or create it anew with type full+incremental, which follows the writes"}

	// Apply groups beside the task's own (docs/decisions/0011).
	AddedNotEmpty = Definition{"SL-4003", Operator, "a table that joins the task has rows on the destination already", "empty it there, or leave it out; then add the table again"}
	MergeEarly    = Definition{"SL-4004", Operator, "the tables cannot go back to the task yet: it has not passed what they have", "retry the tables; the task passes it by itself when it is not stopped"}
	TablesApart   = Definition{"SL-4005", Operator, "all chosen tables are parked or dropped, and cannot be compared", "retry the tables; compare them when they are back"}
)
