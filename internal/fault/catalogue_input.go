package fault

// Definitions of wrong input: task file, request, flags.
var (
	InvalidField = Definition{"SL-1001", Operator, "invalid value", "correct the field named and send it again"}
	UnknownField = Definition{"SL-1002", Operator, "unknown field", "remove the field; `shardlift init` writes a file with every field"}
	InvalidFile  = Definition{"SL-1003", Operator, "not a valid task file", "check the line named; `shardlift init` writes a valid file"}
)
