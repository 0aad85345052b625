package fault

// Definitions of the full copy.
var (
	TableChanged = Definition{"SL-4001", Operator, "the table on the source is no longer the one that was planned", "make the same change on the destination, then reset the task: the copy begins anew with the present tables"}
)
