package fault

// Definitions of what web refuses by itself, and of tasks ended behind its back.
var (
	EndedOutside = Definition{"SL-8011", Operator, "the task was ended in Temporal and cannot go on", "delete it and create a new task; a stop or a forced stop would have ended it in order"}
	NoSuchPath   = Definition{"SL-8012", Operator, "no such path or method", "see /openapi.yaml for paths and methods"}
	Unreadable   = Definition{"SL-8013", Operator, "the request cannot be read", "send JSON as /openapi.yaml describes it, at most 4 MiB"}
)
