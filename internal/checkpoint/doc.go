// Package checkpoint keeps a task's state in the destination, in tables named
// shardlift_*: the plan and its chunks, who may write (owner and fence), the
// checkpoint of each apply group, table definitions as of positions, limits,
// comparisons, log, divergences and the report. One file holds one of them.
//
// All tables but the fence stand in the metadata schema as single tables; a
// shardlift_fence stands in every destination schema, one row per (task, unit,
// physical shard), so that the guard of a data transaction stays on its shard.
// On DDM row i is on shard i (DBPARTITION BY MOD_HASH(shard)).
//
// Rules of every statement here: it reads the primary (hint); a write that has
// to succeed raises the row's counter, so that one affected row means success
// whatever the connection counts; no comments, no placeholders, binary values as
// hex, no foreign keys, no JSON columns (DDM: drs.md 8.2).
//
// Safety comes from three steps: Acquire shuts out every older attempt and waits
// for its last transaction; Fence.Guard, the first statement of each data
// transaction, holds the fence row; Save, Claim and Finish carry the token.
//
// Callers own the Destination and close it; a Store has nothing to close and is
// safe for concurrent use. Start reading at store.go, then fence.go.
package checkpoint
