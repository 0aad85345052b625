package architecture

import "slices"

// Layers 0 to 2 of the engine, lowest first.
var (
	words   = []string{"internal/fault", "internal/secret", "internal/lifecycle", "internal/position", "internal/table", "internal/row", "internal/selection", "internal/ddl", "internal/task", "internal/contract", "internal/faultpoint"}
	systems = []string{"internal/mysqlconn", "internal/dialect", "internal/source", "internal/binlog", "internal/destination", "internal/checkpoint"}
	stages  = []string{"internal/schema", "internal/chunk", "internal/copyplan", "internal/throttle", "internal/copier", "internal/applier", "internal/compare", "internal/sequence", "internal/precheck"}
	edges   = []string{"internal/config", "internal/telemetry", "internal/temporalconn"}
)

// allowed names what each package may import of this module, itself and its
// sub-packages apart. A line covers the package's sub-packages.
func allowed() map[string][]string {
	t := map[string][]string{
		"internal/fault":      {},
		"internal/secret":     {"internal/fault"},
		"internal/lifecycle":  {},
		"internal/faultpoint": {},
		"internal/position":   {},
		"internal/table":      {},
		"internal/row":        {"internal/table"},
		"internal/selection":  {"internal/table"},
		"internal/ddl":        {"internal/table", "internal/fault"},
		"internal/task":       {"internal/selection", "internal/secret", "internal/fault"},
		"internal/contract":   {"internal/task", "internal/secret", "internal/lifecycle", "internal/position", "internal/selection", "internal/table", "internal/fault"},

		"internal/alarm":       words,
		"internal/mysqlconn":   words,
		"internal/dialect":     words,
		"internal/source":      with(words, "internal/mysqlconn", "internal/dialect"),
		"internal/binlog":      with(words, "internal/mysqlconn"),
		"internal/destination": with(words, "internal/mysqlconn", "internal/dialect"),
		"internal/checkpoint":  with(words, "internal/mysqlconn", "internal/destination", "internal/dialect"),

		// A stage stands on all of layer 1: dialect and mysqlconn hold the words
		// and errors that the others speak in (docs/decisions/0001).
		"internal/schema":   with(words, systems...),
		"internal/chunk":    with(words, systems...),
		"internal/copyplan": with(words, with(systems, "internal/chunk")...),
		"internal/throttle": words,
		"internal/copier":   with(words, with(systems, "internal/chunk", "internal/throttle")...),
		"internal/applier":  with(words, with(systems, "internal/schema", "internal/throttle")...),
		"internal/compare":  with(words, with(systems, "internal/chunk", "internal/throttle")...),
		"internal/sequence": with(words, systems...),
		"internal/precheck": with(words, with(systems, "internal/chunk")...),

		"internal/config":       words,
		"internal/telemetry":    words,
		"internal/temporalconn": words,
		"internal/control":      with(words, "internal/temporalconn"),

		"workflows":  words,
		"activities": with(words, with(systems, with(stages, "internal/alarm")...)...),

		"worker":  with(words, with(edges, with(systems, with(stages, "internal/alarm", "workflows", "activities")...)...)...),
		"web":     with(words, with(edges, "internal/control")...),
		"starter": with(words, "internal/config", "internal/telemetry", "web/api"),

		"internal/ddmsim": with(words, "internal/telemetry"),
		"internal/demo":   with(words, "internal/testdb"),

		"internal/architecture": {},
		"internal/model":        {},
		"internal/mutants":      {},
	}
	for _, free := range []string{"internal/testdb", "internal/testtemporal", "internal/ddmsim/simtest", "internal/e2e", "internal/bench", "internal/fidelity", "internal/soak", "internal/testvitess"} {
		t[free] = nil // may import anything
	}
	return t
}

// forbiddenReach names what must not be reached from a package, directly or
// through others, and why.
var forbiddenReach = []struct {
	from, to []string
	why      string
}{
	{[]string{"workflows"}, append([]string{"activities"}, with(systems, stages...)...), "workflows do no I/O"},
	{[]string{"activities"}, []string{"workflows"}, "workflows and activities share internal/contract only"},
	{[]string{"web", "starter", "internal/control"}, with(systems, stages...), "databases are reached only from workers"},
	{[]string{"starter"}, []string{"internal/temporalconn", "internal/control"}, "the command line speaks only the HTTP API"},
	{[]string{"internal/ddmsim"}, []string{"internal/dialect"}, "the simulator would confirm our own routing mistakes"},
}

func with(base []string, more ...string) []string {
	return slices.Concat(base, more)
}
