// Package ddmsim is a stand-in for Huawei DDM, for tests and the demo only: a
// MySQL-protocol server in front of real MySQL data nodes that routes by DDM's
// sharding rules and refuses what DDM refuses. It is no database for data that
// anybody wants to keep.
//
// It owns the physical databases <schema>_0000 … on the nodes and a meta
// database on the first node with rules and sequences, so it can be restarted.
// Callers own the nodes. It shares no code with the engine: a mistake of ours
// in routing must show here.
//
//   - Start gives a Server; its Faults break things on purpose.
//   - statement.go hands each statement to the file that knows its kind.
//   - formula.go has the sharding formulas, check.go and the word "refuse" the
//     rules, by their numbers D-NN of the fact sheet on DDM.
//
// Where DDM's manual is silent the simulator chooses: negative remainders count
// by absolute value, strings hash by bytes, ORDER BY over shards merges text by
// bytes (as relatives of DDM do), explicit ids do not move a sequence unless
// Config.ExplicitIDMovesSequence says so, and errors have number 1105 where no
// better one is known. Not done at all: joins of two sharded tables, HAVING,
// UNION and AVG over several shards, LOAD DATA.
package ddmsim
